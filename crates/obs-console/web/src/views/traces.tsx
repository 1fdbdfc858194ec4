import { useEffect, useRef, useState } from "preact/hooks";

import type { Overview, TraceSummary, Traces } from "../api";
import type { ViewProps } from "../app";
import { address, query } from "../client";
import { count, duration, shortId } from "../format";
import { Answer } from "../parts/answer";
import { Empty } from "../parts/empty";
import { Name } from "../parts/name";
import { Status } from "../parts/status";
import { ChoiceFilter, TextFilter } from "../parts/text-filter";
import { Time } from "../parts/time";
import { usePoll } from "../poll";
import { link } from "../route";
import { apiWindow, spanOf } from "../span";

const MOST = 200;

export function TracesView({ route }: ViewProps) {
  const of = (name: string) => route.params.get(name) ?? "";
  const isActive = of("active") === "true";
  const span = route.params.has("span") || route.params.has("until") ? spanOf(route.params) : null;
  const filter = query({
    capability: of("capability"),
    status: isActive ? null : of("status"),
    min_ms: Number.isFinite(Number(of("min_ms"))) ? of("min_ms") : null,
    id: of("id"),
    sort: of("sort"),
    active: isActive,
    ...(span && !isActive ? apiWindow(span) : {}),
    n: MOST,
  });
  const polled = usePoll<Traces>(`traces${filter}`, isActive ? 1000 : 3000);
  const { value: overview } = usePoll<Overview>("overview?since=24h", 60_000);
  const tab = isActive ? "active" : of("sort") === "slowest" ? "slowest" : of("status") === "failed" ? "failed" : "recent";
  return (
    <section>
      <h1>Traces</h1>
      <ul class="tabs">
        {(
          [
            ["recent", {}],
            ["slowest", { sort: "slowest" }],
            ["failed", { status: "failed" }],
            ["active", { active: true }],
          ] as [string, Record<string, string | boolean>][]
        ).map(([name, params]) => (
          <li key={name}>
            <a
              href={link("traces", { capability: of("capability"), span: of("span"), until: of("until"), ...params })}
              aria-current={tab === name ? "true" : undefined}
            >
              {name}
            </a>
          </li>
        ))}
      </ul>
      <form class="filters" onSubmit={(event) => event.preventDefault()}>
        <TextFilter name="capability" label="Capability" value={of("capability")} list={overview?.capabilities.map((row) => row.capability) ?? []} />
        <TextFilter name="status" label="Status" value={of("status")} list={["ok", "failed", "timeout", "partition", "rate_limited", "internal_error"]} size={12} />
        <TextFilter name="min_ms" label="At least (ms)" value={of("min_ms")} size={6} />
        <TextFilter name="id" label="ID" value={of("id")} size={26} />
        {span && (
          <ChoiceFilter
            name="span"
            label="Window"
            value={span.length}
            options={[["15m", "15 min"], ["1h", "1 h"], ["6h", "6 h"], ["24h", "24 h"], ["7d", "7 d"], ["14d", "14 d"], ["", "all that is kept"]]}
          />
        )}
        <a class="button" href={address(`traces${filter}`)} download="traces.json">
          Download JSON
        </a>
      </form>
      <Answer of={polled}>{(traces) => <List key={filter} traces={traces} isActive={isActive} isFiltered={route.params.size > 0} />}</Answer>
    </section>
  );
}

/** The list stays as it is while it is read. Newer traces wait behind a button. */
function List({ traces, isActive, isFiltered }: { traces: Traces; isActive: boolean; isFiltered: boolean }) {
  const [shown, setShown] = useState(traces.traces);
  const [marked, setMarked] = useState<string | null>(null);
  const place = useRef<HTMLDivElement>(null);
  const isAtTop = () => (place.current?.getBoundingClientRect().top ?? 0) >= 0 && !place.current?.matches(":hover, :focus-within");
  const known = new Set(shown.map((trace) => trace.trace_id));
  const fresh = traces.traces.filter((trace) => !known.has(trace.trace_id)).length;
  useEffect(() => {
    // An empty or running list has nothing to read; a list that nobody points at may move.
    if (isActive || shown.length === 0 || (fresh > 0 && isAtTop() && document.hasFocus() === false)) setShown(traces.traces);
  }, [traces]);
  if (shown.length === 0) {
    return (
      <Empty>
        {isActive
          ? "Nothing runs now. A call is here from its begin to its end."
          : isFiltered
            ? `No trace of the ${count(traces.kept)} kept ones matches. A trace leaves the list when newer ones need its place.`
            : "No trace yet. Each call of a capability leaves one here."}
      </Empty>
    );
  }
  return (
    <div ref={place}>
      <p class="fresh" role="status">
        {!isActive && fresh > 0 && (
          <button type="button" onClick={() => setShown(traces.traces)}>
            {fresh === 1 ? "1 newer trace" : `${fresh === MOST ? "many" : fresh} newer traces`}
          </button>
        )}
        <span class="soft">
          {count(shown.length)} shown, {count(traces.kept)} kept
          {traces.oldest && (
            <>
              , the oldest from <Time at={traces.oldest} />
            </>
          )}
        </span>
      </p>
      <div class="scroll" tabIndex={0} role="region" aria-label="Traces">
        <table class="traces stack">
          <caption class="unseen">Traces</caption>
          <thead>
            <tr>
              <th scope="col" class="begin">Begin</th>
              <th scope="col">Capability</th>
              <th scope="col">Status</th>
              <th scope="col" class="num">Duration</th>
              <th scope="col" class="num wide">Spans</th>
              <th scope="col" class="wide">ID</th>
              <th scope="col" class="wide">
                <span class="unseen">Compare</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {shown.map((trace) => (
              <Row key={trace.trace_id + trace.started_at} trace={trace} marked={marked} onMark={setMarked} />
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}

function Row({ trace, marked, onMark }: { trace: TraceSummary; marked: string | null; onMark: (id: string | null) => void }) {
  const isMarked = marked === trace.trace_id;
  return (
    <tr class={isMarked ? "chosen" : undefined}>
      <td class="begin">
        <Time at={trace.started_at} form="short" />
        {trace.before_restart && <span class="tag">before the restart</span>}
      </td>
      <td>
        <a href={link("trace", {}, trace.trace_id)}>
          <span class="clamp" title={trace.capability}>
            <Name of={trace.capability} />
          </span>
        </a>
        {trace.cause && (
          <span class="cause">
            <bdi>{trace.cause}</bdi>
          </span>
        )}
      </td>
      <td>
        <Status status={trace.status} />
      </td>
      <td class="num" data-label="Duration">{duration(trace.duration_ms)}</td>
      <td class="num wide">{trace.spans}</td>
      <td class="wide">
        <a href={link("trace", {}, trace.trace_id)} title={trace.trace_id}>
          <code>{shortId(trace.trace_id)}</code>
        </a>
      </td>
      <td class="wide">
        {marked !== null && !isMarked ? (
          <a class="button" href={link("compare", { left: marked, right: trace.trace_id })}>
            Compare
          </a>
        ) : (
          <button type="button" aria-pressed={isMarked} onClick={() => onMark(isMarked ? null : trace.trace_id)}>
            {isMarked ? "Chosen" : "Choose"}
          </button>
        )}
      </td>
    </tr>
  );
}

