import { iso, now } from "./clock.mjs";
import { LONG, MARKUP } from "./hostile.mjs";

/**
 * @param {import("./world.mjs").World} world
 * @returns {import("../../src/api").Peers}
 */
export function peers(world) {
  if (world.isEmpty) return { peers: [], none_because: "Discovery is off." };
  const peer = (/** @type {string} */ name, /** @type {string} */ host, /** @type {boolean} */ up, extra = {}) => ({
    id: `ed25519:${name}`,
    name,
    address: `http://${host}:7080`,
    up,
    since: iso(now() - 840),
    latency_ms: up ? 4.2 : null,
    version: up ? "0.2.0" : null,
    calls: 120,
    errors: up ? 0 : 12,
    last_error: null,
    problems_open: up ? 0 : null,
    ...extra,
  });
  return {
    peers: [
      peer("bob", "192.168.1.12", true),
      peer("eve", "192.168.1.20", true, { problems_open: 3, latency_ms: 11, version: MARKUP }),
      peer(MARKUP, "192.168.1.66", false, { last_error: `connection refused ${MARKUP}` }),
      peer(LONG, "192.168.1.67", false, { id: null, since: null, calls: 0, errors: 0 }),
    ],
    none_because: null,
  };
}
