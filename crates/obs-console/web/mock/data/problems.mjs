import { iso, now } from "./clock.mjs";
import { LONG, MARKUP } from "./hostile.mjs";

/** IDs of the problems. */
const KNOWN = ["p1", "p2", "p3", "p4"];

/**
 * @param {import("./world.mjs").World} world
 * @returns {import("../../src/api").Problems}
 */
export function problems(world) {
  if (world.isEmpty) return { problems: [], ungrouped: 0 };
  const problem = (/** @type {string} */ id, /** @type {import("../../src/api").ProblemKind} */ kind, /** @type {string} */ place, /** @type {string} */ title, /** @type {number} */ count, /** @type {string | null} */ cause, /** @type {string | null} */ fix = null) => {
    const until = world.muted.get(id);
    /** @type {import("../../src/api").ProblemState} */
    const state = until !== undefined ? "muted" : kind === "check" ? "cleared" : "open";
    return {
      id, kind, place, title, cause, fix, count, state,
      first_seen: iso(now() - 7200),
      last_seen: iso(now() - 30),
      trace_id: kind === "check" ? null : world.idOf(4),
      muted_until: until === undefined ? null : iso(until),
    };
  };
  return {
    problems: [
      problem("p1", "trace", "llm.chat", "partition", 37, "connect http://127.0.0.1:11434: connection refused"),
      problem("p2", "line", "hearthnet.bus.peers", `peer … is silent ${MARKUP}`, 1, null),
      problem("p4", "panic", LONG, LONG, 1_000_000, MARKUP),
      problem("p3", "check", "disk_space", "low disk", 4, null, "remove old blobs"),
    ],
    ungrouped: 5,
  };
}

/**
 * Mutes a problem, or unmutes it. Returns whether there is one of this ID.
 * @param {import("./world.mjs").World} world
 * @param {string} id
 * @param {number | null} until
 */
export function mute(world, id, until) {
  if (!KNOWN.includes(id)) return false;
  if (until === null) world.muted.delete(id);
  else world.muted.set(id, until);
  return true;
}
