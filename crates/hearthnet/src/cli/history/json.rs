//! The calls as JSON. `docs/history.md` describes it.

use chrono::{DateTime, SecondsFormat, Utc};
use obs_facade::history::Run;
use serde_json::{Value, json};

use super::calls::{Calls, Counts, time};
use super::options::Step;
use super::span::Span;

/// Version of the document. It goes up when a field changes its meaning or goes away.
const FORMAT: u32 = 1;

pub(super) fn document(calls: &Calls, span: Span) -> Value {
    let rows = calls.rows.iter().map(|((at, capability), counts)| row(*at, capability, counts));
    json!({
        "format": FORMAT,
        "since": text(span.since),
        "until": text(span.until),
        "step_seconds": match calls.step {
            Step::Minutes(minutes) => minutes * 60,
            _ => 86_400,
        },
        "rows": rows.collect::<Vec<_>>(),
        "runs": calls.runs.iter().map(run).collect::<Vec<_>>(),
        "unreadable_rows": calls.unreadable,
    })
}

fn row(at: DateTime<Utc>, capability: &str, counts: &Counts) -> Value {
    let quantile = |share| counts.quantile_ms(share).map(|ms| ms / 1e3);
    json!({
        "time": text(at),
        "capability": capability,
        "calls": counts.calls(),
        "errors": counts.errors(),
        "results": counts.by_result,
        "p50_seconds": quantile(0.5),
        "p95_seconds": quantile(0.95),
        "p99_seconds": quantile(0.99),
    })
}

fn run(run: &Run) -> Value {
    json!({
        "run": run.run,
        "cause": run.cause.as_str(),
        "process_started_at": text(run.started_at.into()),
        "first_minute": text(time(run.first_minute.saturating_mul(60))),
        "last_minute": text(time(run.last_minute.saturating_mul(60))),
        "ended_in_order": run.has_ended,
        "clock_step_seconds": run.clock_step_seconds,
        "version": run.version,
    })
}

fn text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
