// Parameters of a query string. The mock refuses the same ones as the node, so that the page cannot rely on leniency.

import { now } from "./data/clock.mjs";

const LEVELS = ["debug", "info", "warning", "error"];
const UNITS = { m: 60, h: 3600, d: 86_400 };

/** A request that is refused, with its status. */
export class Refused extends Error {
  constructor(status, error, message) {
    super(message);
    this.status = status;
    this.error = error;
  }
}

export const badRequest = (message) => new Refused(400, "bad_request", message);

/** Refuses unknown and repeated names. A name with a dot must begin with `family`. */
export function check(query, names, family = null) {
  const seen = new Set();
  for (const name of query.keys()) {
    const isMember = family !== null && name.startsWith(`${family}.`) && name.length > family.length + 1;
    if (!names.includes(name) && !isMember) throw badRequest(`\`${name}\` is not a parameter of this request`);
    if (seen.has(name)) throw badRequest(`\`${name}\` is given twice`);
    seen.add(name);
  }
}

export function bounds(query) {
  const since = time(query, "since");
  const until = time(query, "until");
  if (since !== null && until !== null && since >= until) throw badRequest("`since` is not before `until`");
  return { since, until };
}

/** Returns the window, which is the last hour if nothing is told. */
export function window(query) {
  const { since, until } = bounds(query);
  const end = until ?? now() + 1;
  return { since: since ?? end - 3600, until: end };
}

export function flag(query, name) {
  const value = query.get(name) ?? "false";
  if (value !== "true" && value !== "false") throw badRequest(`\`${name}\` is \`${value}\`; give true or false`);
  return value === "true";
}

export function number(query, name, usual, most) {
  const value = query.get(name);
  if (value === null) return usual;
  if (!/^\d+$/.test(value) || Number(value) < 1 || Number(value) > most) throw badRequest(`\`${name}\` is \`${value}\`; give a number from 1 to ${most}`);
  return Number(value);
}

export function milliseconds(query, name) {
  const value = query.get(name);
  if (value === null) return 0;
  if (value.trim() === "" || !(Number(value) >= 0)) throw badRequest(`\`${name}\` is \`${value}\`; give a number of milliseconds`);
  return Number(value);
}

export function instant(query, name) {
  const value = query.get(name);
  if (value !== null && !isInstant(value)) throw badRequest(`\`${name}\` is \`${value}\`; give an instant such as 2026-01-31T12:00:00Z`);
  return value;
}

/** Returns an ID, or its beginning and end with `…` between. */
export function partOfId(query) {
  const value = query.get("id");
  if (value && !/^[0-9A-Za-z.:_-]*(…[0-9A-Za-z.:_-]*)?$/.test(value)) throw badRequest(`\`id\` is \`${value}\`, which is no part of an ID`);
  return value;
}

/** Returns the filters of lines. */
export function filter(query) {
  const level = query.get("level");
  if (level && !LEVELS.includes(level)) throw badRequest(`\`level\` is \`${level}\`; give one of ${LEVELS.join(", ")}`);
  const trace = query.get("trace");
  if (trace && !/^[0-9A-Za-z.:_-]{4,128}$/.test(trace)) throw badRequest(`\`${trace}\` is not an ID`);
  const fields = [...query].filter(([name]) => name.startsWith("field.")).map(([name, value]) => [name.slice("field.".length), value]);
  return { level, logger: query.get("logger"), text: query.get("text"), trace, fields };
}

function time(query, name) {
  const value = query.get(name);
  if (value === null) return null;
  const before = /^(\d+)([mhd])$/.exec(value);
  if (before) return now() - Number(before[1]) * UNITS[before[2]];
  if (!isInstant(value)) throw badRequest(`\`${name}\` is \`${value}\`; give an instant such as 2026-01-31T12:00:00Z, or a time before now such as 15m, 24h or 14d`);
  return Math.floor(Date.parse(value) / 1000);
}

function isInstant(value) {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(value) && !Number.isNaN(Date.parse(value));
}
