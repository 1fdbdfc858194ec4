import { iso } from "./clock.mjs";
import { MARKUP } from "./hostile.mjs";

/**
 * @param {import("./world.mjs").World} world
 * @returns {import("../../src/api").Doctor}
 */
export function doctor(world) {
  if (world.doctorRanAt === null) return { ran_at: null, ok: true, summary: { pass: 0, warn: 0, fail: 0, skip: 0, error: 0 }, checks: [] };
  return { ran_at: iso(world.doctorRanAt), ok: false, summary: { pass: 2, warn: 1, fail: 1, skip: 1, error: 0 }, checks: CHECKS };
}

const CHECKS = [
  check("keys_present", "Identity", "pass", "~/.local/share/hearthnet/keys/device.ed25519, 0600"),
  check("keys_loadable", "Identity", "pass", `Ed25519, node ${MARKUP}`),
  check("llm_backend_reachable", "Models", "fail", "connect http://127.0.0.1:11434: connection refused", "start the model server: ollama serve"),
  check("disk_space", "Machine", "warn", "6 % free", `remove old blobs ${MARKUP}`),
  { ...check("internet", "Machine", "skip", ""), skip_reason: "doctor_remote is off", caused_by: "llm_backend_reachable" },
];

/** @returns {import("../../src/api").Check} */
function check(/** @type {string} */ name, /** @type {string} */ category, /** @type {string} */ status, /** @type {string} */ detail, /** @type {string | null} */ fix = null) {
  return { name, category, status, detail, fix, skip_reason: null, caused_by: null, evidence: { mode: "0600", owner: MARKUP }, duration_ms: 1.2 };
}
