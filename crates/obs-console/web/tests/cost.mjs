// Cost of the console: `HEARTHNET=target/release/hearthnet npm run cost`. It prints a table and compares nothing with a limit.
//
// A node gets two weeks of history with ten capabilities, and 10 000 traces. Then it answers the console, is called with and
// without ten viewers, and rests with and without the console.

import { spawnSync } from "node:child_process";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";

import { launch, open, shown } from "./support/browser.mjs";
import { Home, call, freePort, startNode, until } from "./support/nodes.mjs";

const TRACES = 10_000;
const CALLS = Number(process.env.CALLS ?? 15_000);
const ROUNDS = Number(process.env.ROUNDS ?? 7);
const REST_SECONDS = Number(process.env.REST_SECONDS ?? 60);

/** Copies what a node counted of one capability into each minute of two weeks, for ten capabilities, and sums up the hours as a node does. */
const TWO_WEEKS = `
import json, sqlite3, sys, time
db = sqlite3.connect(sys.argv[1])
now, minutes = int(time.time()) // 60, 14 * 1440
run = db.execute("SELECT max(run) FROM runs").fetchone()[0]
db.execute("UPDATE runs SET first_minute = ?, started_at = ? WHERE run = ?", (now - minutes, (now - minutes) * 60, run))
series = {number: (family, json.loads(labels)) for number, family, labels in db.execute("SELECT series, family, labels FROM series")}
next_series, ids = max(series) + 1, {}
for table in ("counters", "histograms"):
    columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
    for row in db.execute(f"SELECT * FROM {table}").fetchall():
        row = dict(zip(columns, row))
        family, labels = series[row["series"]]
        if "experimental.echo" not in labels.values():
            continue
        for capability in range(10):
            own = {key: f"load.c{capability}" if value == "experimental.echo" else value for key, value in labels.items()}
            db.execute("INSERT INTO series (series, family, labels, seen_day) VALUES (?, ?, ?, ?)",
                       (next_series, family, json.dumps(own), now // 1440))
            rows = []
            for minute in range(now - minutes, now - 2):
                ids[minute] = ids.get(minute, 1000) + 1
                rows.append([{"id": (minute << 20) + ids[minute], "minute": minute, "run": run, "series": next_series}.get(c, row[c])
                             for c in columns])
            db.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})", rows)
            next_series += 1
db.execute("INSERT INTO hours SELECT DISTINCT minute / 60, 1 FROM counters WHERE minute / 60 < ?", (now // 60,))
for sql in (
    """INSERT INTO hour_counters SELECT (hour * 60 << 20) + series, hour, series, sum(growth)
       FROM counters JOIN hours ON hour = minute / 60 GROUP BY hour, series""",
    """INSERT INTO hour_histograms
       SELECT (hour * 60 << 20) + series, hour, series, sum, schema, zero, json_group_object(key, calls), NULL
       FROM (SELECT hour, series, key, sum(h.sum) sum, schema, sum(zero) zero, sum(value) calls
             FROM histograms h JOIN hours ON hour = minute / 60, json_each(positive) GROUP BY hour, series, key)
       GROUP BY hour, series""",
):
    db.execute(sql)
db.commit()
print(db.execute("SELECT count(*) FROM counters").fetchone()[0] + db.execute("SELECT count(*) FROM histograms").fetchone()[0])
`;

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

const row = (what, figure) => console.log(`${what.padEnd(66)} ${figure}`);

/** Returns the processor time of a process in milliseconds. */
async function processorMs(pid) {
  const text = await readFile(`/proc/${pid}/stat`, "utf8");
  const [user, system] = text.slice(text.lastIndexOf(")") + 2).split(" ").slice(11, 13).map(Number);
  return (user + system) * 10;
}

/** Returns how often the threads of a process have been woken. */
async function wakeUps(pid) {
  let sum = 0;
  for (const thread of await readdir(`/proc/${pid}/task`)) {
    const status = await readFile(`/proc/${pid}/task/${thread}/status`, "utf8");
    sum += Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)[1]);
  }
  return sum;
}

async function calls(node, count) {
  let left = count;
  await Promise.all(Array.from({ length: 16 }, async () => {
    while (left-- > 0) await call(node, "experimental.echo", "hello");
  }));
}

/** Reads an address of the API as often as a page does, until `ended`. */
async function polls(node, path, everyMs, ended) {
  while (!ended.signal.aborted) {
    await (await fetch(`${node.url}api/v1/${path}`)).arrayBuffer();
    await new Promise((later) => setTimeout(later, everyMs));
  }
}

