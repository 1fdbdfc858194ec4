// Serves the built page and an API of made-up data, with the headers of the node. `node mock/server.mjs [PORT]`.
// RATE is the number of log lines a second, LOGIN=1 asks for the token, EMPTY=1 shows a node on which nothing has happened.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";

import { answer } from "./api.mjs";
import { World } from "./data/world.mjs";
import { Sessions } from "./sessions.mjs";

const PAGE = new URL("../../page/", import.meta.url);
const TYPES = { html: "text/html; charset=utf-8", js: "text/javascript", css: "text/css" };
const TOKEN = "0123456789abcdef".repeat(4);

/** Headers of every response, as of `src/server/headers.rs`. */
const HEADERS = {
  "Content-Security-Policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cache-Control": "no-store",
};

/**
 * Starts a node. Its `state` can be changed while it runs: `rate` is the number of log lines a second, `login` asks for the token, as
 * a node in `lan` does, `down` cuts every connection, and `refusal` is what each request to the API is answered with.
 */
export async function start({ port = 0, rate = 5, login = false, isEmpty = false } = {}) {
  const node = { state: { rate, login, down: false, refusal: null }, world: new World({ isEmpty }), sessions: new Sessions(TOKEN) };
  const server = createServer((request, response) => {
    if (node.state.down) return request.socket.destroy();
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    respond(request, response, node).catch((error) => {
      process.stderr.write(`${error.stack}\n`);
      if (!response.headersSent) response.writeHead(500).end();
    });
  });
  await new Promise((listening) => server.listen(port, "127.0.0.1", listening));
  return {
    url: `http://127.0.0.1:${server.address().port}/console/`,
    state: node.state,
    token: TOKEN,
    /** Ends all connections, also those of tails. */
    cut: () => server.closeAllConnections(),
    close: () => {
      server.closeAllConnections();
      return new Promise((closed) => server.close(closed));
    },
  };
}

async function respond(request, response, node) {
  const { pathname, searchParams } = new URL(request.url, "http://mock");
  if (!pathname.startsWith("/console/")) return response.writeHead(302, { Location: "/console/" }).end();
  const path = pathname.slice("/console/".length);
  if (path.startsWith("api/v1/")) return answer(request, response, path.slice("api/v1/".length), searchParams, node);
  const file = path === "" ? "index.html" : path;
  if (!/^(index\.html|assets\/[\w.-]+)$/.test(file)) return response.writeHead(404).end();
  const bytes = await readFile(new URL(file, PAGE)).catch(() => null);
  if (bytes === null) return response.writeHead(404).end();
  response.writeHead(200, { "Content-Type": TYPES[file.split(".").pop()] ?? "application/octet-stream" }).end(bytes);
}

if (import.meta.url === `file://${process.argv[1]}`) {
  const { RATE = "5", LOGIN, EMPTY } = process.env;
  const { url, token } = await start({ port: Number(process.argv[2] ?? 7999), rate: Number(RATE), login: LOGIN === "1", isEmpty: EMPTY === "1" });
  process.stdout.write(`${url}\ntoken ${token}\n`);
}
