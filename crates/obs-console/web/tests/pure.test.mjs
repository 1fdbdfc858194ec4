// Functions of the page that need no page.

import assert from "node:assert/strict";
import { test } from "node:test";

import { source } from "./support/source.mjs";

const MINUTE = 60_000;
const at = (time) => Date.parse(`2026-05-26T${time}Z`);

test("the slider stands where the end of the window is, at any moment of a quarter of an hour", async () => {
  const { endOf, stepOf } = await source("parts/steps.ts");
  for (const time of ["12:00:00", "12:01:00", "12:07:29", "12:07:31", "12:14:59.999"]) {
    const now = at(time);
    assert.equal(endOf(0, now), null, "the last step is now");
    assert.equal(stepOf(null, now), 0);
    for (const steps of [-1, -2, -3, -96, -1344]) {
      const until = endOf(steps, now);
      assert.equal(stepOf(until, now), steps, `${time}: ${steps} is ${until}`);
      assert.equal(Date.parse(until) % (15 * MINUTE), 0);
      const next = steps === -1 ? now : Date.parse(endOf(steps + 1, now));
      const length = next - Date.parse(until);
      assert.ok(steps === -1 ? length > 0 && length <= 15 * MINUTE : length === 15 * MINUTE, `${time}: ${length} ms from ${steps}`);
    }
  }
});

test("an end that is on no step is next to it, and none is beyond the slider", async () => {
  const { stepOf } = await source("parts/steps.ts");
  const now = at("12:10:00");
  assert.equal(stepOf("2026-05-26T11:59:00Z", now), -1);
  assert.equal(stepOf("2026-05-26T12:09:00Z", now), 0);
  assert.equal(stepOf("2026-05-27T12:00:00Z", now), 0);
  assert.equal(stepOf("2020-01-01T00:00:00Z", now), -1344);
});

test("a search looks for the longest part of a pattern that does not vary", async () => {
  const { fixedPart } = await source("pattern.ts");
  for (const [pattern, wanted] of [
    ["forwarding failed", "forwarding failed"],
    ["peer … is silent", "is silent"],
    ["… peers of … answer within …", "answer within"],
    ["key [redacted] is of no use, sha…", "is of no use, sha"],
    ["…", ""],
    ["", ""],
  ]) assert.equal(fixedPart(pattern), wanted, pattern);
});

test("characters that nobody sees are shown by their numbers", async () => {
  const { escaped } = await source("escaped.ts");
  const shown = (value) => JSON.parse(escaped(JSON.stringify(value)));
  const unsafe = ["\u007f", "\u0085", "\u00ad", "\u061c", "\u200b", "\u202e", "\u2066", "\ufeff", "\u{e0041}"];
  for (const letter of unsafe) {
    const number = letter.codePointAt(0).toString(16).padStart(4, "0");
    assert.equal(shown({ name: `a${letter}b` }).name, `a\\u${number}b`);
  }
  const plain = "Zoë \u{1f469}\u200d\u{1f680} \u2764\ufe0f 漢字 \u05d0";
  assert.equal(shown(plain), plain);
});
