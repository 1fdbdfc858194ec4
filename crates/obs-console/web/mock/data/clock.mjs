// Times of the made-up data.

export const now = () => Math.floor(Date.now() / 1000);

/** @param {number} seconds */
export const iso = (seconds) => new Date(seconds * 1000).toISOString();

/**
 * Number that goes up and down over time. It is the same for the same step, so that a test sees the same each time.
 * @param {number} step
 * @param {number} size
 */
export const wave = (step, size) => Math.round(size * (1 + Math.sin(step / 5) * 0.6 + Math.sin(step / 1.7) * 0.3));
