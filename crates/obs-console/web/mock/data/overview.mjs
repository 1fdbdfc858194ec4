import { iso, now, wave } from "./clock.mjs";
import { LONG, MARKUP, QUOTES, TURNED } from "./hostile.mjs";
import { problems } from "./problems.mjs";

/** Points of a chart, as of the node. */
const POINTS = 60;

/**
 * @param {import("./world.mjs").World} world
 * @param {number} since
 * @param {number} until
 * @returns {import("../../src/api").Overview}
 */
export function overview(world, since, until) {
  const step = Math.max(60, Math.ceil((until - since) / POINTS / 60) * 60);
  const restart = since + Math.floor((until - since) * 0.6);
  const open = problems(world).problems.filter((problem) => problem.state === "open").length;
  return {
    node: { id: "ed25519:JSjSB9BUb5d06F1kWbXbvSOwx5me1VVt9MDFba44jK4", name: "ada", version: "0.2.0", started_at: iso(restart), uptime_seconds: now() - restart },
    now: iso(now()),
    severity: world.isEmpty ? "well" : "attention",
    remarks: world.isEmpty ? [] : REMARKS,
    window: { since, until },
    step_seconds: step,
    capabilities: world.isEmpty ? [] : rows(since, until, step),
    gauges: gauges(since, until, step),
    runs: world.isEmpty
      ? [{ since, until, version: "0.2.0", ended: null }]
      : [
          { since: since - 100, until: restart - 20, version: "0.1.0", ended: "killed" },
          { since: restart, until, version: "0.2.0", ended: null },
        ],
    problems_open: open,
    history_missing: world.isEmpty ? "the history begins with the first whole minute" : null,
  };
}

/** @type {import("../../src/api").Remark[]} */
const REMARKS = [
  { severity: "attention", text: "llm.chat fails in 3.1 % of its calls: connect http://127.0.0.1:11434: connection refused", link: "traces?capability=llm.chat&status=failed" },
  { severity: "attention", text: `A peer is down: ${MARKUP}`, link: "neighbours" },
  { severity: "attention", text: "The log lost 12 lines in the run before", link: null },
];

/** @returns {import("../../src/api").Capability[]} */
function rows(/** @type {number} */ since, /** @type {number} */ until, /** @type {number} */ step) {
  const row = (/** @type {string} */ capability, /** @type {number} */ size, /** @type {number} */ errors, /** @type {import("../../src/api").CodeCount[]} */ codes) => {
    const all = points(since, until, step, size, errors);
    const sum = (/** @type {"calls" | "errors"} */ of) => all.reduce((total, point) => total + point[of], 0);
    const calls = sum("calls");
    return {
      capability,
      calls,
      errors: sum("errors"),
      codes,
      in_flight: size > 20 ? 2 : 0,
      rate: calls / (until - since),
      p50_ms: calls ? 12.4 : null,
      p95_ms: calls ? 90.1 : null,
      p99_ms: calls ? 12_043 : null,
      points: all,
    };
  };
  return [
    row("llm.chat", 40, 3, [{ code: "partition", calls: 17 }, { code: "timeout", calls: 2 }, { code: QUOTES, calls: 1 }]),
    row("rag.query", 25, 0, []),
    row("web:GET /items/{id}", 4, 1, [{ code: "http_5xx", calls: 2 }]),
    row(MARKUP, 2, 0, []),
    row(TURNED, 1, 0, []),
    row(LONG, 1, 0, []),
    // A capability whose calls all run still has no durations.
    { capability: "slow.start", calls: 0, errors: 0, codes: [], in_flight: 1, rate: 0, p50_ms: null, p95_ms: null, p99_ms: null, points: [] },
  ];
}

/** @returns {import("../../src/api").Point[]} */
function points(/** @type {number} */ since, /** @type {number} */ until, /** @type {number} */ step, /** @type {number} */ size, /** @type {number} */ errors) {
  const all = [];
  for (let t = since; t < until; t += step) {
    const calls = wave(t / step, size);
    if (calls === 0) continue;
    const isBad = errors > 0 && t >= until - (until - since) * 0.4;
    const failed = isBad && Math.floor(t / step) % 2 === 0 ? Math.min(errors, calls) : 0;
    all.push({ t, calls, errors: failed, p50_ms: 12 + (calls % 5), p95_ms: isBad ? 9000 + calls : 80 + calls, p99_ms: isBad ? 12_000 : 140 + 2 * calls });
  }
  return all;
}

/** @returns {import("../../src/api").Gauge[]} */
function gauges(/** @type {number} */ since, /** @type {number} */ until, /** @type {number} */ step) {
  const course = (/** @type {number} */ size, /** @type {number} */ unit) =>
    points(since, until, step, size, 0).map((point) => /** @type {[number, number]} */ ([point.t, point.calls * unit]));
  return [
    { title: "Memory", family: "process_resident_memory_bytes", unit: "bytes", value: 26_700_000, points: course(26, 1e6) },
    { title: "Processor", family: "process_cpu_seconds_total", unit: "percent", value: 3.2, points: course(3, 1) },
    { title: "Peers", family: "hearthnet_nodes_online", unit: "count", value: 2, points: course(1, 1) },
    { title: "Streams", family: "hearthnet_active_streams", unit: "count", value: 0, points: course(2, 1) },
    { title: "Disk free", family: "hearthnet_disk_free_bytes", unit: "bytes", value: 73e9, points: course(70, 1e9) },
    { title: "Emergency", family: "hearthnet_emergency_state", unit: "flag", value: 0, points: [] },
    { title: "Lost lines", family: "hearthnet_log_dropped_total", unit: "count", value: null, points: [] },
  ];
}
