//! Reasons why nothing is shown.

use std::time::SystemTime;

use chrono::{DateTime, Utc};
use obs_facade::history::{Error, Reader};

use super::calls::Calls;
use super::span::Span;
use super::table::moment;
use crate::config::Config;

/// Returns the reason why there is no file.
pub(super) fn no_file(config: &Config, error: &Error) -> String {
    match config.observability.keeps_history() {
        Some(false) => {
            format!("{}, because `[observability] history` is false; set it to true", error.problem())
        }
        _ => format!("{}; `hearthnet run` begins one", error.problem()),
    }
}

/// Returns the reason why there is no call in the span.
pub(super) fn explanation(calls: &Calls, span: Span, capability: Option<&str>, reader: &Reader) -> String {
    let shown = |time: DateTime<Utc>| moment(time, span.zone);
    let (since, until) = (shown(span.since), shown(span.until));
    if let Some(capability) = capability
        && !calls.others.is_empty()
    {
        let others = calls.others.join(", ");
        return format!(
            "no calls of `{capability}` from {since} until {until}; there were calls of {others}"
        );
    }
    if !calls.runs.is_empty() {
        return format!("no calls from {since} until {until}, in which the node was up at times");
    }
    match first(reader) {
        None => "the history is empty: the first minute of the node is not over".to_owned(),
        Some(first) if first > span.until => {
            format!("nothing from {since} until {until}; the history begins at {}", shown(first))
        }
        Some(_) => format!("the node was not up from {since} until {until}"),
    }
}

/// Returns the beginning of the history.
fn first(reader: &Reader) -> Option<DateTime<Utc>> {
    let all = reader.visit(SystemTime::UNIX_EPOCH, SystemTime::now(), |_| false, |_| {});
    let (runs, _) = all.ok()?;
    runs.iter().map(|run| run.first_minute).min().map(|minute| super::calls::time(minute.saturating_mul(60)))
}
