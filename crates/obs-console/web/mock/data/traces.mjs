import { iso } from "./clock.mjs";
import { CONTROL, LONG, MARKUP, QUOTES, TURNED } from "./hostile.mjs";
import { line } from "./logs.mjs";
import { TRACE_STEP, TRACES_BEFORE } from "./world.mjs";

/** @typedef {import("./world.mjs").World} World */
/** @typedef {import("../../src/api").TraceSummary} Summary */
/** @typedef {import("../../src/api").Span} Span */

const NAMES = ["llm.chat", "rag.query", "web:GET /items/{id}", MARKUP, TURNED, LONG];

const CAUSE = "connect http://127.0.0.1:11434: connection refused";

/** Spans of a trace that has the most of them. */
const MANY = 128;

/**
 * @param {World} world
 * @param {number} at
 * @returns {Summary}
 */
function summary(world, at) {
  const failed = at % 9 === 4;
  return {
    trace_id: world.idOf(at),
    capability: NAMES[at % 11 > 5 ? 0 : at % 6] ?? "",
    started_at: iso(world.beginOf(at)),
    duration_ms: 12.345 + ((at * 97) % 900),
    status: failed ? "partition" : at % 13 === 6 ? "cancelled" : "ok",
    spans: spansOf(at).length,
    cause: failed ? CAUSE : null,
    before_restart: at < TRACES_BEFORE / 3,
  };
}

/**
 * @param {World} world
 * @param {{ capability: string | null, status: string | null, minMs: number, id: string | null, since: number | null, until: number | null, slowest: boolean, active: boolean, n: number }} query
 * @returns {import("../../src/api").Traces}
 */
export function traces(world, query) {
  const { capability, status, minMs, id, since, until, slowest, active, n } = query;
  const kept = world.traces;
  let all = [...Array(kept).keys()].reverse().map((at) => summary(world, at));
  if (active) all = all.slice(0, 3).map((trace) => ({ ...trace, status: "active", cause: null, duration_ms: TRACE_STEP * 1000 }));
  const begin = (/** @type {Summary} */ trace) => Date.parse(trace.started_at) / 1000;
  const [head = "", tail = ""] = (id ?? "").toUpperCase().split("…");
  const found = all.filter(
    (trace) =>
      (!capability || trace.capability === capability) &&
      (!status || active || trace.status === status || (status === "failed" && trace.cause !== null)) &&
      trace.duration_ms >= minMs &&
      (!id || (trace.trace_id.startsWith(head) && trace.trace_id.endsWith(tail)) || (tail === "" && trace.trace_id.endsWith(head))) &&
      (since === null || begin(trace) >= since) &&
      (until === null || begin(trace) < until),
  );
  if (slowest) found.sort((one, other) => other.duration_ms - one.duration_ms);
  return { traces: found.slice(0, n), kept, oldest: kept === 0 ? null : iso(world.beginOf(0)) };
}

/**
 * Returns a trace, also of an ID that no list has.
 * @param {World} world
 * @param {string} id
 * @param {boolean} peers
 * @returns {import("../../src/api").TraceDetail}
 */
export function trace(world, id, peers) {
  const found = [...Array(world.traces).keys()].find((at) => world.idOf(at) === id) ?? 4;
  const { capability, started_at, duration_ms, status } = summary(world, found);
  /** @type {import("../../src/api").TracePart[]} */
  const parts = [
    {
      node: "ada",
      missing: null,
      offset_ms: 0,
      clock_correction_ms: 0,
      trace: {
        capability,
        started_at,
        duration_ms,
        status,
        span_id: "r0",
        parent_span_id: null,
        fields: { from: "bob", peer: "192.168.1.12:50412", error: `connect <b>http</b> refused ${MARKUP}`, [QUOTES]: CONTROL, __proto__x: { deep: [1, { more: null }] } },
        spans: spansOf(found).map((span) => ({ ...span, offset_ms: span.offset_ms * duration_ms, duration_ms: span.duration_ms * duration_ms })),
        dropped_spans: found % 4 === 2 ? 3 : 0,
      },
    },
  ];
  if (peers) parts.push(...partsOfPeers(started_at, duration_ms));
  const begin = Math.floor(world.beginOf(found));
  const log = [...Array(TRACE_STEP).keys()].map((second) => line(world, begin + second, begin + second));
  return { trace_id: id, parts, lines: TRACE_STEP, lines_cut_off: found % 4 === 2, log };
}

/**
 * Spans of a trace by its number. Times are parts of the whole.
 * @param {number} at
 * @returns {Span[]}
 */
function spansOf(at) {
  switch (at % 4) {
    case 1:
      return [];
    case 2:
      return [...Array(MANY).keys()].map((depth) => span(`step ${depth}`, `d${depth}`, depth === 0 ? "r0" : `d${depth - 1}`, depth / 300, 1 - depth / 150));
    case 3:
      return [
        span("of itself", "c1", "c1", 0.1, 0.2),
        span("circle", "c2", "c3", 0.1, 0.5),
        span("circle", "c3", "c2", 0.2, 0.3),
        span("twice", "c4", null, 0.3, 0),
        span("twice", "c4", "no-such-span", -0.2, 1.5),
      ];
    default:
      return [
        span("route", "a1", "r0", 0.0002, 0.0005, "ok", { to: "eve" }),
        span("prompt", "a2", "r0", 0.001, 0.14, "ok", { tokens: 812 }),
        span("embed", "a3", "a2", 0.004, 0.09, "ok", { model: TURNED }),
        span("search", "a4", "a2", 0.1, 0.03, "cancelled", { k: 8, query: MARKUP }),
        span("forward", "a5", "r0", 0.16, 0.83, "partition", { "server.address": "192.168.1.20:7080", note: LONG, cause: CAUSE }),
      ];
  }
}

/** @returns {Span} */
function span(/** @type {string} */ name, /** @type {string} */ span_id, /** @type {string | null} */ parent_span_id, /** @type {number} */ offset_ms, /** @type {number} */ duration_ms, status = "ok", fields = {}) {
  return { name, span_id, parent_span_id, offset_ms, duration_ms, status, fields };
}

/** @returns {import("../../src/api").TracePart[]} */
function partsOfPeers(/** @type {string} */ started_at, /** @type {number} */ whole) {
  return [
    {
      node: "eve",
      missing: null,
      offset_ms: whole * 0.18,
      clock_correction_ms: -418,
      trace: {
        capability: "llm.chat",
        started_at,
        duration_ms: whole * 0.8,
        status: "partition",
        span_id: "e0",
        parent_span_id: "a5",
        fields: {},
        spans: [span("queue", "e1", "e0", whole * 0.001, whole * 0.07), span("llm.http", "e2", "e0", whole * 0.07, whole * 0.7, "partition", { error: "connection refused" })],
        dropped_spans: 0,
      },
    },
    { node: MARKUP, trace: null, missing: `connection refused ${MARKUP}`, offset_ms: 0, clock_correction_ms: 0 },
  ];
}
