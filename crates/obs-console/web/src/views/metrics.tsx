import { useEffect, useRef, useState } from "preact/hooks";

import type { Families, Family, Sample, Series } from "../api";
import type { ViewProps } from "../app";
import { Chart } from "../charts/chart";
import { Sparkline } from "../charts/sparkline";
import { query } from "../client";
import { count, measure, shortId } from "../format";
import { Answer } from "../parts/answer";
import { Empty } from "../parts/empty";
import { Name } from "../parts/name";
import { TextFilter } from "../parts/text-filter";
import { WindowPicker } from "../parts/window-picker";
import { usePoll } from "../poll";
import { change, link } from "../route";
import { apiWindow, spanOf, type TimeSpan } from "../span";

/** Values that are kept of each series while the view is open: five minutes. */
const KEPT = 60;

export function MetricsView({ route }: ViewProps) {
  const search = route.params.get("search") ?? "";
  const open = route.params.get("family");
  const span = spanOf(route.params, "24h");
  const polled = usePoll<Families>("metrics", 5000);
  const course = useCourse(polled.value);
  return (
    <section>
      <h1>Metrics</h1>
      <form class="filters" onSubmit={(event) => event.preventDefault()}>
        <TextFilter name="search" label="Search in names, labels and help" value={search} size={32} />
      </form>
      <Answer of={polled}>
        {({ families }) => {
          const found = families.filter((family) => matches(family, search));
          if (found.length === 0) return <Empty>None of the {families.length} families matches.</Empty>;
          return (
            <>
              <p class="soft">
                {found.length} of {families.length} families
              </p>
              <ul class="families">
                {found.map((family) => (
                  <FamilyItem key={family.name} family={family} isOpen={family.name === open} course={course} span={span} />
                ))}
              </ul>
            </>
          );
        }}
      </Answer>
    </section>
  );
}

function matches(family: Family, search: string): boolean {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const labels = family.samples.flatMap((sample) => Object.entries(sample.labels).flat());
  const text = [family.name, family.help, ...labels].join(" ").toLowerCase();
  return words.every((word) => text.includes(word));
}

type Course = Map<string, [number, number][]>;

function keyOf(family: string, sample: Sample): string {
  return family + JSON.stringify(sample.labels);
}

/** Collects the values of each series while the view is open. */
function useCourse(families: Families | null): Course {
  const course = useRef<Course>(new Map());
  const last = useRef<Families | null>(null);
  if (families !== null && families !== last.current) {
    last.current = families;
    const now = Date.now() / 1000;
    for (const family of families.families) {
      for (const sample of family.samples) {
        const key = keyOf(family.name, sample);
        const values = course.current.get(key) ?? [];
        values.push([now, sample.quantiles?.count ?? sample.value]);
        course.current.set(key, values.slice(-KEPT));
      }
    }
  }
  return course.current;
}

interface ItemProps {
  family: Family;
  isOpen: boolean;
  course: Course;
  span: TimeSpan;
}

function FamilyItem({ family, isOpen, course, span }: ItemProps) {
  const place = useRef<HTMLLIElement>(null);
  useEffect(() => {
    if (isOpen) place.current?.scrollIntoView({ block: "nearest" });
  }, [isOpen]);
  return (
    <li ref={place}>
      <button type="button" class="family" aria-expanded={isOpen} onClick={() => change({ family: isOpen ? null : family.name })}>
        <code>
          <Name of={family.name} />
        </code>
        <span class="soft">{family.kind}</span>
        <span class="value">{summary(family)}</span>
      </button>
      {isOpen && (
        <div class="card">
          <p>
            <bdi>{family.help}</bdi>
          </p>
          {family.in_history && <HistoryChart family={family} span={span} />}
          <Samples family={family} course={course} />
          {family.left_out > 0 && <p class="note">{count(family.left_out)} more series are not shown. They are in /metrics.</p>}
        </div>
      )}
    </li>
  );
}

