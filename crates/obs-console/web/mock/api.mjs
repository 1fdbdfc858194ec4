// Routes of the API.

import { now } from "./data/clock.mjs";
import { doctor } from "./data/doctor.mjs";
import { isMatch, line, logs } from "./data/logs.mjs";
import { families, series } from "./data/metrics.mjs";
import { overview } from "./data/overview.mjs";
import { peers } from "./data/peers.mjs";
import { mute, problems } from "./data/problems.mjs";
import { trace, traces } from "./data/traces.mjs";
import * as read from "./parameters.mjs";
import { Refused, badRequest } from "./parameters.mjs";

const FILTERS = ["level", "logger", "text", "trace"];
const LOG_NAMES = [...FILTERS, "since", "until", "n", "around"];
const TRACE_NAMES = ["capability", "status", "min_ms", "id", "since", "until", "sort", "active", "n"];

/** Lines of an event, time between events, and lines with which a tail begins, as of the node. */
const LINES = 500;
const PACE_MS = 250;
const FIRST = 200;

const unknown = (message) => new Refused(404, "not_found", message);

/** Answers a request to a path below `api/v1/`. */
export async function answer(request, response, path, query, node) {
  try {
    const isWrite = request.method !== "GET" && request.method !== "HEAD";
    if (isWrite && request.headers.origin !== `http://${request.headers.host}`) throw new Refused(403, "forbidden", "a write needs the header `Origin` of the console's page");
    const body = request.method === "POST" ? parsed(await text(request)) : {};
    if (request.method === "POST" && path === "session") return openSession(response, body, node);
    const own = node.sessions.of(request);
    if (node.state.login && own === null) throw new Refused(401, "unauthorized", "the token is missing");
    if (node.state.refusal) throw node.state.refusal;
    const [view, ...rest] = path.split("/").map(decodeURIComponent);
    const route = ROUTES[`${request.method} ${[view, ...rest.map((part) => (WORDS.includes(part) ? part : ":id"))].join("/")}`];
    if (!route) throw unknown("there is no such address");
    const id = rest.find((part) => !WORDS.includes(part));
    const value = await route({ query, id, body, node, world: node.world, own, request, response });
    if (value !== undefined) json(response, 200, value);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    json(response, error.status, { error: error.error, message: error.message });
  }
}

/** Parts of paths that are no IDs. */
const WORDS = ["tail", "download", "run", "mute"];

const ROUTES = {
  "GET overview": ({ query, world }) => {
    read.check(query, ["since", "until"]);
    const { since, until } = read.window(query);
    return overview(world, since, until);
  },
  "GET series": ({ query }) => {
    read.check(query, ["family", "since", "until"], "label");
    if (!query.get("family")) throw badRequest("`family` is needed");
    const { since, until } = read.window(query);
    return series(query.get("family"), since, until);
  },
  "GET traces": ({ query, world }) => {
    read.check(query, TRACE_NAMES);
    const sort = query.get("sort") ?? "newest";
    if (!["newest", "slowest"].includes(sort)) throw badRequest(`\`sort\` is \`${sort}\`; give one of newest, slowest`);
    return traces(world, {
      ...read.bounds(query),
      capability: query.get("capability"),
      status: query.get("status"),
      minMs: read.milliseconds(query, "min_ms"),
      id: read.partOfId(query),
      slowest: sort === "slowest",
      active: read.flag(query, "active"),
      n: read.number(query, "n", 100, 1000),
    });
  },
  "GET traces/:id": ({ query, world, id }) => {
    read.check(query, ["peers"]);
    if (id.startsWith("unknown")) throw unknown("no trace of this ID is kept");
    return trace(world, id, read.flag(query, "peers"));
  },
  "GET logs": ({ query, world }) => linesOf(world, query, read.number(query, "n", 200, 5000)),
  "GET logs/download": ({ query, world, response }) => {
    const lines = linesOf(world, query, Number.MAX_SAFE_INTEGER).lines;
    response.writeHead(200, { "Content-Type": "application/x-ndjson", "Content-Disposition": 'attachment; filename="hearthnet-log.jsonl"' });
    response.end(lines.map((one) => `${JSON.stringify(one)}\n`).join(""));
  },
  "GET logs/tail": tail,
  "GET metrics": ({ world }) => families(world),
  "GET doctor": ({ world }) => doctor(world),
  "POST doctor/run": ({ world }) => {
    world.doctorRanAt = now();
    return doctor(world);
  },
  "GET problems": ({ world }) => problems(world),
  "POST problems/:id/mute": ({ world, id, body, response }) => {
    const { until } = body;
    if (until !== null && !Number.isInteger(until)) throw badRequest("the body is not the JSON of this request");
    if (!mute(world, id, until)) throw unknown("there is no problem of this ID");
    response.writeHead(204).end();
  },
  "GET peers": ({ world }) => peers(world),
  "GET sessions": ({ node, own }) => node.sessions.list(own),
  "DELETE sessions/:id": ({ node, id, response }) => {
    if (!node.sessions.open.delete(id)) throw unknown("there is no session of this number");
    response.writeHead(204).end();
  },
};

function openSession(response, body, node) {
  if (body.token !== node.sessions.token) throw new Refused(401, "unauthorized", "this is not the token");
  const { session, cookie } = node.sessions.begin("127.0.0.1");
  response.setHeader("Set-Cookie", cookie);
  json(response, 200, session);
}

function linesOf(world, query, n) {
  read.check(query, LOG_NAMES, "field");
  return logs(world, read.filter(query), { ...read.window(query), around: read.instant(query, "around"), n });
}

/** Sends the last lines, and then lines as they are made. `shown` + `filtered` + `skipped` = `written`. */
function tail({ query, node, request, response }) {
  read.check(query, FILTERS, "field");
  const filter = read.filter(query);
  response.writeHead(200, { "Content-Type": "text/event-stream" });
  response.write("retry: 2000\n\n");
  const { last } = node.world;
  const matching = last.filter((made) => isMatch(filter, made));
  let written = last.length;
  if (written > 0) send({ lines: matching, skipped: 0, filtered: written - matching.length, written });
  let carry = 0;
  const timer = setInterval(() => {
    if (node.world.isEmpty) return response.write(": alive\n\n");
    carry += (node.state.rate * PACE_MS) / 1000;
    const count = Math.floor(carry);
    carry -= count;
    const event = { lines: [], skipped: 0, filtered: 0, written: (written += count) };
    for (let at = written - count; at < written; at += 1) {
      const made = line(node.world, at);
      last.push(made);
      if (!isMatch(filter, made)) event.filtered += 1;
      else if (event.lines.length < LINES) event.lines.push(made);
      else event.skipped += 1;
    }
    last.splice(0, last.length - FIRST);
    if (count > 0) send(event);
  }, PACE_MS);
  function send(event) {
    response.write(`event: lines\ndata: ${JSON.stringify(event)}\n\n`);
  }
  request.on("close", () => clearInterval(timer));
}

function json(response, status, value) {
  response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(value));
}

async function text(request) {
  let all = "";
  for await (const part of request) all += part;
  return all;
}

function parsed(body) {
  try {
    return body === "" ? {} : JSON.parse(body);
  } catch {
    throw badRequest("the body is not the JSON of this request");
  }
}
