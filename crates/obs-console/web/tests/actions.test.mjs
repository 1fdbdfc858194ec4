// Each action of each view.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";

import { go, hostileEffects, launch, open, read, shown } from "./support/browser.mjs";
import { isMock, node } from "./support/node.mjs";

const needsData = !isMock && "needs the data of the mock";

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

/** Runs a test on a page of its own, which must have no fault at the end. */
function onPage(name, hash, steps, options = {}) {
  test(name, { timeout: 60_000, ...options }, async (context) => {
    const opened = await open(browser, target.url, options.page);
    await go(opened.page, target.url, hash);
    await steps(opened.page, context);
    assert.deepEqual(opened.faults, []);
    assert.equal((await hostileEffects(opened.page)).ran, false);
    await opened.close();
  });
}

const hashOf = (page) => new URL(page.url()).hash;

onPage("the window of the overview has a length and an end", "overview", async (page) => {
  await page.getByRole("button", { name: "6 h", exact: true }).click();
  await page.waitForFunction(() => location.hash.includes("span=6h"));
  const slider = page.getByRole("slider");
  await slider.focus();
  await slider.press("ArrowLeft");
  await page.waitForFunction(() => location.hash.includes("until="));
  await page.getByRole("button", { name: "Back to now" }).click();
  await page.waitForFunction(() => !location.hash.includes("until="));
  assert.match(hashOf(page), /span=6h/);
});

onPage("the slider goes back fourteen days", "overview", async (page) => {
  const slider = page.getByRole("slider");
  await slider.focus();
  await slider.press("Home");
  await page.waitForFunction(() => location.hash.includes("until="));
  const until = new URLSearchParams(hashOf(page).split("?")[1]).get("until");
  const days = (Date.now() - Date.parse(until)) / 86_400_000;
  assert.ok(Math.abs(days - 14) < 0.05, `${days} days`);
  await shown(page);
});

onPage("each key moves the slider by one step, and its label is the end of the window", "overview", async (page) => {
  // The second half of a quarter of an hour.
  await page.clock.setFixedTime(new Date("2026-05-26T12:10:00Z"));
  await page.reload();
  await shown(page);
  const slider = page.getByRole("slider");
  await slider.focus();
  for (const wanted of ["12:00:00", "11:45:00", "11:30:00"]) {
    await slider.press("ArrowLeft");
    await page.waitForFunction((time) => decodeURIComponent(location.hash).includes(`T${time}`), wanted);
    await page.getByText(new RegExp(`until .*${wanted}$`)).waitFor();
  }
  await slider.press("ArrowRight");
  await page.waitForFunction(() => decodeURIComponent(location.hash).includes("T11:45:00"));
  await go(page, target.url, "overview?until=2026-05-26T11%3A52%3A11.000Z");
  await page.getByText(/until .*11:52:11$/).waitFor();
  assert.equal(await page.getByText("Runs for").count(), 0, "that is of now");
}, { page: { timezoneId: "UTC" }, skip: needsData });

onPage("a capability opens to charts and closes", "overview", async (page, context) => {
  const row = page.locator("table.capabilities tbody tr").first();
  if ((await row.count()) === 0) return context.skip("no call in the window");
  await row.locator("th a").first().click();
  const charts = page.locator(".charts .chart");
  await charts.nth(1).waitFor();
  const label = await charts.first().getByRole("img").getAttribute("aria-label");
  assert.match(label, /from .* to .*/, "a chart has its values as text");
  assert.match(hashOf(page), /capability=/);
  await page.getByRole("button", { name: "Close" }).click();
  await charts.first().waitFor({ state: "detached" });
});

onPage("restarts are marked", "overview?capability=llm.chat", async (page) => {
  await page.getByText("Restarts:").first().waitFor();
  await page.getByText("Runs of the node in this window").click();
  await page.getByText("killed").waitFor();
}, { skip: needsData });

onPage("remarks lead to what they say", "overview", async (page) => {
  await page.locator(".verdict a").first().click();
  await page.getByRole("heading", { name: "Traces", level: 1 }).waitFor();
  assert.equal(await page.getByLabel("Capability").inputValue(), "llm.chat");
}, { skip: needsData });

onPage("times are local, with UTC as the title", "traces", async (page, context) => {
  const time = page.locator("table.traces time").first();
  if ((await time.count()) === 0) return context.skip("no trace");
  assert.match(await time.getAttribute("title"), /\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC/);
}, { page: { timezoneId: "Asia/Kathmandu" } });

