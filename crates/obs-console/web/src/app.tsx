// Frame of the page: menu, state of the connection, and the view that the address names.

import { useEffect, useLayoutEffect } from "preact/hooks";
import type { ComponentType } from "preact";

import type { Overview } from "./api";
import { connection } from "./client";
import { loadPlot } from "./charts/chart";
import { seen } from "./overview";
import { usePoll } from "./poll";
import { useRoute, link, type Route } from "./route";
import { useStore } from "./store";
import { CompareView } from "./views/compare";
import { DoctorView } from "./views/doctor";
import { LogsView } from "./views/logs";
import { LoginView } from "./views/login";
import { MetricsView } from "./views/metrics";
import { NeighboursView } from "./views/neighbours";
import { OverviewView } from "./views/overview";
import { ProblemsView } from "./views/problems";
import { SessionsView } from "./views/sessions";
import { TraceView } from "./views/trace";
import { TracesView } from "./views/traces";

export interface ViewProps {
  route: Route;
}

const MENU: [string, string][] = [
  ["overview", "Overview"],
  ["traces", "Traces"],
  ["logs", "Logs"],
  ["metrics", "Metrics"],
  ["problems", "Problems"],
  ["doctor", "Doctor"],
  ["neighbours", "Neighbours"],
];

const VIEWS: Record<string, ComponentType<ViewProps>> = {
  overview: OverviewView,
  traces: TracesView,
  trace: TraceView,
  compare: CompareView,
  logs: LogsView,
  metrics: MetricsView,
  problems: ProblemsView,
  doctor: DoctorView,
  neighbours: NeighboursView,
  sessions: SessionsView,
};

/** Views that belong to an entry of the menu. */
const PARENTS: Record<string, string> = { trace: "traces", compare: "traces" };

export function App() {
  const route = useRoute();
  const state = useStore(connection);
  // The menu's number and the node's name. The overview of now reads them itself.
  const isRead = route.view === "overview" && !route.params.has("until");
  const { value: own } = usePoll<Overview>(state === "login" || isRead ? null : "overview?since=15m", 15_000);
  useLayoutEffect(() => {
    if (own !== null) seen.set(own);
  }, [own]);
  const overview = useStore(seen);
  const active = Object.hasOwn(PARENTS, route.view) ? PARENTS[route.view] : route.view;
  const title = MENU.find(([view]) => view === active)?.[1] ?? (active === "sessions" ? "Sessions" : "Not found");

  // Before the view is painted, so that no view is seen under another view's title.
  useLayoutEffect(() => {
    document.title = `${title} · ${overview?.node.name ?? "HearthNet"}`;
  }, [title, overview?.node.name]);

  useEffect(warm, []);

  const View = Object.hasOwn(VIEWS, route.view) ? VIEWS[route.view] : undefined;
  return (
    <>
      <a class="skip" href="#content" onClick={skip}>
        Skip to the content
      </a>
      <header class="frame">
        <p class="node" title={overview?.node.id}>
          <span class="mark" aria-hidden="true" />
          <bdi>{overview?.node.name ?? "HearthNet"}</bdi>
        </p>
        <nav aria-label="Views">
          <ul>
            {MENU.map(([view, name]) => (
              <li key={view}>
                <a href={link(view)} aria-current={view === active ? "page" : undefined}>
                  {name}
                  {view === "problems" && overview !== null && overview.problems_open > 0 && (
                    <span class="badge">
                      {overview.problems_open}
                      <span class="unseen"> open</span>
                    </span>
                  )}
                </a>
              </li>
            ))}
          </ul>
        </nav>
        <p class="foot">
          <span>{overview ? `version ${overview.node.version}` : " "}</span> <a href={link("sessions")}>Sessions</a>
        </p>
      </header>
      <main id="content" tabIndex={-1}>
        <div role="status" aria-live="polite">
          {state === "lost" && (
            <p class="bar">The node does not answer. What is shown may be old. This page tries again by itself.</p>
          )}
        </div>
        {state === "login" ? (
          <LoginView />
        ) : View ? (
          <View route={route} />
        ) : (
          <section>
            <h1>Not found</h1>
            <p>
              There is no view of this name. <a href={link("overview")}>Go to the overview</a>.
            </p>
          </section>
        )}
      </main>
    </>
  );
}

/** Loads what draws charts before one is asked for, in a pause after the start. The node may be gone when it is needed. */
function warm(): void {
  window.setTimeout(() => void loadPlot().catch(() => undefined), 3000);
}

/** Moves the focus without a change of the address, which names the view. */
function skip(event: Event): void {
  event.preventDefault();
  document.getElementById("content")?.focus();
}
