import { useLayoutEffect, useState } from "preact/hooks";

import type { Capability, Gauge, Overview, Remark, Run } from "../api";
import type { ViewProps } from "../app";
import { Chart } from "../charts/chart";
import { Sparkline } from "../charts/sparkline";
import { query } from "../client";
import { age, count, duration, percent, quantity, rate } from "../format";
import { Answer } from "../parts/answer";
import { Empty } from "../parts/empty";
import { Name } from "../parts/name";
import { useSteadyOrder } from "../parts/steady";
import { Time } from "../parts/time";
import { WindowPicker } from "../parts/window-picker";
import { seen } from "../overview";
import { usePoll } from "../poll";
import { change, link } from "../route";
import { apiWindow, pageWindow, spanOf, type TimeSpan } from "../span";
import { failing, slow } from "../trouble";

export function OverviewView({ route }: ViewProps) {
  const span = spanOf(route.params);
  const polled = usePoll<Overview>(`overview${query(apiWindow(span))}`, span.until === null ? 5000 : 0, true);
  const chosen = route.params.get("capability");
  useLayoutEffect(() => {
    if (polled.value !== null && span.until === null) seen.set(polled.value);
  }, [polled.value]);
  return (
    <section>
      <h1>Overview</h1>
      <WindowPicker span={span} />
      <Answer of={polled}>
        {(overview) => (
          <>
            <Verdict overview={overview} isNow={span.until === null} />
            <Capabilities overview={overview} span={span} chosen={chosen} />
            <Gauges gauges={overview.gauges} since={overview.window.since} until={overview.window.until} runs={overview.runs} />
            <Runs runs={overview.runs} />
            {overview.history_missing !== null && <p class="note">There is no history: {overview.history_missing}</p>}
          </>
        )}
      </Answer>
    </section>
  );
}

/** Capability of the calls whose names the node does not offer. Their traces have the names that were called. */
const OTHERS = "__overflow__";

function nameOf(capability: string): string {
  return capability === OTHERS ? "other names" : capability;
}

function traceFilter(capability: string): string | null {
  return capability === OTHERS ? null : capability;
}

function Verdict({ overview, isNow }: { overview: Overview; isNow: boolean }) {
  const words = { well: "All is well.", attention: "Something needs attention.", broken: "Something does not work." };
  const marks = { well: "✓", attention: "!", broken: "✕" };
  const remarks = useSteadyRemarks(overview.remarks);
  return (
    <div class={`verdict ${overview.severity}`}>
      <h2>
        <span aria-hidden="true">{marks[overview.severity]}</span> {words[overview.severity]}
      </h2>
      {remarks.length > 0 && (
        <ul>
          {remarks.map((remark) => (
            <li key={remark.text}>
              {remark.link ? (
                <a href={`#/${remark.link}`}>
                  <bdi>{remark.text}</bdi>
                </a>
              ) : (
                <bdi>{remark.text}</bdi>
              )}
            </li>
          ))}
        </ul>
      )}
      {isNow && (
        <p class="soft">
          Runs for {age(overview.node.uptime_seconds)}, since <Time at={overview.node.started_at} />
        </p>
      )}
    </div>
  );
}

/**
 * Returns the remarks to show. What is below the list moves when it gets longer or shorter, so it keeps its length while the pointer
 * is on the page. A touch leaves the pointer where it was, so a touched page does not wait.
 */
function useSteadyRemarks(remarks: Remark[]): Remark[] {
  const [shown, setShown] = useState(remarks);
  const isPointedAt = () => document.querySelector("main:hover") !== null && window.matchMedia("(hover: hover)").matches;
  const isFit = remarks.length === shown.length || !isPointedAt();
  useLayoutEffect(() => {
    if (isFit) return setShown(remarks);
    const frame = document.querySelector("main");
    const left = () => setShown(remarks);
    frame?.addEventListener("pointerleave", left, { once: true });
    return () => frame?.removeEventListener("pointerleave", left);
  }, [remarks]);
  return isFit ? remarks : shown;
}