onPage("filters of traces narrow the list", "traces", async (page, context) => {
  const { traces } = await read(page, target.url, "traces?n=1000");
  if (traces.length === 0) return context.skip("no trace");
  const rows = page.locator("table.traces tbody tr");
  const wanted = traces[0].capability;
  await page.getByLabel("Capability").fill(wanted);
  await page.waitForFunction(() => location.hash.includes("capability="));
  await shown(page);
  await rows.first().waitFor();
  for (const name of await rows.locator("bdi").evaluateAll((all) => all.filter((part) => part.closest("a")).map((part) => part.textContent))) assert.equal(name, wanted);
  await page.getByLabel("At least (ms)").fill("99999999");
  await page.getByText(/No trace of the .* matches/).waitFor();
  await page.getByLabel("At least (ms)").fill("");
  await page.getByLabel("ID").fill(traces[0].trace_id);
  await page.waitForFunction(() => location.hash.includes("id="));
  await shown(page);
  await rows.first().waitFor();
  assert.equal(await rows.count(), 1);
});

onPage("new traces wait until they are asked for", "traces", async (page) => {
  const first = page.locator("table.traces tbody tr").first();
  await first.hover();
  const before = await first.textContent();
  const fresh = page.getByRole("button", { name: /newer trace/ });
  await fresh.waitFor();
  assert.equal(await first.textContent(), before, "nothing moves under the pointer");
  await fresh.click();
  await page.waitForFunction((text) => document.querySelector("table.traces tbody tr").textContent !== text, before);
}, { skip: needsData });

onPage("two traces are shown side by side", "traces", async (page, context) => {
  if ((await page.locator("table.traces tbody tr").count()) < 2) return context.skip("fewer than two traces");
  await page.getByRole("button", { name: "Choose" }).first().click();
  await page.getByRole("link", { name: "Compare" }).first().click();
  await page.locator(".sides .waterfall").nth(1).waitFor();
  assert.match(hashOf(page), /left=.+right=/);
});

onPage("a waterfall nests its spans and opens to their fields", "traces", async (page, context) => {
  const { traces } = await read(page, target.url, "traces?n=1000");
  const one = traces.find((trace) => trace.spans > 1 && trace.spans < 20);
  if (!one) return context.skip("no trace with spans");
  await go(page, target.url, `trace/${one.trace_id}`);
  const detail = await read(page, target.url, `traces/${one.trace_id}`);
  const rows = page.locator(".waterfall .row");
  assert.equal(await rows.count(), detail.parts[0].trace.spans.length + 1);
  await rows.nth(1).getByRole("button").click();
  await rows.nth(1).locator(".detail").waitFor();
  await rows.nth(1).getByRole("button").press("Enter");
  await rows.nth(1).locator(".detail").waitFor({ state: "detached" });
  const outside = await page.evaluate(() => [...document.querySelectorAll(".track")].filter((track) => [...track.children].some((bar) => bar.getBoundingClientRect().left < track.getBoundingClientRect().left - 1 || bar.getBoundingClientRect().right > track.getBoundingClientRect().right + 1)).length);
  assert.equal(outside, 0, "no bar leaves its track");
});

onPage("the critical path covers the whole call once", "overview", async (page, context) => {
  const { traces } = await read(page, target.url, "traces?n=1000");
  for (const one of traces.filter((trace) => trace.spans > 0).slice(0, 4)) {
    await go(page, target.url, `trace/${one.trace_id}`);
    const share = await page.evaluate(() => {
      const track = document.querySelector(".track").getBoundingClientRect();
      const parts = [...document.querySelectorAll(".track .critical")].map((bar) => bar.getBoundingClientRect()).sort((first, second) => first.left - second.left);
      return { sum: parts.reduce((sum, part) => sum + Number.parseFloat(part.width), 0), own: document.querySelector(".track .span").getBoundingClientRect().width, track: track.width, overlaps: parts.filter((part, at) => at > 0 && part.left < parts[at - 1].right - 1).length };
    });
    assert.ok(Math.abs(share.sum - share.own) <= 0.02 * share.track + 2, `${one.trace_id}: ${JSON.stringify(share)}`);
    assert.equal(share.overlaps, 0, one.trace_id);
  }
  if (traces.length === 0) context.skip("no trace");
});

