//! Starts and ends of the node, and breaks of its clock, from the runs of the history.

use chrono::{DateTime, Duration, Utc};
use obs_facade::history::{Cause, Run};

use super::calls::time;
use super::span::Span;
use super::table::moment;
use crate::cli::status::figures;

/// Line between the rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) at: DateTime<Utc>,
    pub(super) text: String,
}

/// Returns the events within the span, in order of their times.
pub(super) fn of(runs: &[Run], span: Span, now: DateTime<Utc>) -> Vec<Event> {
    // Runs are numbered in the order in which they began, whatever the clock showed.
    let mut runs: Vec<&Run> = runs.iter().collect();
    runs.sort_by_key(|run| run.run);
    let mut events = Vec::new();
    for (at, run) in runs.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| runs[before]);
        events.push(Event { at: first(run), text: beginning(run, before, span) });
        if run.has_ended {
            events.push(Event { at: end(run), text: "node stopped".to_owned() });
        }
    }
    if let Some(last) = runs.last()
        && !last.has_ended
        // A running node writes a minute late.
        && now - end(last) > Duration::minutes(3)
    {
        let text =
            "last minute of the node: it was killed or lost power, or keeps no history any more".to_owned();
        events.push(Event { at: end(last), text });
    }
    events.retain(|event| event.at >= span.since && event.at <= span.until);
    events.sort_by_key(|event| event.at);
    events
}

fn first(run: &Run) -> DateTime<Utc> {
    // A start has its second, the other causes a minute.
    let first = time(run.first_minute.saturating_mul(60));
    if run.cause == Cause::Start { DateTime::from(run.started_at).max(first) } else { first }
}

fn end(run: &Run) -> DateTime<Utc> {
    time(run.last_minute.saturating_add(1).saturating_mul(60))
}

fn beginning(run: &Run, before: Option<&Run>, span: Span) -> String {
    match run.cause {
        Cause::Start => match before {
            Some(before) if !before.has_ended => {
                format!("node started; it had been killed after {}", moment(end(before), span.zone))
            }
            _ => "node started".to_owned(),
        },
        Cause::Resumed => "history resumed, after a change of its settings".to_owned(),
        Cause::Clock => {
            let length = figures::span(run.clock_step_seconds.unsigned_abs());
            match run.clock_step_seconds {
                ..0 => format!("clock set back by {length}"),
                _ => format!("clock set forward by {length}, or the machine slept"),
            }
        }
        Cause::Paused => "node went on after a pause of its process".to_owned(),
        Cause::Lost => "minutes before were lost, because the history could not be written".to_owned(),
        _ => "history went on".to_owned(),
    }
}
