// A chart over time, with a description for screen readers.

import { useEffect, useRef, useState } from "preact/hooks";

import type { Run } from "../api";
import { axisTimes, localTime } from "../format";
import { Time } from "../parts/time";
import type { Latest, Line, Plot } from "./plot";

interface Props {
  title: string;
  /** Times in seconds since 1970. */
  times: number[];
  lines: Line[];
  /** Writes a value with its unit. */
  form: (value: number) => string;
  since: number;
  until: number;
  /** Runs of the node. The boundary of two runs is marked as a restart. */
  runs?: Run[];
  height?: number;
}

type Data = [number[], ...(number | null)[][]];

/** Loads what draws charts. Most views have none, so it is not part of what the page loads first. */
export const loadPlot = () => import("./plot");

export function Chart({ title, times, lines, form, since, until, runs = [], height = 180 }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const shown = useRef<Plot | null>(null);
  const [isMissing, setMissing] = useState(false);
  const restarts = runs.slice(1).map((run) => run.since).filter((t) => t > since && t < until);
  const shape = JSON.stringify([title, lines.map((line) => [line.label, line.colour, line.bars]), height]);
  const data: Data = [times, ...lines.map((line) => line.values)];
  const latest = useRef<Latest>(null!);
  latest.current = { form, time: localTime, axis: axisTimes, restarts, since, until };
  const drawn = useRef<{ lines: Line[]; data: Data }>(null!);
  drawn.current = { lines, data };

  useEffect(() => {
    const element = place.current!;
    let isEnded = false;
    let draw = () => {};
    loadPlot().then(
      ({ Plot }) => {
        draw = () => {
          if (isEnded) return;
          shown.current?.end();
          shown.current = new Plot(element, height, drawn.current.lines, drawn.current.data, latest);
        };
        draw();
      },
      () => setMissing(true),
    );
    const resized = new ResizeObserver(() => shown.current?.resize(element.clientWidth, height));
    resized.observe(element);
    const scheme = window.matchMedia("(prefers-color-scheme: dark)");
    const changed = () => draw();
    scheme.addEventListener("change", changed);
    return () => {
      isEnded = true;
      resized.disconnect();
      scheme.removeEventListener("change", changed);
      shown.current?.end();
      shown.current = null;
    };
  }, [shape]);

  useEffect(() => {
    shown.current?.show(data, since, until);
  }, [JSON.stringify(data), since, until, restarts.join()]);

  return (
    <figure class="chart">
      <figcaption>{title}</figcaption>
      {isMissing && <p class="empty">The chart could not be loaded. Reload the page.</p>}
      {/* The place has its height before the chart is there, so that nothing moves when it comes. */}
      <div ref={place} class="plot" role="img" aria-label={description(title, lines, form, since, until)} />
      {restarts.length > 0 && (
        <p class="marks">
          Restarts:{" "}
          {restarts.map((t, at) => (
            <span key={t}>
              {at > 0 && ", "}
              <Time at={t} />
            </span>
          ))}
        </p>
      )}
    </figure>
  );
}

function description(title: string, lines: Line[], form: (value: number) => string, since: number, until: number): string {
  const parts = lines.map((line) => {
    const values = line.values.filter((value): value is number => value !== null);
    if (values.length === 0) return `${line.label}: no values`;
    return `${line.label}: from ${form(Math.min(...values))} to ${form(Math.max(...values))}, last ${form(values.at(-1)!)}`;
  });
  return `${title}, ${localTime(since)} to ${localTime(until)}. ${parts.join(". ")}`;
}