onPage("parts of other nodes have their lanes, and a missing one says why", "traces", async (page) => {
  const { traces } = await read(page, target.url, "traces?n=1000");
  await go(page, target.url, `trace/${traces.find((trace) => trace.spans === 5).trace_id}`);
  await page.getByRole("checkbox").check();
  await page.waitForFunction(() => location.hash.includes("peers=true"));
  await page.locator(".row.gap").getByText("connection refused").waitFor();
  assert.equal(await page.locator(".waterfall .row.root").count(), 2);
  await page.getByText(/clocks of other nodes were aligned/).waitFor();
}, { skip: needsData });

onPage("broken and large traces are drawn", "traces", async (page) => {
  const { traces } = await read(page, target.url, "traces?n=1000");
  const large = traces.find((trace) => trace.spans === 128);
  await go(page, target.url, `trace/${large.trace_id}`);
  assert.equal(await page.locator(".waterfall .row").count(), 129);
  const { parts } = await read(page, target.url, `traces/${large.trace_id}`);
  assert.equal(parts[0].trace.spans.length, 128);
  const circular = traces.find((trace) => trace.spans === 5 && trace.status === "ok" && trace !== large);
  for (const one of traces.filter((trace) => trace.spans === 5).slice(0, 6)) {
    await go(page, target.url, `trace/${one.trace_id}`);
    assert.equal(await page.locator(".waterfall .row").count(), 6, one.trace_id);
  }
  assert.ok(circular);
}, { skip: needsData });

onPage("a failed trace shows its cause in its header, on the failed row and in its lines", "traces", async (page) => {
  const { traces } = await read(page, target.url, "traces?n=1000");
  let failed;
  for (const one of traces.filter((trace) => trace.status === "partition" && trace.spans === 5)) {
    const { parts } = await read(page, target.url, `traces/${one.trace_id}`);
    if (parts[0].trace.spans.some(({ fields }) => fields.cause)) failed = one;
  }
  await go(page, target.url, `trace/${failed.trace_id}`);
  const header = page.locator(".card .why");
  assert.equal(await header.textContent(), `Cause: ${failed.cause}`);
  const rows = page.locator(".waterfall .row", { has: page.locator(".status.bad") });
  for (const row of await rows.all()) if (!(await row.getAttribute("class")).includes("root")) assert.equal(await row.locator(".cause").textContent(), failed.cause);
  assert.ok((await rows.count()) >= 2);
}, { skip: needsData });

onPage("the cause of a line comes before its other fields", "logs?mode=search&level=error", async (page) => {
  const rest = page.locator(".line .rest");
  for (const text of await rest.allTextContents()) assert.match(text, /^(cause=.* )?error=/);
  assert.ok((await rest.count()) > 0);
}, { skip: needsData });

onPage("the cause of a line can be read on a narrow screen", "logs?mode=search&level=error", async (page) => {
  const line = page.locator(".line", { has: page.getByText("forwarding failed", { exact: true }) }).last();
  const rest = await line.locator(".rest").boundingBox();
  const message = await line.locator(".msg").boundingBox();
  assert.ok(rest !== null && Math.abs(rest.y - message.y) < 6, "beside the message");
  assert.ok(360 - rest.x > 150, JSON.stringify(rest));
}, { skip: needsData, page: { width: 360 } });

onPage("a message that does not fit ends with an ellipsis", "logs?mode=search", async (page) => {
  const found = await page.locator(".line").evaluateAll((all) =>
    all.flatMap((line) => {
      const text = line.querySelector(".msg").parentElement;
      const isCut = line.querySelector("button").scrollWidth > line.querySelector("button").clientWidth;
      return [{ isCut, overflow: getComputedStyle(text).textOverflow }];
    }),
  );
  assert.ok(found.length > 0);
  for (const { isCut, overflow } of found) assert.ok(!isCut && overflow === "ellipsis", JSON.stringify(found));
}, { skip: needsData });

onPage("an unknown trace says so", "trace/unknown", async (page) => {
  await page.getByRole("alert").waitFor();
});

onPage("a trace and the lines of a search are downloaded", "traces", async (page, context) => {
  const { traces } = await read(page, target.url, "traces?n=1000");
  if (traces.length === 0) return context.skip("no trace");
  const id = traces[0].trace_id;
  await go(page, target.url, `trace/${id}`);
  assert.equal(JSON.parse(await downloaded(page, page.getByRole("link", { name: "Download JSON" }))).trace_id, id);
  await go(page, target.url, "logs?mode=search&level=info");
  const lines = (await downloaded(page, page.getByRole("link", { name: "Download these lines" }))).trimEnd().split("\n");
  assert.ok(lines.map((line) => JSON.parse(line)).every((line) => line.level !== "debug"));
});

