// Which capability is slow or failing, and since when, from the points of its chart.

import type { Point } from "./api";

/** Part of a window without a fault after which the next fault begins a new time of faults. */
const CALM = 1 / 6;

/** A step is slow when its p95 is this many times that of the usual steps. */
const SLOWER = 3;

/** Shortest p95 that is slow, in milliseconds. Less is noise. */
const LEAST_MS = 100;

/** Steps with calls that are needed to tell what is usual. */
const LEAST_STEPS = 4;

export interface Trouble {
  /** Begin of the first step, in seconds since 1970. */
  since: number;
  /** Whether the trouble may have begun before the window. */
  isOlder: boolean;
  /** End of the last step if the trouble is over. */
  until: number | null;
}

/** Returns the last time of failed calls in a window. */
export function failing(points: Point[], step: number, since: number, until: number): Trouble | null {
  return lastRun(points.filter((point) => point.errors > 0), step, since, until);
}

export interface Slowness extends Trouble {
  /** Usual p95 in milliseconds. */
  usual: number;
  /** Longest p95 of the slow steps in milliseconds. */
  worst: number;
}

/** Returns the last time in a window in which a capability was much slower than usual. */
export function slow(points: Point[], step: number, since: number, until: number): Slowness | null {
  const all = points.flatMap((point) => (point.p95_ms === null ? [] : [point.p95_ms])).sort((one, other) => one - other);
  if (all.length < LEAST_STEPS) return null;
  // The lower quarter is usual: a capability can be slow for most of a window.
  const usual = all[Math.floor(all.length / 4)]!;
  const found = points.filter((point) => point.p95_ms !== null && point.p95_ms >= Math.max(SLOWER * usual, LEAST_MS));
  const run = lastRun(found, step, since, until);
  if (run === null) return null;
  const worst = Math.max(...found.filter((point) => point.t >= run.since).map((point) => point.p95_ms ?? 0));
  return { ...run, usual, worst };
}

function lastRun(found: Point[], step: number, since: number, until: number): Trouble | null {
  const last = found.at(-1);
  if (last === undefined) return null;
  const calm = Math.max(step, (until - since) * CALM);
  let first = last;
  for (const point of [...found].reverse()) {
    if (first.t - point.t > calm + step) break;
    first = point;
  }
  return { since: first.t, isOlder: first.t < since + 2 * step, until: until - (last.t + step) > calm ? last.t + step : null };
}
