// Size of the page, its policy, and the time until it can be used.

import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";

import { go, launch, open } from "./support/browser.mjs";
import { node } from "./support/node.mjs";

/** Most bytes of the compressed page. */
const MOST_BYTES = 150_000;

/** Longest time from the first byte to a page with data in milliseconds. A loaded machine of CI takes longer. */
const USABLE_MS = Number(process.env.USABLE_MS ?? 3000);

const PAGE = new URL("../../page/", import.meta.url);

let browser;
let target;

before(async () => {
  browser = await launch();
  target = await node();
});

after(async () => {
  await browser?.close();
  await target?.close();
});

test("the page is small, whole, and without a map of its sources", async (context) => {
  const names = ["index.html", ...(await readdir(new URL("assets/", PAGE))).map((name) => `assets/${name}`)];
  let sum = 0;
  for (const name of names) {
    const bytes = await readFile(new URL(name, PAGE));
    sum += gzipSync(bytes, { level: 9 }).length;
    const text = bytes.toString("utf8");
    assert.ok(!/sourceMappingURL|\.map$/.test(text + name), name);
    assert.ok(!/document\.write|new Function\(|\beval\(/.test(text), `${name} runs text`);
  }
  const html = await readFile(new URL("index.html", PAGE), "utf8");
  assert.ok(!/<script(?![^>]*src=)|<style|\son\w+=|style=/.test(html), "no inline script or style");
  context.diagnostic(`${sum} bytes compressed`);
  assert.ok(sum <= MOST_BYTES, `${sum} bytes`);
});

test("no source of the page makes elements of text", async () => {
  const sources = new URL("../src/", import.meta.url);
  for (const name of await readdir(sources, { recursive: true })) {
    if (!/\.tsx?$/.test(name)) continue;
    const text = await readFile(new URL(name, sources), "utf8");
    assert.ok(!/innerHTML|outerHTML|insertAdjacentHTML|DOMParser|createContextualFragment|setAttribute\(\s*["']style/i.test(text), name);
  }
});

test("every file has the policy", async () => {
  const { page, close } = await open(browser, target.url);
  for (const path of ["", "assets/console.js", "assets/console.css", "api/v1/overview"]) {
    const response = await page.request.get(target.url + path);
    const policy = response.headers()["content-security-policy"];
    for (const part of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"]) assert.ok(policy?.includes(part), `${path}: ${policy}`);
    assert.equal(response.headers()["x-content-type-options"], "nosniff", path);
  }
  await close();
});

test("a script of another place does not run", async () => {
  const { page, close } = await open(browser, target.url);
  await go(page, target.url, "overview");
  const refused = await page.evaluate(
    () =>
      new Promise((told) => {
        document.addEventListener("securitypolicyviolation", (event) => told(event.violatedDirective));
        const script = document.createElement("script");
        script.textContent = "window.hacked = 1";
        document.head.append(script);
      }),
  );
  assert.match(refused, /^script-src/);
  assert.equal(await page.evaluate(() => window.hacked), undefined);
  await close();
});

test("the page can be used soon after its first byte", { timeout: 60_000 }, async (context) => {
  const { page, context: own, close } = await open(browser, target.url);
  await own.addInitScript(() => {
    const watch = new MutationObserver(() => {
      if (document.querySelector("main .verdict") === null) return;
      watch.disconnect();
      window.usableAt = performance.now();
    });
    watch.observe(document, { childList: true, subtree: true });
  });
  await page.goto(target.url);
  await page.waitForFunction(() => window.usableAt !== undefined);
  const ms = await page.evaluate(() => window.usableAt - performance.getEntriesByType("navigation")[0].responseStart);
  context.diagnostic(`${ms.toFixed(0)} ms`);
  assert.ok(ms <= USABLE_MS, `${ms} ms`);
  await close();
});
