// A node that goes away and comes back, and one that asks for its token.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { go, launch, open } from "./support/browser.mjs";
import { books } from "./support/books.mjs";
import { needsMock, node } from "./support/node.mjs";

let browser;

before(async () => {
  browser = await launch();
});

after(() => browser?.close());

const LOST = "The node does not answer";

test("a lost node says so and comes back without a reload", { timeout: 60_000, skip: needsMock }, async (context) => {
  const target = await node({ rate: 20 }, context);
  const { page, close } = await open(browser, target.url);
  await go(page, target.url, "overview");
  await page.evaluate(() => {
    window.isSamePage = true;
  });
  target.state.down = true;
  target.cut();
  await page.getByRole("status").getByText(LOST).waitFor();
  assert.ok((await page.locator("table.capabilities tbody tr").count()) > 0, "what was seen stays");
  target.state.down = false;
  await page.getByText(LOST).waitFor({ state: "detached" });
  assert.equal(await page.evaluate(() => window.isSamePage), true);
  await close();
});

test("a tail goes on after the node was away", { timeout: 60_000, skip: needsMock }, async (context) => {
  const target = await node({ rate: 20 }, context);
  const { page, close } = await open(browser, target.url);
  await go(page, target.url, "logs");
  await page.locator(".line").first().waitFor();
  target.state.down = true;
  target.cut();
  await page.getByRole("status").getByText("not connected").waitFor();
  target.state.down = false;
  await page.getByRole("status").getByText("live", { exact: true }).waitFor();
  const { written } = await page.locator(".tail-state .soft").textContent().then(books);
  await page.waitForFunction((before) => Number(/([\d,]+) written/.exec(document.querySelector(".tail-state .soft").textContent)[1].replaceAll(",", "")) > before, written);
  const after = books(await page.locator(".tail-state .soft").textContent());
  assert.equal(after.shown + after.filtered + after.skipped + after.waiting, after.written);
  await close();
});

test("a tail that begins again repeats no line and marks the break", { timeout: 60_000, skip: needsMock }, async (context) => {
  const target = await node({ rate: 40 }, context);
  const { page, close } = await open(browser, target.url);
  await go(page, target.url, "logs");
  const rows = () => page.locator(".line").first().getAttribute("aria-setsize").then(Number);
  await page.waitForFunction(() => Number(document.querySelector(".line")?.getAttribute("aria-setsize")) > 40);
  target.state.down = true;
  target.cut();
  await page.getByRole("status").getByText("not connected").waitFor();
  target.state.rate = 0;
  target.state.down = false;
  await page.getByText(/The connection was lost at \d\d:\d\d:\d\d/).waitFor();
  const { written, shown, filtered, skipped, waiting } = books(await page.locator(".tail-state .soft").textContent());
  assert.equal(await rows(), shown, "the list has the lines that are counted");
  assert.equal(shown + filtered + skipped + waiting, written);
  await close();
});

test("a tail that begins again while it is read waits with it", { timeout: 60_000, skip: needsMock }, async (context) => {
  const target = await node({ rate: 40 }, context);
  const { page, close } = await open(browser, target.url);
  await go(page, target.url, "logs");
  await page.locator(".line").first().waitFor();
  await page.getByRole("button", { name: "Pause" }).click();
  const seen = await page.locator(".line").first().textContent();
  target.state.down = true;
  target.cut();
  await page.getByRole("status").getByText("not connected").waitFor();
  target.state.down = false;
  await page.getByText(/The connection was lost at .* These lines are from before/).waitFor();
  assert.equal(await page.locator(".line").first().textContent(), seen, "the list stays");
  await page.getByRole("button", { name: "Go on" }).click();
  await page.getByText(/The connection was lost at .* The list begins anew/).waitFor();
  const { written, shown, filtered, skipped, waiting } = books(await page.locator(".tail-state .soft").textContent());
  assert.equal(shown + filtered + skipped + waiting, written);
  await close();
});

test("a refused request shows the reason", { timeout: 60_000, skip: needsMock }, async (context) => {
  const target = await node({}, context);
  target.state.refusal = Object.assign(new (await import("../mock/parameters.mjs")).Refused(503, "unavailable", "the history is being <b>read</b>"));
  const { page, close } = await open(browser, target.url);
  for (const view of ["overview", "traces", "metrics", "problems", "doctor", "neighbours", "sessions"]) {
    await page.goto(`${target.url}#/${view}`);
    await page.getByRole("alert").getByText("the history is being <b>read</b>").waitFor();
  }
  await close();
});

test("the token opens the console, in the form and in a link", { timeout: 60_000, skip: needsMock }, async (context) => {
  const target = await node({ login: true }, context);
  const first = await open(browser, target.url);
  await first.page.goto(target.url);
  const field = first.page.getByLabel("Token");
  await field.fill("<script>window.hacked=1</script>");
  await first.page.getByRole("button", { name: "Open the console" }).click();
  await first.page.getByRole("alert").getByText("not the token").waitFor();
  await field.fill(target.token);
  await field.press("Enter");
  await first.page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();
  await first.close();

  const second = await open(browser, target.url);
  await second.page.goto(`${target.url}#token=${target.token}`);
  await second.page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();
  assert.ok(!second.page.url().includes(target.token), "the token leaves the address");
  await second.page.reload();
  await second.page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();
  const kept = await second.page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]));
  assert.ok(!kept.includes(target.token), "no script can read the token");
  assert.deepEqual(second.faults, []);
  await second.close();
});

test("a session can be ended, also the own one", { timeout: 60_000, skip: needsMock }, async (context) => {
  const target = await node({ login: true }, context);
  const { page, faults, close } = await open(browser, target.url);
  await page.goto(`${target.url}#token=${target.token}`);
  await page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();
  await page.getByRole("link", { name: "Sessions" }).click();
  const sessions = page.locator(".sessions li");
  await sessions.nth(1).waitFor();
  assert.equal(await sessions.count(), 2);
  await sessions.filter({ hasText: "192.168.1.77" }).getByRole("button").click();
  await sessions.nth(1).waitFor({ state: "detached" });
  await sessions.filter({ hasText: "this one" }).getByRole("button").click();
  await page.getByLabel("Token").waitFor();
  assert.deepEqual(faults, []);
  await close();
});
