// Steps of the slider for the end of a window: one for each quarter of an hour, and the last one for now.

const STEP_MS = 15 * 60_000;

/** Steps of 14 days. */
export const STEPS = (14 * 86_400_000) / STEP_MS;

/** Returns the step next after `now`. The steps of the slider are counted back from it. */
function last(now: number): number {
  return Math.ceil(now / STEP_MS);
}

/** Returns the end at a step, in RFC 3339. `null` is now. */
export function endOf(step: number, now: number): string | null {
  return step === 0 ? null : new Date((last(now) + step) * STEP_MS).toISOString();
}

/** Returns the step of an end, from `-STEPS` to 0. An end between two steps has the nearer one. */
export function stepOf(until: string | null, now: number): number {
  if (until === null) return 0;
  const step = Math.round(Date.parse(until) / STEP_MS) - last(now);
  return Math.min(0, Math.max(-STEPS, step));
}
