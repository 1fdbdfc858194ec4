// The address says what is shown: the way back, a reload and a copied link show the same.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { go, launch, open, read, shown } from "./support/browser.mjs";
import { isMock, node } from "./support/node.mjs";

let browser;
let target;

before(async () => {
  browser = await launch();
  target = await node({ rate: 20 });
});

after(async () => {
  await browser?.close();
  await target?.close();
});

const hashOf = (page) => new URL(page.url()).hash;

/** State of the controls, which the address must restore. */
const controls = (page) =>
  page.evaluate(() => ({
    title: document.querySelector("main h1")?.textContent,
    fields: [...document.querySelectorAll("main input:not([type=range]), main select")].map((field) => (field.type === "checkbox" ? field.checked : field.value)),
    pressed: [...document.querySelectorAll("main [aria-pressed=true], main [aria-current=true], main [aria-expanded=true]")].map((part) => part.textContent),
  }));

/** Each with something that is chosen. */
const CHOSEN = [
  "overview?span=6h",
  "overview?span=15m&until=2026-01-31T12%3A00%3A00.000Z",
  "traces?capability=llm.chat&status=failed&min_ms=1.5",
  "traces?sort=slowest",
  "traces?active=true",
  "logs?level=warning&logger=hearthnet&text=%3Cimg%3E+%26+%2B",
  "logs?mode=search&span=6h&field=capability%3Dllm.chat",
  "metrics?search=third+party",
  "problems?state=muted",
];

test("a reload and a copied link show what was seen", { timeout: 120_000 }, async () => {
  const { page, faults, close } = await open(browser, target.url);
  for (const hash of CHOSEN) {
    await go(page, target.url, hash);
    const before = await controls(page);
    assert.equal(hashOf(page), `#/${hash}`, "the view keeps its address");
    await page.reload();
    await shown(page);
    assert.deepEqual(await controls(page), before, `${hash} after a reload`);
    const other = await open(browser, target.url);
    await go(other.page, target.url, hash);
    assert.deepEqual(await controls(other.page), before, `${hash} as a copied link`);
    await other.close();
  }
  assert.deepEqual(faults, []);
  await close();
});

test("filters are written into the address, and the way back undoes them", { timeout: 60_000 }, async () => {
  const { page, faults, close } = await open(browser, target.url);
  await go(page, target.url, "overview");
  await page.getByRole("link", { name: "Logs" }).click();
  await page.getByLabel("Level").selectOption("error");
  await page.getByLabel("Logger").fill("hearthnet.bus");
  await page.waitForFunction(() => location.hash.includes("logger=hearthnet.bus"));
  await page.getByRole("link", { name: "search", exact: true }).click();
  await page.waitForFunction(() => location.hash.includes("mode=search"));
  const seen = hashOf(page);
  assert.match(seen, /level=error/);
  assert.match(seen, /logger=hearthnet\.bus/);
  await page.getByRole("link", { name: "Doctor" }).click();
  await page.getByRole("heading", { name: "Doctor", level: 1 }).waitFor();
  await page.goBack();
  await page.getByRole("heading", { name: "Logs", level: 1 }).waitFor();
  assert.equal(hashOf(page), seen);
  assert.equal(await page.getByLabel("Level").inputValue(), "error");
  await page.goForward();
  await page.getByRole("heading", { name: "Doctor", level: 1 }).waitFor();
  await page.goBack();
  await page.goBack();
  await page.waitForFunction(() => !location.hash.includes("mode=search"));
  assert.equal(await page.getByLabel("Level").inputValue(), "error");
  assert.deepEqual(faults, []);
  await close();
});

test("three clicks lead from a capability's failures to the lines of a call", { timeout: 60_000, skip: !isMock && "needs failed calls" }, async () => {
  const { page, faults, close } = await open(browser, target.url);
  await go(page, target.url, "overview");
  await page.locator("table.capabilities a.bad").first().click();
  await page.getByRole("heading", { name: "Traces", level: 1 }).waitFor();
  assert.match(hashOf(page), /status=failed/);
  assert.match(hashOf(page), /span=1h/, "the window goes along");
  const rows = page.locator("table.traces tbody tr");
  await rows.first().waitFor();
  assert.equal(await rows.locator(".status.good").count(), 0, "only failed calls");
  await rows.first().getByRole("link").first().click();
  await page.locator(".waterfall .row").first().waitFor();
  const id = decodeURIComponent(hashOf(page).split("/")[2].split("?")[0]);
  await page.getByRole("link", { name: "Its lines" }).click();
  await page.locator(".line").first().waitFor();
  const { lines } = await read(page, target.url, `logs?trace=${id}&since=14d`);
  assert.ok(lines.length > 0);
  assert.equal(await page.locator(".line").first().getAttribute("aria-setsize"), String(lines.length));
  await page.goBack();
  await page.locator(".waterfall .row").first().waitFor();
  await page.goBack();
  await rows.first().waitFor();
  await page.goBack();
  await page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();
  assert.deepEqual(faults, []);
  await close();
});

test("an address of nothing says so", { timeout: 60_000 }, async () => {
  const { page, faults, close } = await open(browser, target.url);
  for (const hash of ["%3Cimg%20src%3Dx%20onerror%3Dwindow.hacked%3D1%3E", "__proto__", "constructor", "toString", "%E0%A4%A"]) {
    await page.goto(`${target.url}#/${hash}`);
    await page.getByRole("heading", { name: "Not found", level: 1 }).waitFor();
  }
  for (const [hash, wanted] of [["traces?id=%3Cb%3E", "no part of an ID"], ["logs?mode=search&trace=%3Cb%3E", "ID"], ["logs?mode=around&around=yesterday", "instant"]]) {
    await page.goto(`${target.url}#/${hash}`);
    await page.getByRole("alert").getByText(wanted).waitFor();
  }
  assert.deepEqual(faults, []);
  await close();
});

test("a filter that the node refuses is refused in the live tail, too, and not tried again", { timeout: 60_000 }, async () => {
  const { page, faults, close } = await open(browser, target.url);
  let asked = 0;
  page.on("request", (request) => (asked += request.url().includes("logs/tail") ? 1 : 0));
  for (const [hash, wanted] of [["logs?trace=zz", "ID"], ["logs?level=bogus", "level"]]) {
    await page.goto(`${target.url}#/${hash}`);
    await page.getByRole("alert").getByText(wanted).waitFor();
    assert.equal(await page.getByText("tries again").count(), 0);
    const before = asked;
    await new Promise((later) => setTimeout(later, 2500));
    assert.equal(asked, before, hash);
  }
  await page.goto(`${target.url}#/logs`);
  await page.locator(".line").first().waitFor();
  assert.deepEqual(faults, []);
  await close();
});

test("parameters that the page does not know change nothing", { timeout: 60_000 }, async () => {
  const { page, faults, close } = await open(browser, target.url);
  for (const hash of ["overview?span=99y&until=never&capability=%00", "traces?min_ms=abc&sort=sideways&span=1", "metrics?family=none&search=%F0%9F%98%80", "problems?state=lost", "compare?left=&right="]) {
    await go(page, target.url, hash);
    assert.ok((await page.locator("main h1").textContent()).length > 0);
  }
  assert.deepEqual(faults, []);
  await close();
});
