//! Problems of an archive in the form of the API.

use chrono::{DateTime, SecondsFormat};
use obs_facade::console::api::{Problem, ProblemKind, ProblemState, Problems};
use serde::Deserialize;

use super::super::place::{CONSOLE_PROBLEMS, PROBLEMS};
use super::files::Files;

/// The file in the history folder, as far as it is shown. Times are milliseconds since 1970.
#[derive(Deserialize)]
struct Stored {
    problems: Vec<StoredProblem>,
}

#[derive(Deserialize)]
struct StoredProblem {
    #[serde(default)]
    id: serde_json::Value,
    cause: StoredCause,
    count: u64,
    first_seen: i64,
    last_seen: i64,
    #[serde(default)]
    example: String,
    trace_id: Option<String>,
    state: String,
    until: Option<i64>,
}

#[derive(Deserialize)]
struct StoredCause {
    kind: String,
    #[serde(default)]
    place: String,
    #[serde(default)]
    what: String,
    because: Option<String>,
}

/// Returns the problems as the console told them, else as the node has stored them.
pub(super) fn of(files: &Files) -> Problems {
    if let Some(problems) = files.json(CONSOLE_PROBLEMS) {
        return problems;
    }
    let stored = files.json(PROBLEMS).map_or_else(Vec::new, |stored: Stored| stored.problems);
    let is_other = |problem: &StoredProblem| problem.cause.kind == "other";
    let ungrouped = stored.iter().filter(|problem| is_other(problem)).map(|problem| problem.count);
    let ungrouped = ungrouped.fold(0, u64::saturating_add);
    let mut problems: Vec<Problem> =
        stored.into_iter().filter(|problem| !is_other(problem)).map(shown).collect();
    problems.sort_by_key(|problem| problem.state != ProblemState::Open);
    Problems { problems, ungrouped }
}

fn shown(problem: StoredProblem) -> Problem {
    Problem {
        id: problem.id.as_u64().map_or_else(|| problem.id.to_string(), |id| format!("{id:010x}")),
        kind: match problem.cause.kind.as_str() {
            "trace" => ProblemKind::Trace,
            "panic" => ProblemKind::Panic,
            "check" => ProblemKind::Check,
            _ => ProblemKind::Line,
        },
        place: problem.cause.place,
        title: if problem.cause.what.is_empty() { problem.example } else { problem.cause.what },
        cause: problem.cause.because,
        fix: None,
        count: problem.count,
        first_seen: time(problem.first_seen),
        last_seen: time(problem.last_seen),
        trace_id: problem.trace_id,
        state: match problem.state.as_str() {
            "muted" => ProblemState::Muted,
            "cleared" => ProblemState::Cleared,
            _ => ProblemState::Open,
        },
        muted_until: problem.until.map(time),
    }
}

fn time(ms: i64) -> String {
    DateTime::from_timestamp_millis(ms).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Millis, true)
}