async function tails(node, ended) {
  const response = await fetch(`${node.url}api/v1/logs/tail`, { signal: ended.signal });
  try {
    for await (const _ of response.body);
  } catch {
    // The viewer has left.
  }
}

/** Starts ten viewers and returns how to end them: five overviews, three lists of traces, two tails of the log. */
function tenViewers(node) {
  const ended = new AbortController();
  for (let at = 0; at < 5; at += 1) void polls(node, "overview?since=1h", 5000, ended);
  for (let at = 0; at < 3; at += 1) void polls(node, "traces", 3000, ended);
  for (let at = 0; at < 2; at += 1) void tails(node, ended);
  return () => ended.abort();
}

async function answers(node, path) {
  const times = [];
  let bytes = 0;
  for (let at = 0; at < 31; at += 1) {
    const begun = performance.now();
    bytes = (await (await fetch(`${node.url}api/v1/${path}`)).arrayBuffer()).byteLength;
    times.push(performance.now() - begun);
  }
  row(`GET ${path}, ${bytes} bytes, median of 31`, `${median(times).toFixed(1)} ms`);
}

async function viewers(node) {
  const without = [];
  const beside = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [end, figures] of round % 2 ? [[tenViewers(node), beside], [() => {}, without]] : [[() => {}, without], [tenViewers(node), beside]]) {
      const begun = await processorMs(node.child.pid);
      await calls(node, CALLS);
      figures.push(((await processorMs(node.child.pid)) - begun) / CALLS);
      end();
    }
  }
  const [alone, watched] = [median(without), median(beside)];
  row("processor time of a call without viewers", `${(alone * 1000).toFixed(0)} µs`);
  row("  with ten viewers", `${(watched * 1000).toFixed(0)} µs (${((watched / alone - 1) * 100).toFixed(1)} %)`);
}

async function rest(console) {
  const node = await startNode("rest", await freePort(), { more: `[observability]\nconsole = "${console}"` });
  await new Promise((later) => setTimeout(later, 5000));
  const [begun, time] = [await wakeUps(node.child.pid), await processorMs(node.child.pid)];
  await new Promise((later) => setTimeout(later, REST_SECONDS * 1000));
  const [woken, used] = [(await wakeUps(node.child.pid)) - begun, (await processorMs(node.child.pid)) - time];
  row(`a node at rest, console = "${console}", in ${REST_SECONDS} s`, `${(woken / REST_SECONDS).toFixed(2)} wake-ups a second, ${used} ms`);
  await node.end();
}

async function page(node) {
  const browser = await launch();
  const [usable, drawn] = [[], []];
  for (let at = 0; at < 15; at += 1) {
    const { page, close } = await open(browser, node.url);
    await page.goto(`${node.url}#/overview`, { waitUntil: "commit" });
    await shown(page);
    usable.push(await page.evaluate(() => performance.now() - performance.getEntriesByType("navigation")[0].responseStart));
    const begun = performance.now();
    const answered = page.waitForResponse((response) => response.url().includes("since=14d"));
    await page.getByRole("button", { name: "14 d", exact: true }).click();
    await (await answered).finished();
    await page.evaluate(() => new Promise((painted) => requestAnimationFrame(() => requestAnimationFrame(painted))));
    drawn.push(performance.now() - begun);
    await close();
  }
  row("first byte to an overview with data, median of 15", `${median(usable).toFixed(0)} ms`);
  row("click on 14 d to the chart of 14 days, median of 15", `${median(drawn).toFixed(0)} ms`);
  await browser.close();
}

const port = await freePort();
const first = await startNode("cost", port);
await calls(first, 200);
const ended = new Promise((closed) => first.child.on("close", closed));
first.child.kill("SIGTERM");
await ended;
const filled = spawnSync("python3", ["-c", TWO_WEEKS, join(first.path, "state/hearthnet/history/minutes.sqlite")], { encoding: "utf8" });
if (filled.status !== 0) throw new Error(filled.stderr);
row("rows of two weeks, ten capabilities", filled.stdout.trim());

const node = Object.assign(new Home(), { path: first.path, base: first.base });
await node.serve(["run"], async () => (await fetch(`${node.base}/health`)) && `${node.base}/console/`);
await calls(node, TRACES + 500);
const id = await call(node, "experimental.echo", "the last");
await until("the last trace", async () => (await fetch(`${node.url}api/v1/traces/${id}`)).ok);
for (const path of ["traces", "traces?n=500", `traces/${id}`, "overview?since=1h", "overview?since=14d"]) await answers(node, path);
await page(node);
await viewers(node);
await node.end();
await rest("local");
await rest("off");
