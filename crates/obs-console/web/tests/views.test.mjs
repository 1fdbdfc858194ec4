// Each view in each width and scheme: nothing runs, nothing overflows, nothing is out of reach.

import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";

import { SCHEMES, WIDTHS, go, hostileEffects, launch, open, read } from "./support/browser.mjs";
import { node } from "./support/node.mjs";

const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Rules of WCAG 2.2 AA, and what axe-core holds to be good practice. */
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/** Widths and schemes in which the rules are checked: each width of the menu and each scheme once, as it takes most of the time. */
const RULED = ["390 light", "1280 dark"];

/** Folder for a screenshot of each view, if it is wanted. */
const SHOTS = process.env.SHOTS;

let browser;
let target;
let views;

before(async () => {
  browser = await launch();
  target = await node({ rate: 20 });
  if (SHOTS) await mkdir(SHOTS, { recursive: true });
  const opened = await open(browser, target.url);
  const { traces } = await read(opened.page, target.url, "traces?n=1000");
  const { families } = await read(opened.page, target.url, "metrics");
  const { capabilities } = await read(opened.page, target.url, "overview?since=1h");
  await opened.close();
  // One with some rows; the rules take long for one with many.
  const rich = traces.find((trace) => trace.spans > 2 && trace.spans < 20) ?? traces[0];
  const kept = families.find((family) => family.in_history) ?? families[0];
  views = {
    overview: "overview",
    capability: `overview?capability=${encodeURIComponent(capabilities[0]?.capability ?? "none")}`,
    traces: "traces",
    trace: rich ? `trace/${rich.trace_id}?peers=true` : null,
    compare: traces.length > 1 ? `compare?left=${traces[0].trace_id}&right=${traces[1].trace_id}` : null,
    logs: "logs",
    search: "logs?mode=search",
    metrics: "metrics",
    family: kept ? `metrics?family=${kept.name}` : null,
    problems: "problems",
    doctor: "doctor",
    neighbours: "neighbours",
    sessions: "sessions",
  };
});

after(async () => {
  await browser?.close();
  await target?.close();
});

for (const width of WIDTHS) {
  for (const scheme of SCHEMES) {
    test(`every view at ${width} px in ${scheme} colours`, { timeout: 120_000 }, async () => {
      const { page, context, faults, close } = await open(browser, target.url, { width, scheme });
      await context.addInitScript({ content: AXE });
      const found = [];
      for (const [name, hash] of Object.entries(views)) {
        if (hash === null) continue;
        await go(page, target.url, hash);
        if (name === "logs") await page.locator(".line, .empty").first().waitFor();
        const at = `${name} ${width} ${scheme}`;
        if (SHOTS) await page.screenshot({ path: `${SHOTS}/${name}-${width}-${scheme}.png`, fullPage: true });
        found.push(...(await overflow(page)).map((what) => `${at}: ${what}`));
        const { ran, elements } = await hostileEffects(page);
        if (ran || elements > 0) found.push(`${at}: hostile text is an element`);
        if (RULED.includes(`${width} ${scheme}`)) found.push(...(await serious(page)).map((what) => `${at}: ${what}`));
      }
      await close();
      assert.deepEqual([...new Set(found), ...faults], []);
    });
  }
}

/** Returns what is wider than the window. A part that scrolls by itself can be wider. */
async function overflow(page) {
  return page.evaluate(() => {
    const beyond = document.documentElement.scrollWidth - window.innerWidth;
    if (beyond <= 0) return [];
    const scrolls = (element) => element !== null && element !== document.body && (/(auto|scroll|hidden|clip)/.test(getComputedStyle(element).overflowX) || scrolls(element.parentElement));
    const wide = [...document.querySelectorAll("body *")].filter((element) => element.getBoundingClientRect().right > window.innerWidth + 1 && !scrolls(element.parentElement));
    return [`overflows by ${beyond} px: ${wide.slice(0, 3).map((element) => `${element.tagName}.${element.className}`).join(", ")}`];
  });
}

async function serious(page) {
  const { violations } = await page.evaluate((tags) => window.axe.run(document, { runOnly: { type: "tag", values: tags }, resultTypes: ["violations"] }), RULES);
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) => nodes.slice(0, 3).map(({ target: where, failureSummary: why }) => `${id} at ${where.join(" ")}: ${why.split("\n").slice(1, 2).join("").trim()}`));
}
