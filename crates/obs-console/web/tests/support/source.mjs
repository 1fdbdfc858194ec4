// Sources of the page, for tests without a browser.

import { readFile } from "node:fs/promises";
import { transformWithEsbuild } from "vite";

/** Imports a file of `src` that imports no other one. */
export async function source(path) {
  const text = await readFile(new URL(`../../src/${path}`, import.meta.url), "utf8");
  const { code } = await transformWithEsbuild(text, path, { sourcemap: false });
  return import(`data:text/javascript;base64,${Buffer.from(code).toString("base64")}`);
}
