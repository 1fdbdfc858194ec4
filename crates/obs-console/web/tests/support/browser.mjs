// Chromium for the tests. Each page records what a page of the console must never do.

import { chromium } from "playwright-core";

/** Longest wait for anything on the page. */
const PATIENCE_MS = 15_000;

export const WIDTHS = [390, 768, 1280];
export const SCHEMES = ["light", "dark"];

export async function launch() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--enable-precise-memory-info"] });
}

/**
 * Opens a page without storage of others. `faults` lists errors of scripts, broken rules of the policy, and requests to other hosts.
 */
export async function open(browser, url, { width = 1280, scheme = "light", ...options } = {}) {
  const context = await browser.newContext({ viewport: { width, height: 860 }, colorScheme: scheme, reducedMotion: "reduce", acceptDownloads: true, ...options });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  const faults = [];
  const own = new URL(url).origin;
  page.on("pageerror", (error) => faults.push(`script: ${error.message}`));
  page.on("console", (message) => {
    // A refused request is an error for the browser and a part of some tests.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) faults.push(`console: ${message.text()}`);
  });
  page.on("request", (request) => {
    if (!/^(data|blob):/.test(request.url()) && new URL(request.url()).origin !== own) faults.push(`request to ${request.url()}`);
  });
  page.on("dialog", (dialog) => {
    faults.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  return { page, context, faults, close: () => context.close() };
}

/** Goes to an address of the page and waits until its first answer is shown. */
export async function go(page, url, hash) {
  await page.goto(`${url}#/${hash}`);
  await shown(page);
}

export async function shown(page) {
  // The event of a new address and the drawing after it come first, so that the view before is not taken for this one.
  await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
  await page.waitForFunction(() => document.querySelector("main h1") !== null && document.querySelector(".loading") === null);
}

/** Returns whether hostile text has run, or stands in the document as elements. */
export async function hostileEffects(page) {
  return page.evaluate(() => ({
    ran: window.hacked === 1,
    elements: document.querySelectorAll("main img, main script, svg[onload], iframe, object, embed, [onerror], a[href^='javascript:']").length,
  }));
}

/** Reads the API as the page does. */
export async function read(page, url, path) {
  const response = await page.request.get(`${url}api/v1/${path}`);
  if (!response.ok()) throw new Error(`${path}: ${response.status()} ${await response.text()}`);
  return response.json();
}
