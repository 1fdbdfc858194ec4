// Three real nodes, and the report of one of them. HEARTHNET names the program.

import assert from "node:assert/strict";
import { open as openFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { go, launch, open, read, shown } from "./support/browser.mjs";
import { Home, call, freePort, needsProgram, startModel, startNode, until } from "./support/nodes.mjs";

/** Seconds of the load on the tail. A release is tried with 60, CI with less. */
const SECONDS = Number(process.env.TAIL_SECONDS ?? 6);

/** Lines a second of the load. */
const FAST = 10_000;

const PAINT_MS = Number(process.env.PAINT_MS ?? 2000);

const real = { timeout: 120_000, skip: needsProgram };

let browser;
let ada;
let bob;
let eve;
let endModel;
let chain;

before(async () => {
  if (needsProgram) return;
  browser = await launch();
  const ports = await Promise.all([freePort(), freePort(), freePort(), freePort(), freePort()]);
  const [adas, bobs, eves, nobodys, models] = ports;
  endModel = await startModel(models, eves);
  [eve, bob, ada] = await Promise.all([
    startNode("eve", eves),
    startNode("bob", bobs, { more: `[[llm.backends]]\nname = "m"\nurl = "http://127.0.0.1:${models}"\nmodel = "tiny"\ntimeout_seconds = 20` }),
    // Nothing listens on the fourth port.
    startNode("ada", adas, { peers: [bobs, eves, nobodys], more: "bus = { offer = [] }" }),
  ]);
  await until("the peers answer", async () => (await (await fetch(`${ada.url}api/v1/peers`)).json()).peers.filter(({ up }) => up).length === 2);
  chain = await until("a call over three nodes", async () => {
    const id = await call(ada, "llm.chat", "CHAIN");
    const { parts } = await (await fetch(`${ada.url}api/v1/traces/${id}?peers=true`)).json();
    return new Set(parts.filter(({ trace }) => trace).map(({ node }) => node)).size === 3 && id;
  });
  for (let at = 0; at < 4; at += 1) await call(ada, "experimental.echo", "hello");
  await call(ada, "llm.chat", "SLOW");
  await call(ada, "llm.chat", "FAIL");
});

after(async () => {
  await browser?.close();
  endModel?.();
  await Promise.all([ada, bob, eve].map((node) => node?.end()));
});

/** Follows links by clicks, and notes where each leads. Only clicks on links count. */
async function follow(page, ...links) {
  const places = [];
  for (const link of links) {
    const before = page.url();
    const found = typeof link === "function" ? link() : link;
    assert.equal(await found.evaluate((element) => element.tagName), "A");
    await found.click();
    await page.waitForFunction((url) => location.href !== url, before);
    await shown(page);
    places.push(page.url());
  }
  return places;
}

for (const [what, first, title] of [
  ["failing", (page) => page.locator("table.capabilities tr", { hasText: "llm.chat" }).locator("a.trouble.bad"), /fails since (before )?\d\d:\d\d/],
  ["slow", (page) => page.locator("table.capabilities tr", { hasText: "llm.chat" }).locator("a[title='Slowest traces']"), / m?s$/],
]) {
  test(`three clicks lead from a ${what} capability to the lines of a trace`, real, async () => {
    const { page, faults, close } = await open(browser, ada.url);
    await go(page, ada.url, "overview");
    const link = first(page);
    assert.match(await link.textContent(), title);
    const places = await follow(
      page,
      link,
      () => page.locator("table.traces tbody a").first(),
      () => page.getByRole("link", { name: "Its lines" }),
    );
    assert.equal(places.length, 3);
    await page.locator(".line").first().waitFor();
    const seen = await page.locator(".line .msg").allTextContents();
    assert.ok(seen.includes("done"), seen.join());
    // Each place is a link that shows the same to another viewer.
    const titles = ["Traces", /^Trace /, "Logs"];
    for (const [at, place] of what === "slow" ? [] : places.entries()) {
      const other = await open(browser, ada.url);
      await other.page.goto(place);
      await shown(other.page);
      const heading = await other.page.locator("main h1").textContent();
      assert.ok(titles[at] instanceof RegExp ? titles[at].test(heading) : heading === titles[at], heading);
      await other.page.locator("table.traces tbody tr, .waterfall .row, .line").first().waitFor();
      await other.close();
    }
    // The waterfall has the lines beside it, too.
    await page.goto(places[1]);
    await page.locator(".waterfall .row").first().waitFor();
    await page.locator(".line").first().waitFor();
    assert.deepEqual(faults, []);
    await close();
  });
}

test("a failed call shows its cause on its trace and among the problems", real, async () => {
  const { page, faults, close } = await open(browser, ada.url);
  const { traces } = await read(page, ada.url, "traces?status=failed");
  const failed = traces.find(({ cause }) => cause);
  await go(page, ada.url, `trace/${failed.trace_id}`);
  assert.equal(await page.locator(".card .why").textContent(), `Cause: ${failed.cause}`);
  await page.locator(".waterfall .row .cause").getByText(failed.cause, { exact: true }).waitFor();
  const { problems } = await read(page, ada.url, "problems");
  const problem = problems.find(({ kind, title }) => kind === "trace" && title === failed.status);
  assert.ok(problem.cause, JSON.stringify(problem));
  await go(page, ada.url, "problems");
  await page.getByText(problem.cause, { exact: true }).first().waitFor();
  assert.deepEqual(faults, []);
  await close();
});

test("every remark of the overview leads to a view", real, async () => {
  const { page, faults, close } = await open(browser, ada.url);
  const { remarks } = await read(page, ada.url, "overview?since=1h");
  const links = remarks.flatMap(({ link }) => link ?? []);
  assert.ok(links.length >= 2, JSON.stringify(remarks));
  for (const link of links) {
    await go(page, ada.url, link);
    assert.notEqual(await page.locator("main h1").textContent(), "Not found", link);
  }
  assert.deepEqual(faults, []);
  await close();
});

test("a call over three nodes is one waterfall, and a peer that is down is a gap", real, async () => {
  const { page, faults, close } = await open(browser, ada.url);
  await go(page, ada.url, `trace/${chain}?peers=true`);
  const roots = page.locator(".waterfall .row.root .name");
  assert.deepEqual(await roots.locator(".lane").allTextContents(), ["ada", "bob", "eve"]);
  await page.locator(".row.gap").getByText(/refused/).waitFor();
  // Each part lies within the span that called it, however the clocks are set.
  const bars = await page.locator(".waterfall .row .span").evaluateAll((all) => all.map((bar) => [bar.closest(".row").querySelector(".name").textContent.trim(), bar.getBoundingClientRect().left, bar.getBoundingClientRect().right]));
  const of = (text) => bars.find(([name]) => name.startsWith(text));
  for (const [inner, outer] of [["bob", "forward"], ["eve", "backend"]]) {
    assert.ok(of(inner)[1] >= of(outer)[1] - 2 && of(inner)[2] <= of(outer)[2] + 2, `${inner} in ${outer}: ${JSON.stringify(bars)}`);
  }
  await go(page, ada.url, "neighbours");
  assert.equal(await page.locator("td", { hasText: "down" }).count(), 1);
  assert.deepEqual(faults, []);
  await close();
});

test("a node that is started again comes back by itself", real, async () => {
  const { page, close } = await open(browser, eve.url);
  await go(page, eve.url, "logs");
  await page.evaluate(() => (window.isSamePage = true));
  const { child } = eve;
  const ended = new Promise((closed) => child.on("close", closed));
  child.kill("SIGKILL");
  await ended;
  await page.getByText("not connected").first().waitFor({ timeout: 30_000 });
  await eve.serve(["run"], async () => (await fetch(`${eve.base}/health`)) && eve.url);
  await page.getByText("not connected").first().waitFor({ state: "detached", timeout: 30_000 });
  await call(eve, "experimental.echo", "back");
  await page.locator(".line").first().waitFor();
  assert.equal(await page.evaluate(() => window.isSamePage), true);
  await page.getByText(/The connection was lost at/).waitFor();
  const shownLines = await page.evaluate(() => [/= ([\d,]+) shown/.exec(document.querySelector(".tail-state .soft").textContent)[1], document.querySelector(".line").getAttribute("aria-setsize")]);
  assert.equal(shownLines[0].replaceAll(",", ""), shownLines[1], "no line is there twice");
  await close();
});

test("the tail of a node counts every line of its log, and the page answers", { ...real, timeout: (SECONDS + 90) * 1000 }, async (context) => {
  const { page, faults, close } = await open(browser, bob.url);
  await go(page, bob.url, "logs");
  // A first line says that the tail has begun. What was written until then belongs to no tail.
  await until("the tail begins", async () => {
    await call(bob, "experimental.echo", "begin");
    return (await page.locator(".line").count()) > 0;
  });
  const books = async () => {
    const text = await page.locator(".tail-state .soft").textContent();
    const number = (name) => Number(new RegExp(`([\\d,]+) ${name}`).exec(text)[1].replaceAll(",", ""));
    return { written: number("written"), shown: number("shown"), filtered: number("filtered"), skipped: number("skipped") };
  };
  const settled = () =>
    until("the tail has all lines", async () => {
      const { written } = await books();
      await new Promise((later) => setTimeout(later, 700));
      return (await books()).written === written;
    });
  await settled();
  const before = { written: (await books()).written, lines: (await bob.lines()).length };
  await page.evaluate(() => {
    window.paints = [];
    document.addEventListener("keydown", (event) => {
      const begin = event.timeStamp;
      requestAnimationFrame(() => setTimeout(() => window.paints.push(performance.now() - begin)));
    });
  });
  await page.getByLabel("Text").focus();
  const day = await openFile(await bob.dayFile(), "a");
  const begin = Date.now();
  let made = 0;
  while (Date.now() < begin + SECONDS * 1000) {
    const due = Math.min(Math.floor(((Date.now() - begin) / 1000) * FAST) - made, FAST);
    let text = "";
    for (let at = 0; at < due; at += 1) text += `${JSON.stringify({ ts: new Date().toISOString(), level: "info", logger: "load", msg: "line of the load", number: made + at })}\n`;
    await day.appendFile(text);
    made += due;
    await page.keyboard.press("Shift");
    await new Promise((later) => setTimeout(later, 50));
  }
  await day.close();
  await settled();
  const { written, shown: seen, filtered, skipped } = await books();
  const paints = (await page.evaluate(() => window.paints)).sort((one, other) => one - other);
  const at = (share) => paints[Math.min(paints.length - 1, Math.floor(paints.length * share))];
  context.diagnostic(`${made} lines in ${SECONDS} s, ${seen} shown, ${skipped} skipped; ${paints.length} inputs, painted after ${at(0.5).toFixed(0)} ms (half), ${at(0.95).toFixed(0)} ms (95 %), ${at(1).toFixed(0)} ms (all)`);
  assert.equal(seen + filtered + skipped, written);
  assert.equal(written - before.written, (await bob.lines()).length - before.lines, "each line of the file is counted once");
  assert.ok(skipped > 0 && made > 0.5 * FAST * SECONDS);
  assert.ok(at(0.5) <= PAINT_MS, `half of the inputs took ${at(0.5)} ms or longer to paint`);
  assert.deepEqual(faults, []);
  await close();
});

test("a report opens in the browser without its node", real, async (context) => {
  const archive = join(ada.path, "report.tar.gz");
  await ada.run(["report", "--out", archive]);
  const reader = await Home.make("");
  context.after(() => reader.end());
  await reader.serve(["report", "--open", archive], async (text) => /^(http:\S+\/console)/m.exec(text)?.[1].concat("/"));
  const { page, faults, close } = await open(browser, reader.url);
  for (const [view, wanted] of [
    ["overview", "table.capabilities tbody tr"],
    ["traces", "table.traces tbody tr"],
    [`trace/${chain}`, ".waterfall .row"],
    ["logs?mode=search&span=24h", ".line"],
    ["metrics", ".families li"],
    ["problems", ".problems li"],
    ["doctor", ".checks li"],
    ["neighbours", "tbody tr"],
  ]) {
    await go(page, reader.url, view);
    await page.locator(wanted).first().waitFor();
    assert.equal(await page.getByRole("alert").count(), 0, view);
  }
  // What only a node can do is refused with the reason.
  await go(page, reader.url, "doctor");
  await page.getByRole("button", { name: "Run the checks" }).click();
  await page.getByRole("alert").getByText(/report/).waitFor();
  await go(page, reader.url, "logs");
  await page.locator(".line").first().waitFor();
  const [, written, shownLines, , skipped] = /([\d,]+) written = ([\d,]+) shown \+ ([\d,]+) filtered \+ ([\d,]+) skipped/.exec(await page.locator(".tail-state .soft").textContent());
  assert.equal(Number(shownLines.replaceAll(",", "")) + Number(skipped.replaceAll(",", "")), Number(written.replaceAll(",", "")));
  assert.deepEqual(faults, []);
  await close();
});
