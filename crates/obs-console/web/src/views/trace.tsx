import type { Trace, TraceDetail } from "../api";
import type { ViewProps } from "../app";
import { address } from "../client";
import { count, duration, fieldText } from "../format";
import { Answer } from "../parts/answer";
import { FieldList } from "../parts/field-list";
import { Empty } from "../parts/empty";
import { Name } from "../parts/name";
import { Status, kindOf } from "../parts/status";
import { Time } from "../parts/time";
import { usePoll, type Polled } from "../poll";
import { change, link } from "../route";
import { Found } from "../tail/found";
import { Waterfall } from "../waterfall/waterfall";

export function TraceView({ route }: ViewProps) {
  const id = route.id ?? "";
  const peers = route.params.get("peers") === "true";
  const polled = useTrace(id, peers);
  return (
    <section>
      <p class="crumbs">
        <a href={link("traces")}>Traces</a>
      </p>
      <h1>
        Trace <code class="long">{id}</code>
      </h1>
      <p class="links">
        <label>
          <input type="checkbox" checked={peers} onChange={(event) => change({ peers: event.currentTarget.checked })} /> with the parts of
          other nodes
        </label>{" "}
        <LinesLink id={id} of={polled.value} />{" "}
        <a href={address(`traces/${encodeURIComponent(id)}${peers ? "?peers=true" : ""}`)} download={`trace-${id}.json`}>
          Download JSON
        </a>
      </p>
      <Answer of={polled}>{(detail) => <Detail detail={detail} />}</Answer>
    </section>
  );
}

function useTrace(id: string, peers: boolean): Polled<TraceDetail> {
  return usePoll<TraceDetail>(`traces/${encodeURIComponent(id)}${peers ? "?peers=true" : ""}`, 0, true);
}

export function TraceBody({ id }: { id: string }) {
  const polled = useTrace(id, false);
  return (
    <>
      <p class="links">
        <LinesLink id={id} of={polled.value} />
      </p>
      <Answer of={polled}>{(detail) => <Detail detail={detail} />}</Answer>
    </>
  );
}

/** Time before the begin and after the end of a trace in which its lines are searched, in milliseconds. */
const AROUND_MS = 60_000;

/** Link to the lines of a trace. A search of the time around it is quick, also among the files of two weeks. */
function LinesLink({ id, of }: { id: string; of: TraceDetail | null }) {
  const trace = of?.trace_id === id ? of.parts[0]?.trace : undefined;
  const begin = trace ? Date.parse(trace.started_at) : NaN;
  const window = Number.isNaN(begin)
    ? { span: "14d" }
    : { since: new Date(begin - AROUND_MS).toISOString(), until: new Date(begin + trace!.duration_ms + AROUND_MS).toISOString() };
  return <a href={link("logs", { mode: "search", trace: id, ...window })}>Its lines</a>;
}

/** Returns why a call failed: the cause of the last span to begin that has one, which is the innermost, or that of the root. */
function causeOf(trace: Trace): string | null {
  if (kindOf(trace.status)[0] !== "bad") return null;
  const fields = [...trace.spans].reverse().find((span) => span.fields["cause"] !== undefined)?.fields ?? trace.fields;
  const cause = fields["cause"] ?? fields["error"];
  return cause === undefined ? null : fieldText(cause);
}

function Detail({ detail }: { detail: TraceDetail }) {
  const trace = detail.parts[0]?.trace;
  return (
    <>
      {trace && (
        <div class="card">
          <p>
            <strong>
              <Name of={trace.capability} />
            </strong>{" "}
            <Status status={trace.status} /> {duration(trace.duration_ms)}, began <Time at={trace.started_at} />
            {detail.lines !== null && `, ${detail.lines === 1 ? "1 log line" : `${count(detail.lines)} log lines`}${detail.lines_cut_off ? " or more" : ""}`}
          </p>
          {causeOf(trace) !== null && (
            <p class="why">
              Cause: <bdi>{causeOf(trace)}</bdi>
            </p>
          )}
          {trace.dropped_spans > 0 && <p class="note">{count(trace.dropped_spans)} spans are not here: a trace keeps a bounded number.</p>}
          <FieldList fields={trace.fields} />
        </div>
      )}
      {detail.parts.some((part) => Math.abs(part.clock_correction_ms) >= 1) && (
        <p class="note">
          The clocks of other nodes were aligned by the calls that enclose them:{" "}
          {detail.parts
            .filter((part) => Math.abs(part.clock_correction_ms) >= 1)
            .map((part) => `${part.node} by ${duration(part.clock_correction_ms)}`)
            .join(", ")}
          .
        </p>
      )}
      <Waterfall detail={detail} />
      <Lines detail={detail} />
    </>
  );
}

/** The first lines of the trace, as the node found them around its time. */
function Lines({ detail }: { detail: TraceDetail }) {
  if (detail.log.length === 0) {
    return detail.lines === 0 ? <Empty>The log has no line of this trace around its time.</Empty> : null;
  }
  return (
    <>
      <h2>
        Its lines
        {detail.lines !== null && detail.lines > detail.log.length && <span class="soft"> the first {count(detail.log.length)}</span>}
      </h2>
      <Found lines={detail.log} begin={0} />
    </>
  );
}
