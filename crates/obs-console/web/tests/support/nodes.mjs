// Nodes of the program that HEARTHNET names, and a language model that they ask.

import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createServer as createSocket } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

/** The program, if there is one. */
export const PROGRAM = process.env.HEARTHNET && resolve(process.env.HEARTHNET);

/** Reason to skip a test of real nodes. */
export const needsProgram = PROGRAM ? false : "HEARTHNET names no program";

/** Longest wait for a node. */
const PATIENCE_MS = 45_000;

/** Returns a port that nothing listens on. */
export async function freePort() {
  const server = createSocket();
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address();
  await new Promise((closed) => server.close(closed));
  return port;
}

/** Waits until `find` returns something. Fails with `what` after `PATIENCE_MS`. */
export async function until(what, find) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await find().catch(() => null);
    if (found) return found;
    if (Date.now() > end) throw new Error(`${what}: not within ${PATIENCE_MS / 1000} s`);
    await new Promise((later) => setTimeout(later, 50));
  }
}

/** A home of the program. `config` is the text of its settings. */
export class Home {
  static async make(config) {
    const home = new Home();
    home.path = await mkdtemp(join(tmpdir(), "hearthnet-page-"));
    await mkdir(join(home.path, "config/hearthnet"), { recursive: true });
    await writeFile(join(home.path, "config/hearthnet/config.toml"), config);
    return home;
  }

  spawn(args) {
    const { path } = this;
    const env = { ...process.env, HOME: path, XDG_CONFIG_HOME: join(path, "config"), XDG_STATE_HOME: join(path, "state"), XDG_DATA_HOME: join(path, "data") };
    return spawn(PROGRAM, args, { env, cwd: path, stdio: ["ignore", "pipe", "pipe"] });
  }

  /** Runs a command to its end and returns what it prints. */
  async run(args) {
    const child = this.spawn(args);
    let text = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes) => (text += bytes));
    const code = await new Promise((ended) => child.on("close", ended));
    if (code !== 0) throw new Error(`hearthnet ${args.join(" ")}: ${code}\n${text}`);
    return text;
  }

  /** Starts a command that runs on, and waits for the address of its console. */
  async serve(args, address) {
    const child = this.spawn(args);
    let text = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes) => (text = (text + bytes).slice(-8192)));
    this.child = child;
    child.on("close", () => (this.child = null));
    this.url = await until(`hearthnet ${args.join(" ")}`, async () => {
      if (this.child === null) throw new Error(text);
      return address(text);
    });
  }

  /** Returns the path of the newest day file of the log. */
  async dayFile() {
    const folder = join(this.path, "state/hearthnet/log");
    const days = (await readdir(folder)).filter((name) => /^\d{4}-\d\d-\d\d\.log$/.test(name)).sort();
    return join(folder, days.at(-1));
  }

  async lines() {
    return (await readFile(await this.dayFile(), "utf8")).trimEnd().split("\n");
  }

  async end() {
    const { child } = this;
    if (child) {
      const ended = new Promise((closed) => child.on("close", closed));
      child.kill("SIGKILL");
      await ended;
    }
    await rm(this.path, { recursive: true, force: true });
  }
}

/** Starts a node. Its `base` is the address of its API, and `url` that of its console. */
export async function startNode(name, port, { peers = [], more = "" } = {}) {
  const home = await Home.make(`identity = { display_name = "${name}" }
transport = { host = "127.0.0.1", port = ${port}, rate_limit_soft_rps = 0, rate_limit_hard_rps = 0 }
emergency = { probe_targets = [] }
discovery = { static_peers = [${peers.map((peer) => `"http://127.0.0.1:${peer}"`).join(", ")}] }
${more}
`);
  home.base = `http://127.0.0.1:${port}`;
  await home.serve(["run"], async () => (await fetch(`${home.base}/health`)) && `${home.base}/console/`);
  return home;
}

/** Calls a capability of a node, and returns the ID of the trace. */
export async function call(home, capability, text) {
  const input = capability === "llm.chat" ? { messages: [{ role: "user", content: text }] } : { text };
  const response = await fetch(`${home.base}/bus/v1/call`, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-HearthNet-Capability": capability },
    body: JSON.stringify({ input }),
  });
  await response.arrayBuffer();
  return response.headers.get("x-hearthnet-request-id");
}

/**
 * Starts a language model. The word SLOW in a question makes its answer late, FAIL makes it an error, and with CHAIN the model calls
 * the node of `next` as a part of the same trace.
 */
export async function startModel(port, next) {
  const server = createServer(async (request, response) => {
    let text = "";
    for await (const part of request) text += part;
    if (text.includes("FAIL")) return response.writeHead(500).end();
    if (text.includes("SLOW")) await new Promise((later) => setTimeout(later, 400));
    if (text.includes("CHAIN")) {
      const headers = { "Content-Type": "application/json", "X-HearthNet-Capability": "experimental.echo", traceparent: request.headers.traceparent };
      await fetch(`http://127.0.0.1:${next}/bus/v1/call`, { method: "POST", headers, body: JSON.stringify({ input: { text: "from the model" } }) }).catch(() => null);
      // The whole call takes so long that what a node does after its last byte is less than a pixel of the waterfall.
      await new Promise((later) => setTimeout(later, 200));
    }
    const answer = { id: "1", object: "chat.completion", model: "tiny", choices: [{ index: 0, message: { role: "assistant", content: "Ja." }, finish_reason: "stop" }] };
    response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(answer));
  });
  await new Promise((listening) => server.listen(port, "127.0.0.1", listening));
  return () => {
    server.closeAllConnections();
    server.close();
  };
}
