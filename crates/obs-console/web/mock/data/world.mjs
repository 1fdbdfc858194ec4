// State of one mock node: what grows, and what a viewer has changed.

import { now } from "./clock.mjs";

const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** Seconds between two traces. */
export const TRACE_STEP = 3;

/** Traces that are kept at the start. The first of them are of the run before. */
export const TRACES_BEFORE = 60;

export class World {
  /** @param {{ isEmpty?: boolean }} [options] */
  constructor({ isEmpty = false } = {}) {
    this.isEmpty = isEmpty;
    this.startedAt = now();
    /** Ends of mutes by problem. @type {Map<string, number>} */
    this.muted = new Map();
    /** @type {number | null} */
    this.doctorRanAt = isEmpty ? null : this.startedAt - 40;
    /** The last lines of the log. @type {Record<string, unknown>[]} */
    this.last = [];
  }

  /** Number of traces so far. */
  get traces() {
    return this.isEmpty ? 0 : TRACES_BEFORE + Math.floor((now() - this.startedAt) / TRACE_STEP);
  }

  /**
   * Begin of a trace in seconds.
   * @param {number} at
   */
  beginOf(at) {
    return this.startedAt + (at - TRACES_BEFORE + 1) * TRACE_STEP;
  }

  /**
   * Number of the trace that runs at a second.
   * @param {number} second
   */
  traceAt(second) {
    return TRACES_BEFORE - 1 + Math.floor((second - this.startedAt) / TRACE_STEP);
  }

  /**
   * ID of a trace by its number. Two numbers never have the same.
   * @param {number} at
   */
  idOf(at) {
    const number = Math.max(0, at);
    const letter = (/** @type {number} */ place) => ALPHABET[(number * 7 + place * 13 + (number >> 2)) % 32];
    const end = [...Array(4).keys()].map((place) => ALPHABET[(number >> (5 * (3 - place))) % 32]).join("");
    return `01M8J1RH${[...Array(14).keys()].map(letter).join("")}${end}`;
  }
}
