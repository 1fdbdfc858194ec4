import { useEffect, useRef, useState } from "preact/hooks";

import type { LogLines } from "../api";
import type { ViewProps } from "../app";
import { LineHistogram } from "../charts/histogram";
import { address, query } from "../client";
import { count, shortTime } from "../format";
import { Answer } from "../parts/answer";
import { Empty } from "../parts/empty";
import { ChoiceFilter, TextFilter } from "../parts/text-filter";
import { Time } from "../parts/time";
import { WindowPicker } from "../parts/window-picker";
import { usePoll } from "../poll";
import { change, link } from "../route";
import { apiWindow, spanOf } from "../span";
import { Found } from "../tail/found";
import { LineDetail } from "../tail/line-detail";
import { LineList } from "../tail/line-list";
import { Tail, type TailState } from "../tail/tail";

const MOST = 1000;
const AROUND = 100;

export function LogsView({ route }: ViewProps) {
  const of = (name: string) => route.params.get(name) ?? "";
  const mode = of("mode") || "tail";
  const filter: Record<string, string> = { level: of("level"), logger: of("logger"), text: of("text"), trace: of("trace") };
  const field = /^([^=]+)=(.*)$/s.exec(of("field"));
  if (field) filter[`field.${field[1]}`] = field[2] ?? "";
  return (
    <section class="logs">
      <h1>Logs</h1>
      <ul class="tabs">
        <li>
          <a href={link("logs", { ...keep(route.params), mode: null, until: null })} aria-current={mode === "tail" ? "true" : undefined}>
            live
          </a>
        </li>
        <li>
          <a href={link("logs", { ...keep(route.params), mode: "search" })} aria-current={mode === "search" ? "true" : undefined}>
            search
          </a>
        </li>
        {mode === "around" && (
          <li>
            <a href={link("logs", { mode: "around", around: of("around") })} aria-current="true">
              around a line
            </a>
          </li>
        )}
      </ul>
      {mode !== "around" && (
        <form class="filters" onSubmit={(event) => event.preventDefault()}>
          <ChoiceFilter
            name="level"
            label="Level"
            value={of("level")}
            options={[["", "all"], ["info", "info and above"], ["warning", "warning and above"], ["error", "error"]]}
          />
          <TextFilter name="logger" label="Logger" value={of("logger")} size={16} />
          <TextFilter name="text" label="Text" value={of("text")} size={20} />
          <TextFilter name="field" label="Field (name=value)" value={of("field")} size={16} />
          <TextFilter name="trace" label="Trace" value={of("trace")} size={16} />
        </form>
      )}
      {mode === "tail" && <LiveTail key={query(filter)} search={query(filter)} filters={keep(route.params)} />}
      {mode === "search" && <Search filter={filter} params={route.params} />}
      {mode === "around" && <Around at={of("around")} />}
    </section>
  );
}

function keep(params: URLSearchParams): Record<string, string> {
  return Object.fromEntries(["level", "logger", "text", "trace", "field"].map((name) => [name, params.get(name) ?? ""]));
}

function LiveTail({ search, filters }: { search: string; filters: Record<string, string> }) {
  const [state, setState] = useState<TailState | null>(null);
  const [isPaused, setPaused] = useState(false);
  const [chosen, setChosen] = useState<number | null>(null);
  const tail = useRef<Tail>();
  useEffect(() => {
    const opened = new Tail(search, setState);
    tail.current = opened;
    return () => opened.end();
  }, [search]);
  const pause = (paused: boolean) => {
    setPaused(paused);
    tail.current?.pause(paused);
  };
  if (state?.isRefused) {
    return (
      <p class="refused" role="alert">
        <bdi>{state.reason}</bdi>
      </p>
    );
  }
  if (state === null || (state.lines.length === 0 && state.waiting === 0)) {
    return (
      <Empty>
        {state === null ? (
          "Connecting to the log …"
        ) : state.isOpen ? (
          <>
            No matching line since this view was opened. Each line is here as soon as the node writes it. Make a call, use fewer filters, or
            look at the <a href={link("logs", { ...filters, mode: "search" })}>lines of the last hour</a>.
          </>
        ) : (
          `The tail is not connected${reasonOf(state)}. This page tries again by itself.`
        )}
      </Empty>
    );
  }
  const line = chosen === null ? undefined : state.lines[chosen - state.first];
  return (
    <>
      <p class="tail-state">
        <button type="button" aria-pressed={isPaused} onClick={() => pause(!isPaused)}>
          {isPaused ? "Go on" : "Pause"}
        </button>{" "}
        <span role="status">{statusOf(state, isPaused)}</span>{" "}
        <span class="soft">
          {count(state.written)} written = {count(state.shown)} shown + {count(state.filtered)} filtered + {count(state.skipped)} skipped
          {state.waiting > 0 && ` + ${count(state.waiting)} waiting`}
        </span>
      </p>
      {state.gone > 0 && (
        <p class="soft">
          {state.gone === 1 ? "1 older line left this list. It is" : `${count(state.gone)} older lines left this list. They are`} in the{" "}
          <a href={link("logs", { ...filters, mode: "search" })}>search</a>.
        </p>
      )}
      {state.lostAt !== null && (
        <p class="note">
          The connection was lost at {shortTime(state.lostAt)}.{" "}
          {state.isFromBefore ? (
            "These lines are from before. Go on to see the newer ones."
          ) : (
            <>
              The list begins anew with the last lines of the log. Older ones are in the{" "}
              <a href={link("logs", { ...filters, mode: "search" })}>search</a>.
            </>
          )}
        </p>
      )}
      <LineList
        lines={state.lines}
        first={state.first}
        follows={!isPaused}
        onFollow={(follows) => pause(!follows)}
        chosen={chosen}
        onChoose={(number) => {
          setChosen(number);
          // A line that is read does not move.
          if (number !== null) pause(true);
        }}
      />
      {line && <LineDetail key={chosen} line={line} onClose={() => setChosen(null)} />}
    </>
  );
}