async function downloaded(page, link) {
  const [download] = await Promise.all([page.waitForEvent("download"), link.click()]);
  return readFile(await download.path(), "utf8");
}

onPage("a bar of the histogram narrows the search, and a line opens", "logs?mode=search", async (page) => {
  await page.locator(".histogram button").nth(5).click();
  await page.waitForFunction(() => location.hash.includes("since=") && location.hash.includes("until="));
  await shown(page);
  const line = page.locator(".line button").first();
  await line.click();
  const detail = page.locator(".line-detail");
  await detail.waitFor();
  await detail.getByRole("link", { name: "Lines around it" }).click();
  await page.waitForFunction(() => location.hash.includes("mode=around"));
  await page.locator(".line").first().waitFor();
  await page.goBack();
  await page.getByRole("button", { name: "Back to the whole window" }).click();
  await page.waitForFunction(() => !location.hash.includes("since="));
}, { skip: needsData });

onPage("a search from a moment until now has all of that time", "overview", async (page) => {
  const since = new Date(Date.now() - 3 * 3_600_000).toISOString();
  const asked = page.waitForRequest(/api\/v1\/logs\?/);
  await go(page, target.url, `logs?mode=search&since=${encodeURIComponent(since)}`);
  const query = new URL((await asked).url()).searchParams;
  assert.equal(query.get("since"), since);
  assert.equal(query.get("until"), null);
  await page.getByText(/^From .* to now/).waitFor();
  await page.getByText(/10,8\d\d lines match/).waitFor();
}, { skip: needsData });

onPage("a search that finds nothing says what to do", "logs?mode=search&text=no-line-has-this-text", async (page) => {
  await page.getByText("No line matches.").waitFor();
});

onPage("metrics are found by name, label and help", "metrics", async (page) => {
  const { families } = await read(page, target.url, "metrics");
  const wanted = families.at(-1).name;
  await page.getByRole("textbox").fill(wanted);
  await page.waitForFunction(() => location.hash.includes("search="));
  const item = page.locator("button.family").filter({ has: page.getByText(wanted, { exact: true }) });
  await item.click();
  await item.and(page.locator("[aria-expanded=true]")).waitFor();
  await page.getByRole("textbox").fill("no family has this name");
  await page.getByText(/None of the \d+ families matches/).waitFor();
});

onPage("an exemplar leads to its trace", "metrics?family=hearthnet_request_duration_seconds", async (page) => {
  await page.locator(".chart").waitFor();
  await page.locator("td a").first().click();
  await page.locator(".waterfall").waitFor();
}, { skip: needsData });

onPage("the checks run and are copied as text", "doctor", async (page) => {
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.getByRole("button", { name: "Run the checks" }).click();
  await page.getByRole("button", { name: "Run the checks" }).and(page.locator(":enabled")).waitFor();
  await page.getByText(/passed, .* failed/).waitFor();
  await page.getByRole("button", { name: "Copy as text" }).click();
  await page.getByText("Copied.").waitFor();
  const { checks } = await read(page, target.url, "doctor");
  const text = await page.evaluate(() => navigator.clipboard.readText());
  for (const check of checks) assert.ok(text.includes(check.name), check.name);
});

onPage("a line is copied as JSON", "logs?mode=search", async (page) => {
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.locator(".line button").first().click();
  await page.getByRole("button", { name: "Copy as JSON" }).click();
  await page.getByText("Copied.").waitFor();
  const line = JSON.parse(await page.evaluate(() => navigator.clipboard.readText()));
  assert.equal(typeof line.msg, "string");
}, { skip: needsData });

onPage("a large whole number of a line keeps its digits", "overview", async (page) => {
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  const line = '{"ts":"2026-05-26T08:14:22.281Z","level":"info","logger":"other","msg":"hello","n":9007199254740993,"deep":{"m":[-18446744073709551615]},"x":1.5}';
  const found = `{"lines":[${line}],"counts":[],"step_seconds":60,"matched":1,"searched_since":null,"oldest":null}`;
  await page.route("**/api/v1/logs?*", (route) => route.fulfill({ contentType: "application/json", body: found }));
  const event = `event: lines\ndata: {"lines":[${line}],"skipped":0,"filtered":0,"written":1}\n\n`;
  await page.route("**/api/v1/logs/tail*", (route) => route.fulfill({ contentType: "text/event-stream", body: event }));
  for (const hash of ["logs?mode=search", "logs"]) {
    await go(page, target.url, hash);
    const row = page.locator(".line").first();
    assert.match(await row.locator(".rest").textContent(), /^n=9007199254740993 deep=\{"m":\[-18446744073709551615\]\} x=1\.5$/, hash);
    await row.getByRole("button").click();
    await page.locator(".fields").getByText("9007199254740993", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Copy as JSON" }).click();
    await page.getByText("Copied.").waitFor();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), line, hash);
  }
}, { skip: needsData });