function Capabilities({ overview, span, chosen }: { overview: Overview; span: TimeSpan; chosen: string | null }) {
  const rows = useSteadyOrder<Capability>((row) => row.capability).of(overview.capabilities);
  if (rows.length === 0) {
    return (
      <Empty>
        No call in this window. Each capability that is called has a row here. Try <code>hearthnet call experimental.echo --body '{"{}"}'</code>.
      </Empty>
    );
  }
  const { since, until } = overview.window;
  return (
    <>
      <div class="scroll" tabIndex={0} role="region" aria-label="Calls by capability">
        <table class="capabilities stack">
          <caption>Calls by capability</caption>
          <thead>
            <tr>
              <th scope="col">Capability</th>
              <th scope="col" class="num">Rate</th>
              <th scope="col" class="num">Calls</th>
              <th scope="col" class="num">Failed</th>
              <th scope="col" class="num">p50</th>
              <th scope="col" class="num">p95</th>
              <th scope="col" class="num">p99</th>
              <th scope="col">Course</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.capability} class={row.capability === chosen ? "chosen" : undefined}>
                <th scope="row">
                  <a
                    href={link("overview", { ...pageWindow(span), capability: row.capability === chosen ? null : row.capability })}
                    aria-expanded={row.capability === chosen}
                  >
                    <span class="clamp" title={row.capability}>
                      <Name of={nameOf(row.capability)} />
                    </span>
                  </a>
                  {row.in_flight > 0 && <span class="soft"> {count(row.in_flight)} running</span>}
                  <TroubleLinks row={row} overview={overview} span={span} />
                </th>
                <td class="num" data-label="Rate">{rate(row.rate)}</td>
                <td class="num" data-label="Calls">{count(row.calls)}</td>
                <td class="num" data-label="Failed">
                  {row.errors > 0 ? (
                    <a class="bad" href={link("traces", { ...pageWindow(span), capability: traceFilter(row.capability), status: "failed" })}>
                      {count(row.errors)} ({percent(row.errors, row.calls)})
                    </a>
                  ) : (
                    "0"
                  )}
                </td>
                <td class="num" data-label="p50">{duration(row.p50_ms)}</td>
                <td class="num" data-label="p95">{duration(row.p95_ms)}</td>
                <td class="num" data-label="p99">
                  {row.p99_ms === null ? (
                    duration(null)
                  ) : (
                    <a href={link("traces", { ...pageWindow(span), capability: traceFilter(row.capability), sort: "slowest" })} title="Slowest traces">
                      {duration(row.p99_ms)}
                    </a>
                  )}
                </td>
                <td class="course">
                  <Sparkline
                    points={row.points.map((point) => [point.t, point.calls])}
                    faults={row.points.map((point) => [point.t, point.errors])}
                    since={since}
                    until={until}
                    label={`Calls of ${nameOf(row.capability)} over the window, failed ones in red`}
                  />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {rows.filter((row) => row.capability === chosen).map((row) => (
        <Detail key={row.capability} row={row} overview={overview} span={span} />
      ))}
    </>
  );
}

/** Says since when a capability fails or is slow. Each is a link to the traces of it. */
function TroubleLinks({ row, overview, span }: { row: Capability; overview: Overview; span: TimeSpan }) {
  const { since, until } = overview.window;
  const fails = failing(row.points, overview.step_seconds, since, until);
  const slows = slow(row.points, overview.step_seconds, since, until);
  const traces = (params: Record<string, string>) => link("traces", { ...pageWindow(span), capability: traceFilter(row.capability), ...params });
  return (
    <>
      {fails && (
        <a class="trouble bad" href={traces({ status: "failed" })}>
          <span aria-hidden="true">✕</span> {fails.until === null ? "fails since" : "failed from"} {fails.isOlder && "before "}
          <Time at={fails.since} form="minute" />
          {fails.until !== null && (
            <>
              {" "}
              to <Time at={fails.until} form="minute" />
            </>
          )}
        </a>
      )}
      {slows && (
        <a class="trouble warn" href={traces({ sort: "slowest" })}>
          <span aria-hidden="true">!</span> {slows.until === null ? "slow since" : "slow from"} {slows.isOlder && "before "}
          <Time at={slows.since} form="minute" />
          {slows.until !== null && (
            <>
              {" "}
              to <Time at={slows.until} form="minute" />
            </>
          )}
          : p95 up to {duration(slows.worst)}, usually {duration(slows.usual)}
        </a>
      )}
    </>
  );
}

