//! The list of problems as JSON. `docs/history.md` describes it.

use chrono::{DateTime, Utc};
use obs_facade::history::problems::{Problem, State};
use serde_json::{Value, json};

use crate::wire::clock;

/// Version of the document. It goes up when a field changes its meaning or goes away.
const FORMAT: u32 = 1;

/// Returns the list. `stored_at_ms` is the time of a stored list; `None` for that of a running node.
pub(crate) fn of(problems: &[Problem], stored_at_ms: Option<u64>) -> Value {
    let number = |name: &str| problems.iter().filter(|problem| problem.state.name() == name).count();
    json!({
        "format": FORMAT,
        "stored_at": stored_at_ms.map(time),
        "open": number("open"),
        "muted": number("muted"),
        "cleared": number("cleared"),
        "problems": problems.iter().map(one).collect::<Vec<_>>(),
    })
}

fn one(problem: &Problem) -> Value {
    let cause = &problem.cause;
    let (muted_until, cleared_at) = match problem.state {
        State::Muted { until_ms } => (Some(time(until_ms)), None),
        State::Cleared { at_ms } => (None, Some(time(at_ms))),
        _ => (None, None),
    };
    json!({
        "id": problem.id,
        "kind": cause.kind(),
        "level": if problem.is_error { "error" } else { "warning" },
        "title": cause.to_string(),
        "place": cause.place(),
        "what": cause.what(),
        "because": cause.because(),
        "state": problem.state.name(),
        "muted_until": muted_until,
        "cleared_at": cleared_at,
        "count": problem.count,
        "returned": problem.returned,
        "first_seen": time(problem.first_seen_ms),
        "last_seen": time(problem.last_seen_ms),
        "example": problem.example,
        "trace_id": problem.trace_id,
    })
}

/// Returns a time in RFC 3339. One that no calendar has becomes 1970.
fn time(ms: u64) -> String {
    clock::text(moment(ms))
}

/// Returns a time of milliseconds since 1970. One that no calendar has becomes 1970.
pub(crate) fn moment(ms: u64) -> DateTime<Utc> {
    i64::try_from(ms).ok().and_then(DateTime::from_timestamp_millis).unwrap_or_default()
}