onPage("a text that cannot be copied is selected", "doctor", async (page) => {
  // As on a page of plain `http` from another machine.
  await page.evaluate(() => Object.defineProperty(navigator, "clipboard", { value: undefined }));
  await page.getByRole("button", { name: "Run the checks" }).click();
  await page.getByText(/passed, .* failed/).waitFor();
  await page.getByRole("button", { name: "Copy as text" }).click();
  await page.getByText("does not let this page copy").waitFor();
  assert.equal(await page.getByText("Copied.").count(), 0);
  const { checks } = await read(page, target.url, "doctor");
  const selected = await page.evaluate(() => document.activeElement.value.slice(document.activeElement.selectionStart, document.activeElement.selectionEnd));
  for (const check of checks) assert.ok(selected.includes(check.name), check.name);
  await go(page, target.url, "logs?mode=search");
  await page.locator(".line button").first().click();
  await page.getByRole("button", { name: "Copy as JSON" }).click();
  await page.getByText("does not let this page copy").waitFor();
}, { skip: needsData });

onPage("a problem is muted and unmuted", "problems", async (page) => {
  const items = page.locator(".problems > li");
  const before = await items.count();
  const badge = Number.parseInt(await page.locator("nav .badge").textContent(), 10);
  assert.equal(before, badge, "the menu has the number of open problems");
  await items.first().getByRole("button", { name: "8 h" }).click();
  await items.nth(before - 1).waitFor({ state: "detached" });
  await page.getByRole("link", { name: "muted (1)" }).click();
  await page.getByText("muted until").waitFor();
  await page.getByRole("button", { name: "Unmute" }).click();
  await page.getByText("No muted problem").waitFor();
  await page.getByRole("link", { name: /^cleared/ }).click();
  await page.getByText("low disk").waitFor();
  await page.getByRole("link", { name: /^open/ }).click();
  await items.nth(before - 1).waitFor();
  await items.first().getByRole("link", { name: /A trace of it/ }).click();
  await page.locator(".waterfall").waitFor();
}, { skip: needsData });

onPage("the lines of a problem are those with its text", "problems", async (page) => {
  const { problems } = await read(page, target.url, "problems");
  const problem = problems.find(({ kind }) => kind === "line");
  await page.getByRole("link", { name: "Its lines" }).first().click();
  await page.getByRole("heading", { name: "Logs", level: 1 }).waitFor();
  const params = new URLSearchParams(hashOf(page).split("?")[1]);
  assert.equal(params.get("logger"), problem.place);
  assert.ok(params.get("text") && problem.title.includes(params.get("text")), params.get("text"));
  assert.equal(await page.getByLabel("Text").inputValue(), params.get("text"));
}, { skip: needsData });

onPage("the keyboard reaches the content and every entry of the menu", "overview", async (page) => {
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.activeElement.id === "content");
  assert.equal(hashOf(page), "#/overview", "the skip link keeps the view");
  for (const name of ["Overview", "Traces", "Logs", "Metrics", "Problems", "Doctor", "Neighbours"]) {
    const entry = page.getByRole("navigation").getByRole("link", { name });
    await entry.focus();
    const outline = await entry.evaluate((element) => getComputedStyle(element).outlineStyle + getComputedStyle(element).boxShadow);
    assert.notEqual(outline, "nonenone", `${name} shows its focus`);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name, level: 1 }).waitFor();
    assert.equal(await entry.getAttribute("aria-current"), "page");
    assert.ok((await page.title()).startsWith(name), "the title names the view");
  }
});

test("a node on which nothing has happened says what will be here", { timeout: 60_000, skip: needsData }, async (context) => {
  const empty = await node({ isEmpty: true }, context);
  const { page, faults, close } = await open(browser, empty.url);
  for (const view of ["overview", "traces", "traces?active=true", "logs", "logs?mode=search", "metrics", "problems", "doctor", "neighbours"]) {
    await go(page, empty.url, view);
    const text = await page.locator(".empty").first().textContent();
    assert.ok(text.trim().length > 20, view);
  }
  assert.deepEqual(faults, []);
  await close();
});