function statusOf(state: TailState, isPaused: boolean): string {
  const connection = state.isOpen ? "live" : `not connected${reasonOf(state)}, trying again`;
  if (!isPaused) return connection;
  const waiting = state.waiting === 1 ? "1 line waits" : `${count(state.waiting)} lines wait`;
  return state.isOpen ? waiting : `${waiting}, ${connection}`;
}

function reasonOf(state: TailState): string {
  return state.reason === null ? "" : ` (${state.reason})`;
}

/** Seconds by which the begin of a search may be later than that of the window: the way of the request, and of the answer. */
const DELAY = 30;

/** Returns the instant back to which the files were searched, if that is not the begin of the window. */
function cutOff(found: LogLines, since: number): string | null {
  const reached = found.searched_since;
  return reached !== null && Date.parse(reached) / 1000 > since + DELAY ? reached : null;
}

/** Returns the whole window of a search in seconds, for its chart. */
function searched(since: string, until: string | null, seconds: number): { since: number; until: number } {
  const end = until === null ? Date.now() / 1000 : Date.parse(until) / 1000;
  const begin = Date.parse(since) / 1000;
  return { since: Number.isNaN(begin) ? end - seconds : begin, until: end };
}

function Search({ filter, params }: { filter: Record<string, string>; params: URLSearchParams }) {
  const span = spanOf(params, "1h");
  const from = params.get("since");
  const window = from !== null ? { since: from, until: span.until } : apiWindow(span);
  const search = query({ ...filter, ...window, n: MOST });
  const polled = usePoll<LogLines>(`logs${search}`, 0);
  const whole = searched(window.since, window.until, span.seconds);
  const choose = (since: number, until: number) =>
    change({ since: new Date(since * 1000).toISOString(), until: new Date(until * 1000).toISOString() });
  return (
    <>
      {from === null ? (
        <WindowPicker span={span} />
      ) : (
        <p>
          From <Time at={from} /> to {span.until ? <Time at={span.until} /> : "now"}{" "}
          <button type="button" onClick={() => change({ since: null, until: null })}>
            Back to the whole window
          </button>
        </p>
      )}
      <p class="links">
        <button type="button" onClick={polled.reload}>
          Search again
        </button>{" "}
        <a class="button" href={address(`logs/download${search}`)} download="lines.jsonl">
          Download these lines
        </a>
      </p>
      <Answer of={polled}>
        {(found) =>
          found.lines.length === 0 ? (
            <Empty>
              No line matches.{" "}
              {found.oldest ? (
                <>
                  The oldest line of the files is from <Time at={found.oldest} />.
                </>
              ) : (
                "The files have no line yet."
              )}{" "}
              Try a longer window or fewer filters.
            </Empty>
          ) : (
            <>
              <LineHistogram counts={found.counts} step={found.step_seconds} searched={cutOff(found, whole.since)} {...whole} onChoose={choose} />
              <p class="soft">
                {found.matched === 1 ? "1 line matches" : `${count(found.matched)} lines match`}{found.matched > found.lines.length && `, the last ${count(found.lines.length)} are shown`}
                {cutOff(found, whole.since) && (
                  <>
                    . The search went back to <Time at={cutOff(found, whole.since)!} />. Choose an earlier end of the window to search further
                    back
                  </>
                )}
              </p>
              <Found key={search} lines={found.lines} begin={found.lines.length - 1} />
            </>
          )
        }
      </Answer>
    </>
  );
}

function Around({ at }: { at: string }) {
  const polled = usePoll<LogLines>(`logs${query({ around: at, n: AROUND })}`, 0);
  return (
    <>
      <p>
        Lines around <Time at={at} />
      </p>
      <Answer of={polled}>{(found) => {
        if (found.lines.length === 0) return <Empty>The files have no line around this time.</Empty>;
        const wanted = found.lines.findIndex((line) => String(line["ts"]) >= at);
        return <Found key={at} lines={found.lines} begin={Math.max(0, wanted)} chosen={wanted} />;
      }}</Answer>
    </>
  );
}
