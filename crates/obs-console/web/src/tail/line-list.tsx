// A list of log lines of which only those in view are in the document.

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

import { clock, fieldNames, fieldText, utc } from "../format";
import type { Line } from "./tail";

const OWN = new Set(["ts", "level", "logger", "msg", "trace_id"]);
const BEYOND = 10;

interface Props {
  lines: Line[];
  first: number;
  /** Whether the newest line stays in view. */
  follows: boolean;
  /** The reader has scrolled away from the newest line, or back to it. */
  onFollow?: (follows: boolean) => void;
  /** Line that is in view at first. */
  begin?: number;
  chosen: number | null;
  onChoose: (number: number | null) => void;
}

export function LineList({ lines, first, follows, onFollow, begin: wanted, chosen, onChoose }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const height = useRowHeight();
  const [view, setView] = useState({ top: 0, height: 400 });
  const own = useRef(false);

  useLayoutEffect(() => {
    const element = place.current!;
    if (!follows) return;
    own.current = true;
    element.scrollTop = element.scrollHeight;
  }, [lines, follows, height]);

  useLayoutEffect(() => {
    if (wanted === undefined) return;
    const element = place.current!;
    own.current = true;
    element.scrollTop = (wanted + 0.5) * height - element.clientHeight / 2;
    setView({ top: element.scrollTop, height: element.clientHeight });
  }, []);

  useEffect(() => {
    const element = place.current!;
    const measured = new ResizeObserver(() => setView({ top: element.scrollTop, height: element.clientHeight }));
    measured.observe(element);
    return () => measured.disconnect();
  }, []);

  const scrolled = () => {
    // A scroll can be told after the list has left the page.
    const element = place.current;
    if (element === null) return;
    setView({ top: element.scrollTop, height: element.clientHeight });
    if (own.current) own.current = false;
    else onFollow?.(element.scrollTop + element.clientHeight >= element.scrollHeight - height);
  };

  const begin = Math.max(0, Math.floor(view.top / height) - BEYOND);
  const end = Math.min(lines.length, Math.ceil((view.top + view.height) / height) + BEYOND);
  return (
    <div class={wanted === undefined ? "lines" : "lines still"} ref={place} onScroll={scrolled} tabIndex={0} role="region" aria-label="Log lines">
      <ol style={{ height: `${lines.length * height}px` }}>
        {lines.slice(begin, end).map((line, at) => {
          const number = first + begin + at;
          return (
            <li
              key={number}
              class={`line ${String(line.level)}${number === chosen ? " chosen" : ""}`}
              style={{ top: `${(begin + at) * height}px`, height: `${height}px` }}
              aria-posinset={begin + at + 1}
              aria-setsize={lines.length}
            >
              <button type="button" aria-expanded={number === chosen} onClick={() => onChoose(number === chosen ? null : number)}>
                <LineText line={line} />
              </button>
            </li>
          );
        })}
      </ol>
    </div>
  );
}

function LineText({ line }: { line: Line }) {
  const ts = String(line.ts ?? "");
  const rest = fieldNames(line).filter((name) => !OWN.has(name));
  return (
    <>
      <time dateTime={ts} title={utc(ts)}>
        {clock(ts)}
      </time>
      <span class="level">{String(line.level ?? "")}</span>
      <bdi class="logger">{String(line.logger ?? "")}</bdi>
      <span class="text">
        <bdi class="msg">{String(line.msg ?? "")}</bdi>{" "}
        {rest.length > 0 && <bdi class="rest">{rest.map((name) => `${name}=${fieldText(line[name])}`).join(" ")}</bdi>}
      </span>
    </>
  );
}

/** Returns the height of a row, which has two lines of text on a narrow screen. The style sheet has the same width. */
function useRowHeight(): number {
  const [narrow] = useState(() => window.matchMedia("(max-width: 640px)"));
  const [isNarrow, setNarrow] = useState(narrow.matches);
  useEffect(() => {
    const changed = () => setNarrow(narrow.matches);
    narrow.addEventListener("change", changed);
    return () => narrow.removeEventListener("change", changed);
  }, [narrow]);
  return isNarrow ? 46 : 24;
}
