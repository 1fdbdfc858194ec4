//! Problems: faults grouped by cause.

use obs_console::Failure;
use obs_console::api::Problems;
#[cfg(feature = "history")]
use obs_console::api::{Problem, ProblemKind, ProblemState};
#[cfg(feature = "history")]
use obs_history::problems::{Kind, ProblemId, State};

#[cfg(feature = "history")]
use super::clock;
use super::past::Past;
#[cfg(feature = "history")]
use crate::seams::problems::problems as of_process;

/// Returns the problems, open ones first.
#[cfg(feature = "history")]
pub(super) fn problems(_: &Past) -> Result<Problems, Failure> {
    let all = of_process().list();
    let is_other = |problem: &&obs_history::problems::Problem| problem.cause.kind() == Kind::Other;
    let ungrouped = all.iter().filter(is_other).map(|problem| problem.count).sum();
    let problems = all.iter().filter_map(|problem| Some(shown(problem, kind(problem.cause.kind())?)));
    Ok(Problems { problems: problems.collect(), ungrouped })
}

#[cfg(not(feature = "history"))]
pub(super) fn problems(_: &Past) -> Result<Problems, Failure> {
    Ok(Problems { problems: Vec::new(), ungrouped: 0 })
}

/// Returns the kind; `None` for faults without a group, and for a kind of a later version.
#[cfg(feature = "history")]
fn kind(kind: Kind) -> Option<ProblemKind> {
    match kind {
        Kind::Line => Some(ProblemKind::Line),
        Kind::Trace => Some(ProblemKind::Trace),
        Kind::Panic => Some(ProblemKind::Panic),
        Kind::Check => Some(ProblemKind::Check),
        _ => None,
    }
}

#[cfg(feature = "history")]
fn shown(problem: &obs_history::problems::Problem, kind: ProblemKind) -> Problem {
    let (state, muted_until) = match problem.state {
        State::Open => (ProblemState::Open, None),
        State::Muted { until_ms } => (ProblemState::Muted, Some(clock::text(clock::at(until_ms / 1_000)))),
        _ => (ProblemState::Cleared, None),
    };
    let at = |ms: u64| clock::text(clock::at(ms / 1_000));
    Problem {
        id: problem.id.to_string(),
        kind,
        place: problem.cause.place().to_owned(),
        title: problem.cause.what().to_owned(),
        cause: cause(problem),
        fix: None,
        count: problem.count,
        first_seen: at(problem.first_seen_ms),
        last_seen: at(problem.last_seen_ms),
        trace_id: problem.trace_id.as_deref().map(str::to_owned),
        state,
        muted_until,
    }
}

/// Returns the first cause. That of a failed call is in the example, after the capability and the code.
#[cfg(feature = "history")]
fn cause(problem: &obs_history::problems::Problem) -> Option<String> {
    if problem.cause.kind() != Kind::Trace {
        return problem.cause.because().map(str::to_owned);
    }
    let (_, cause) = problem.example.split_once(&format!(": {}: ", problem.cause.what()))?;
    Some(cause.to_owned())
}

/// Mutes a problem until a time, or ends its silence.
#[cfg(feature = "history")]
pub(super) fn mute(_: &Past, id: &str, until: Option<u64>) -> Result<(), Failure> {
    let Ok(number) = id.parse::<ProblemId>() else { return Err(unknown(id)) };
    let is_known = match until {
        Some(second) => of_process().mute(number, second.saturating_mul(1_000)),
        None => of_process().unmute(number),
    };
    if is_known { Ok(()) } else { Err(unknown(id)) }
}

#[cfg(not(feature = "history"))]
pub(super) fn mute(_: &Past, id: &str, _: Option<u64>) -> Result<(), Failure> {
    Err(unknown(id))
}

fn unknown(id: &str) -> Failure {
    let id: String = id.chars().take(64).flat_map(char::escape_default).collect();
    Failure::NotFound(format!("there is no problem {id}"))
}

#[cfg(all(test, feature = "history"))]
mod tests {
    use obs_history::problems::{Occurrence, Problems as Table};

    use super::*;

    #[test]
    fn a_failed_call_has_the_cause_of_its_example() {
        let cause_of = |example: &str| {
            let table = Table::new();
            let failure =
                Occurrence { at_ms: 1_000, count: 1, is_error: true, example: &example, trace_id: None };
            table.observe_trace("llm.chat", "partition", &failure);
            shown(&table.list()[0], ProblemKind::Trace).cause
        };
        let refused = "connect http://127.0.0.1:11434: connection refused";
        assert_eq!(cause_of(&format!("llm.chat: partition: {refused}")).as_deref(), Some(refused));
        assert_eq!(cause_of("llm.chat: partition"), None, "no span has a cause");
    }

    #[test]
    fn a_line_has_the_cause_without_its_variable_parts() {
        let table = Table::new();
        let line = Occurrence { at_ms: 1_000, count: 1, is_error: true, example: &"x", trace_id: None };
        table.observe_line("bus", "down", Some("port 80 is taken"), &line);
        assert_eq!(shown(&table.list()[0], ProblemKind::Line).cause.as_deref(), Some("port … is taken"));
    }
}
