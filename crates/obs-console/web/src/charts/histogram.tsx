import { useLayoutEffect, useRef, useState } from "preact/hooks";

import type { LogCount } from "../api";
import { count, localTime, minuteTime } from "../format";

/** Narrowest bar in pixels that a finger can touch. */
const NARROWEST = 24;

/** Narrowest distance of two times below the bars in pixels. */
const TIME_WIDTH = 150;

interface Props {
  counts: LogCount[];
  /** Length of a step in seconds. */
  step: number;
  /** Window that was searched, in seconds since 1970. The bars cover all of it. */
  since: number;
  until: number;
  /** Instant back to which the files were searched. Bars before it are marked. */
  searched: string | null;
  onChoose: (since: number, until: number) => void;
}

/** Number of log lines over time. A bar is a button that narrows the window to its time. */
export function LineHistogram({ counts, step, since, until, searched, onChoose }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(960);
  // Measured before the first painting: bars for a guessed width would be too narrow for a finger until then.
  useLayoutEffect(() => {
    const bars = place.current!;
    const measure = () => setWidth(bars.clientWidth);
    measure();
    const measured = new ResizeObserver(measure);
    measured.observe(bars);
    return () => measured.disconnect();
  }, []);
  const { bars, length } = joined(counts, step, since, until, Math.max(1, Math.floor(width / NARROWEST)));
  const most = Math.max(1, ...bars.map((of) => of.lines));
  const known = searched === null ? since : Date.parse(searched) / 1000;
  const every = Math.max(1, Math.ceil((TIME_WIDTH * bars.length) / width));
  return (
    <div class="histogram" role="group" aria-label="Matching lines over time">
      <p class="soft most">at most {count(most)} in {length >= 60 ? `${count(length / 60)} min` : `${length} s`}</p>
      <div class="bars" ref={place}>
        {bars.map((of) => {
          const isUnknown = of.lines === 0 && of.t + length <= known;
          const text = isUnknown ? `${localTime(of.t)}: not searched` : `${localTime(of.t)}: ${count(of.lines)} lines, ${count(of.faults)} warnings or errors`;
          const share = { height: `${(100 * of.lines) / most}%` };
          return (
            <button type="button" key={of.t} class={isUnknown ? "unknown" : undefined} title={text} aria-label={text} disabled={of.lines === 0} onClick={() => onChoose(of.t, of.t + length)}>
              {of.lines > 0 && (
                <span class="all" style={share}>
                  <span class="bad" style={{ height: `${(100 * of.faults) / of.lines}%` }} />
                </span>
              )}
            </button>
          );
        })}
      </div>
      <div class="times" aria-hidden="true">
        {bars
          // A time at the right end would be cut off.
          .filter((_, at) => at % every === 0 && at <= bars.length * 0.9)
          .map((of, at) => (
            <span key={of.t} style={{ left: `${(100 * at * every) / bars.length}%` }}>
              {minuteTime(of.t)}
            </span>
          ))}
      </div>
    </div>
  );
}

/** Joins steps so that there are at most `most` bars from `since` to `until`. A count outside of the window widens it. */
function joined(counts: LogCount[], step: number, since: number, until: number, most: number): { bars: LogCount[]; length: number } {
  // Steps begin at multiples of their length, as those of the counts do.
  const first = Math.floor(Math.min(since, counts[0]?.t ?? since) / step) * step;
  const end = Math.max(until, (counts.at(-1)?.t ?? 0) + step, first + step);
  const length = step * Math.max(1, Math.ceil((end - first) / step / most));
  const bars = Array.from({ length: Math.ceil((end - first) / length) }, (_, at) => ({ t: first + at * length, lines: 0, faults: 0 }));
  for (const of of counts) {
    const bar = bars[Math.floor((of.t - first) / length)];
    if (bar === undefined) continue;
    bar.lines += of.lines;
    bar.faults += of.faults;
  }
  return { bars, length };
}