function Detail({ row, overview, span }: { row: Capability; overview: Overview; span: TimeSpan }) {
  const { since, until } = overview.window;
  const times = row.points.map((point) => point.t);
  const traces = (params: Record<string, string>) => link("traces", { ...pageWindow(span), capability: traceFilter(row.capability), ...params });
  return (
    <div class="card">
      <h2>
        <bdi>{nameOf(row.capability)}</bdi>
      </h2>
      {row.capability === OTHERS && <p class="soft">Calls of names that this node does not offer are counted together.</p>}
      <p class="links">
        <a href={traces({ sort: "slowest" })}>Slowest traces</a> <a href={traces({ status: "failed" })}>Failed traces</a>{" "}
        <a href={link("logs", { mode: "search", span: span.length, until: span.until, text: row.capability })}>Lines that name it</a>{" "}
        <button type="button" onClick={() => change({ capability: null })}>
          Close
        </button>
      </p>
      {row.codes.length > 0 && (
        <ul class="codes">
          {row.codes.map(({ code, calls }) => (
            <li key={code}>
              <a href={traces({ status: code })}>
                <bdi>{code}</bdi>
              </a>{" "}
              {count(calls)}
            </li>
          ))}
        </ul>
      )}
      <div class="charts">
        <Chart
          title={`Calls in steps of ${age(overview.step_seconds)}`}
          times={times}
          lines={[
            { label: "calls", colour: "--accent", values: row.points.map((point) => point.calls), bars: true },
            { label: "failed", colour: "--bad", values: row.points.map((point) => point.errors), bars: true },
          ]}
          form={count}
          since={since}
          until={until}
          runs={overview.runs}
        />
        <Chart
          title="Duration"
          times={times}
          lines={[
            { label: "p50", colour: "--good", values: row.points.map((point) => point.p50_ms) },
            { label: "p95", colour: "--warn", values: row.points.map((point) => point.p95_ms) },
            { label: "p99", colour: "--bad", values: row.points.map((point) => point.p99_ms) },
          ]}
          form={duration}
          since={since}
          until={until}
          runs={overview.runs}
        />
      </div>
    </div>
  );
}

function Gauges({ gauges, since, until, runs }: { gauges: Gauge[]; since: number; until: number; runs: Run[] }) {
  if (gauges.length === 0) return null;
  const restarts = Math.max(0, runs.length - 1);
  return (
    <>
      <h2>
        The node{" "}
        {restarts > 0 && <span class="soft">{restarts === 1 ? "one restart" : `${restarts} restarts`} in this window</span>}
      </h2>
      <ul class="gauges">
        {gauges.map((gauge) => (
          <li key={gauge.family + gauge.title}>
            <h3>{gauge.title}</h3>
            <p class="value">{quantity(gauge.value, gauge.unit)}</p>
            {gauge.points.length > 1 && (
              <Sparkline points={gauge.points} since={since} until={until} label={`${gauge.title} over the window, ${extremes(gauge)}`} width={160} height={32} />
            )}
            {gauge.points.length > 1 && <p class="soft">{extremes(gauge)}</p>}
            {gauge.family !== "" && (
              <p class="soft">
                <a href={link("metrics", { search: gauge.family, family: gauge.family })}>
                  <Name of={gauge.family} />
                </a>
              </p>
            )}
          </li>
        ))}
      </ul>
    </>
  );
}

function extremes({ points, unit }: Gauge): string {
  const values = points.map(([, value]) => value);
  const [least, most] = [Math.min(...values), Math.max(...values)].map((value) => quantity(value, unit));
  return least === most ? `${least} all the time` : `${least} to ${most}`;
}

function Runs({ runs }: { runs: Run[] }) {
  if (runs.length < 2) return null;
  return (
    <details>
      <summary>Runs of the node in this window</summary>
      <ul>
        {runs.map((run) => (
          <li key={run.since}>
            <Time at={run.since} /> to {run.ended === null ? "now" : <Time at={run.until} />}, version {run.version}
            {run.ended !== null && `, ${run.ended}`}
          </li>
        ))}
      </ul>
    </details>
  );
}
