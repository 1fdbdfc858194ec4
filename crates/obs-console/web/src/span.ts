// The window of time that a view shows: its length, and its end if that is not now.

export const LENGTHS: [string, string, number][] = [
  ["15m", "15 min", 900],
  ["1h", "1 h", 3600],
  ["6h", "6 h", 6 * 3600],
  ["24h", "24 h", 24 * 3600],
  ["7d", "7 d", 7 * 24 * 3600],
  ["14d", "14 d", 14 * 24 * 3600],
];

export interface TimeSpan {
  length: string;
  seconds: number;
  /** End in RFC 3339, or `null` for now. */
  until: string | null;
}

export function spanOf(params: URLSearchParams, usual = "1h"): TimeSpan {
  const wanted = params.get("span") ?? usual;
  const [length, , seconds] = LENGTHS.find(([name]) => name === wanted) ?? LENGTHS[1]!;
  const until = params.get("until");
  const isTime = until !== null && !Number.isNaN(Date.parse(until));
  return { length, seconds, until: isTime ? until : null };
}

/** Returns the parameters of the API for a window. */
export function apiWindow(span: TimeSpan): { since: string; until: string | null } {
  if (span.until === null) return { since: span.length, until: null };
  const end = Date.parse(span.until);
  return { since: new Date(end - span.seconds * 1000).toISOString(), until: new Date(end).toISOString() };
}

/** Returns the parameters of the page's address for the same window. */
export function pageWindow(span: TimeSpan): { span: string; until: string | null } {
  return { span: span.length, until: span.until };
}
