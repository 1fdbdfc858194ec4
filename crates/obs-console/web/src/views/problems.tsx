import type { Problem, Problems } from "../api";
import type { ViewProps } from "../app";
import { count, shortId } from "../format";
import { Answer } from "../parts/answer";
import { Empty } from "../parts/empty";
import { Name } from "../parts/name";
import { Status } from "../parts/status";
import { Time } from "../parts/time";
import { useSteadyOrder } from "../parts/steady";
import { Refusal, useWrite } from "../parts/write";
import { fixedPart } from "../pattern";
import { usePoll } from "../poll";
import { link } from "../route";

const KINDS = { line: "log line", trace: "failed call", panic: "panic", check: "check" };
const MUTES: [string, number][] = [
  ["1 h", 3600],
  ["8 h", 8 * 3600],
  ["1 day", 24 * 3600],
  ["7 days", 7 * 24 * 3600],
];

export function ProblemsView({ route }: ViewProps) {
  const state = route.params.get("state") ?? "open";
  const polled = usePoll<Problems>("problems", 5000);
  const writing = useWrite(polled.reload);
  const steady = useSteadyOrder<Problem>((problem) => problem.id);
  const mute = async (problem: Problem, seconds: number | null) => {
    const until = seconds === null ? null : Math.floor(Date.now() / 1000) + seconds;
    await writing.send("POST", `problems/${encodeURIComponent(problem.id)}/mute`, { until });
  };
  return (
    <section>
      <h1>Problems</h1>
      <p class="soft">Faults of one cause are one problem. A check that passes again, and a cause that was not seen for a day, clear by themselves.</p>
      <Refusal of={writing} />
      <Answer of={polled}>
        {({ problems, ungrouped }) => {
          const found = steady.of(problems.filter((problem) => problem.state === state));
          const sum = (name: string) => problems.filter((problem) => problem.state === name).length;
          return (
            <>
              <ul class="tabs">
                {["open", "muted", "cleared"].map((name) => (
                  <li key={name}>
                    <a href={link("problems", { state: name === "open" ? null : name })} aria-current={state === name ? "true" : undefined}>
                      {name} ({sum(name)})
                    </a>
                  </li>
                ))}
              </ul>
              {found.length === 0 ? (
                <Empty>
                  {state === "open"
                    ? "No open problem. Error and warning lines, failed calls, panics and failing checks are here, grouped by cause."
                    : state === "muted"
                      ? "No muted problem. An open problem can be muted for a time."
                      : "No cleared problem."}
                </Empty>
              ) : (
                <ul class="problems">
                  {found.map((problem) => (
                    <ProblemItem key={problem.id} problem={problem} onMute={mute} />
                  ))}
                </ul>
              )}
              {ungrouped > 0 && <p class="note">{count(ungrouped)} more faults have causes for which the table has no place.</p>}
            </>
          );
        }}
      </Answer>
    </section>
  );
}

/** Returns whether a place is a name. Places that stand for several are in brackets. */
function isName(place: string): boolean {
  return !place.startsWith("(");
}

function ProblemItem({ problem, onMute }: { problem: Problem; onMute: (problem: Problem, seconds: number | null) => Promise<void> }) {
  return (
    <li class="card">
      <h2>
        <Name of={problem.title} />
      </h2>
      <p>
        <Status status={problem.state} /> {KINDS[problem.kind]} in <bdi>{problem.place}</bdi>, {problem.count === 1 ? "once" : `${count(problem.count)} times`}
      </p>
      {problem.cause && (
        <p>
          {problem.kind === "trace" && problem.count > 1 ? "Cause of one of them" : "Cause"}: <bdi>{problem.cause}</bdi>
        </p>
      )}
      {problem.fix && (
        <p>
          To do: <bdi>{problem.fix}</bdi>
        </p>
      )}
      <p class="soft">
        First <Time at={problem.first_seen} />, last <Time at={problem.last_seen} form="ago" />
        {problem.muted_until && (
          <>
            , muted until <Time at={problem.muted_until} />
          </>
        )}
      </p>
      <p class="links">
        {problem.trace_id && (
          <a href={link("trace", {}, problem.trace_id)} title={problem.trace_id}>
            A trace of it, <code>{shortId(problem.trace_id)}</code>
          </a>
        )}{" "}
        {problem.kind === "trace" && <a href={link("traces", { capability: isName(problem.place) ? problem.place : null, status: problem.title })}>Its failed traces</a>}
        {problem.kind === "line" && (
          <a href={link("logs", { mode: "search", logger: problem.place, level: "warning", text: fixedPart(problem.title), span: "24h" })}>Its lines</a>
        )}
        {problem.kind === "check" && <a href={link("doctor")}>The checks</a>}
      </p>
      <p class="mutes" role="group" aria-label={`Mute ${problem.title}`}>
        {problem.state === "muted" ? (
          <button type="button" onClick={() => void onMute(problem, null)}>
            Unmute
          </button>
        ) : (
          problem.state === "open" && (
            <>
              Mute for{" "}
              {MUTES.map(([name, seconds]) => (
                <button type="button" key={name} onClick={() => void onMute(problem, seconds)}>
                  {name}
                </button>
              ))}
            </>
          )
        )}
      </p>
    </li>
  );
}
