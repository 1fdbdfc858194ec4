import { useState } from "preact/hooks";

import { LineDetail } from "./line-detail";
import { LineList } from "./line-list";
import type { Line } from "./tail";

interface Props {
  lines: Line[];
  /** Line that is in view at first. */
  begin: number;
  /** Line that is open at first. */
  chosen?: number;
}

/** Lines that do not change. One of them can be opened. */
export function Found({ lines, begin, chosen: first = -1 }: Props) {
  const [chosen, setChosen] = useState<number | null>(first < 0 ? null : first);
  const line = chosen === null ? undefined : lines[chosen];
  return (
    <>
      <LineList lines={lines} first={0} follows={false} begin={begin} chosen={chosen} onChoose={setChosen} />
      {line && <LineDetail key={chosen} line={line} onClose={() => setChosen(null)} />}
    </>
  );
}
