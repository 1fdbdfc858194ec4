import { now, wave } from "./clock.mjs";
import { LONG, MARKUP, QUOTES, TURNED } from "./hostile.mjs";

/** Points of a family over a window. */
const POINTS = 120;

/**
 * @param {import("./world.mjs").World} world
 * @returns {import("../../src/api").Families}
 */
export function families(world) {
  if (world.isEmpty) return { families: [] };
  const counter = (/** @type {string} */ name, /** @type {string} */ help, /** @type {[Record<string, string>, number][]} */ values, leftOut = 0, inHistory = true) => ({
    name,
    kind: "counter",
    help,
    samples: values.map(([labels, value]) => ({ labels, value, quantiles: null, exemplar: null })),
    left_out: leftOut,
    in_history: inHistory,
  });
  const calls = 1204 + (now() % 1000);
  return {
    families: [
      counter("hearthnet_requests_total", "Calls by capability and result.", [
        [{ capability: "llm.chat", result: "ok" }, calls],
        [{ capability: MARKUP, result: "partition" }, 37],
        [{ capability: TURNED, result: QUOTES }, 1],
        [{ capability: LONG, result: "ok" }, 2 ** 53],
      ], 12),
      {
        name: "hearthnet_request_duration_seconds",
        kind: "histogram",
        help: "Duration of a call.",
        samples: [
          { labels: { capability: "llm.chat" }, value: 1024.5, quantiles: { count: calls, p50: 0.84, p95: 3.2, p99: 12.01 }, exemplar: { trace_id: world.idOf(7), value: 12.3 } },
          { labels: { capability: "slow.start" }, value: 0, quantiles: { count: 0, p50: null, p95: null, p99: null }, exemplar: null },
        ],
        left_out: 0,
        in_history: true,
      },
      { name: "process_resident_memory_bytes", kind: "gauge", help: "Resident memory in bytes.", samples: [{ labels: {}, value: 26_700_000 + (now() % 7) * 4096, quantiles: null, exemplar: null }], left_out: 0, in_history: true },
      counter("third_party_things_total", `Help with ${MARKUP} and ${QUOTES}`, [[{}, 3]], 0, false),
      counter("third_party_idle_total", "A family without a series.", [], 0, false),
      ...[...Array(60).keys()].map((at) => counter(`third_party_number_${at}_total`, "One of many.", [[{ kind: "a" }, at * 1000.5]], 0, false)),
    ],
  };
}

/**
 * @param {string} family
 * @param {number} since
 * @param {number} until
 * @returns {import("../../src/api").Series}
 */
export function series(family, since, until) {
  const step = Math.max(60, Math.ceil((until - since) / POINTS / 60) * 60);
  const points = [];
  for (let t = since; t < until; t += step) {
    points.push({ t, value: wave(t / step, 20), quantiles: family.includes("duration") ? { count: 20, p50: 0.8, p95: 2 + (t % 3), p99: 9 } : null });
  }
  return { window: { since, until }, step_seconds: step, points };
}
