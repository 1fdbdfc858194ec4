import { iso, now } from "./clock.mjs";
import { CONTROL, LONG, MARKUP, TURNED } from "./hostile.mjs";

/** @typedef {Record<string, unknown>} Line */
/** @typedef {{ level: string | null, logger: string | null, text: string | null, trace: string | null, fields: [string, string][] }} Filter */

const LEVELS = ["debug", "info", "warning", "error"];
const ORDER = ["info", "info", "info", "debug", "warning", "info", "error"];

/** Lines that a search reads at most. A longer window is cut off, as on the node. */
const SEARCHED = 20_000;

/** Bars of a histogram. */
const BARS = 60;

/** Age of the oldest line: nine days. */
const OLDEST = 9 * 86_400;

/**
 * @param {import("./world.mjs").World} world
 * @param {number} at
 * @param {number} [seconds]
 * @returns {Line}
 */
export function line(world, at, seconds = Date.now() / 1000) {
  const level = ORDER[at % ORDER.length];
  /** @type {Line} */
  const made = { ts: new Date(seconds * 1000).toISOString(), level, logger: at % 5 === 2 ? "hearthnet.bus.peers" : "hearthnet.bus.router", msg: message(at, level), trace_id: world.idOf(world.traceAt(Math.floor(seconds))), capability: "llm.chat", to: "7H4G-Y9KL", ms: at % 90 };
  if (level === "error") made["error"] = "connect http://127.0.0.1:11434: connection refused";
  if (at % 17 === 3) made[MARKUP] = { nested: [MARKUP] };
  return made;
}

/** @returns {string} */
function message(/** @type {number} */ at, /** @type {string | undefined} */ level) {
  if (at % 17 === 3) return MARKUP;
  if (at % 23 === 5) return TURNED;
  if (at % 29 === 6) return CONTROL;
  if (at % 31 === 7) return LONG;
  return level === "error" ? "forwarding failed" : "routed";
}

/**
 * @param {Filter} filter
 * @param {Line} made
 */
export function isMatch({ level, logger, text, trace, fields }, made) {
  const own = String(made["logger"]);
  return (
    (!level || LEVELS.indexOf(String(made["level"])) >= LEVELS.indexOf(level)) &&
    (!logger || own === logger || own.startsWith(`${logger}.`)) &&
    (!text || JSON.stringify(made).toLowerCase().includes(text.toLowerCase())) &&
    (!trace || made["trace_id"] === trace) &&
    fields.every(([name, value]) => String(made[name]) === value)
  );
}

/**
 * @param {import("./world.mjs").World} world
 * @param {Filter} filter
 * @param {{ since: number, until: number, around: string | null, n: number }} query
 * @returns {import("../../src/api").LogLines}
 */
export function logs(world, filter, { since, until, around, n }) {
  if (world.isEmpty) return { lines: [], counts: [], step_seconds: 60, matched: 0, searched_since: null, oldest: null };
  const oldest = now() - OLDEST;
  if (around !== null) return aroundOf(world, Math.floor(Date.parse(around) / 1000), n, oldest);
  const end = Math.min(until, now());
  const begin = Math.max(since, end - SEARCHED, oldest);
  const step = Math.max(1, Math.ceil((end - begin) / BARS));
  const lines = [];
  const counts = new Map();
  for (let second = begin; second < end; second += 1) {
    const made = line(world, second, second);
    if (!isMatch(filter, made)) continue;
    lines.push(made);
    const t = second - (second % step);
    const bar = counts.get(t) ?? { t, lines: 0, faults: 0 };
    bar.lines += 1;
    bar.faults += made["level"] === "warning" || made["level"] === "error" ? 1 : 0;
    counts.set(t, bar);
  }
  return { lines: lines.slice(-n), counts: [...counts.values()], step_seconds: step, matched: lines.length, searched_since: iso(begin), oldest: iso(oldest) };
}

/** @returns {import("../../src/api").LogLines} */
function aroundOf(/** @type {import("./world.mjs").World} */ world, /** @type {number} */ at, /** @type {number} */ n, /** @type {number} */ oldest) {
  const lines = [];
  for (let second = Math.max(oldest, at - Math.floor(n / 2)); lines.length < n && second <= now(); second += 1) lines.push(line(world, second, second));
  return { lines, counts: [], step_seconds: 1, matched: lines.length, searched_since: null, oldest: iso(oldest) };
}