/** Returns the value of a family with one series. A sum means something for counts only. */
function summary({ name, kind, samples }: Family): string {
  const [first] = samples;
  const series = `${count(samples.length)} series`;
  if (first?.quantiles) {
    const all = samples.reduce((sum, sample) => sum + (sample.quantiles?.count ?? 0), 0);
    return samples.length === 1 ? `${count(all)} observed` : `${series}, ${count(all)} observed`;
  }
  if (samples.length === 1 && first) return measure(name, first.value);
  const total = samples.reduce((sum, sample) => sum + sample.value, 0);
  return kind === "counter" && samples.length > 0 ? `${series}, ${measure(name, total)}` : series;
}

function HistoryChart({ family, span }: { family: Family; span: TimeSpan }) {
  const polled = usePoll<Series>(`series${query({ family: family.name, ...apiWindow(span) })}`, 60_000, true);
  const isHistogram = family.samples.some((sample) => sample.quantiles !== null);
  return (
    <>
      <WindowPicker span={span} />
      <Answer of={polled}>
        {(series) =>
          series.points.length === 0 ? (
            <Empty>The history has nothing of this family in this window. It gets one point a minute.</Empty>
          ) : (
            <Chart
              title={`${family.name}, ${family.kind === "gauge" ? "last value" : "growth"} in steps of ${series.step_seconds / 60} min`}
              times={series.points.map((point) => point.t)}
              lines={
                isHistogram
                  ? [
                      { label: "p50", colour: "--good", values: series.points.map((point) => point.quantiles?.p50 ?? null) },
                      { label: "p95", colour: "--warn", values: series.points.map((point) => point.quantiles?.p95 ?? null) },
                      { label: "p99", colour: "--bad", values: series.points.map((point) => point.quantiles?.p99 ?? null) },
                    ]
                  : [{ label: family.name, colour: "--accent", values: series.points.map((point) => point.value) }]
              }
              form={(value) => measure(family.name, value)}
              since={series.window.since}
              until={series.window.until}
            />
          )
        }
      </Answer>
    </>
  );
}

function Samples({ family, course }: { family: Family; course: Course }) {
  const [now, setNow] = useState(() => Date.now() / 1000);
  useEffect(() => setNow(Date.now() / 1000), [family]);
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={`Series of ${family.name}`}>
      <table class="stack">
        <caption class="unseen">Series of {family.name}</caption>
        <thead>
          <tr>
            <th scope="col">Labels</th>
            <th scope="col" class="num">Value</th>
            <th scope="col">Since this view is open</th>
            <th scope="col">Exemplar</th>
          </tr>
        </thead>
        <tbody>
          {family.samples.map((sample) => {
            const points = course.get(keyOf(family.name, sample)) ?? [];
            return (
              <tr key={keyOf("", sample)}>
                <td>
                  {Object.keys(sample.labels).length === 0 && <span class="soft">no labels</span>}
                  {Object.entries(sample.labels).map(([name, value]) => (
                    <span key={name} class="label">
                      <bdi>{name}</bdi>=<bdi>{value}</bdi>
                    </span>
                  ))}
                </td>
                <td class="num" data-label="Value">
                  {sample.quantiles ? (
                    <>
                      {count(sample.quantiles.count)} observed
                      <br />
                      <span class="soft">
                        p50 {measure(family.name, sample.quantiles.p50 ?? NaN)}, p95 {measure(family.name, sample.quantiles.p95 ?? NaN)}, p99{" "}
                        {measure(family.name, sample.quantiles.p99 ?? NaN)}
                      </span>
                    </>
                  ) : (
                    measure(family.name, sample.value)
                  )}
                </td>
                <td class="course">
                  {points.length > 1 && (
                    <Sparkline points={points} since={points[0]![0]} until={Math.max(now, points.at(-1)![0])} label="Course since this view is open" height={20} />
                  )}
                </td>
                <td data-label={sample.exemplar ? "Exemplar" : undefined}>
                  {sample.exemplar && (
                    <a href={link("trace", {}, sample.exemplar.trace_id)} title={sample.exemplar.trace_id}>
                      {measure(family.name, sample.exemplar.value)} <code>{shortId(sample.exemplar.trace_id)}</code>
                    </a>
                  )}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
