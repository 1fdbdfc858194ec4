//! Lists of traces.

use obs_console::Failure;
use obs_console::api::{TraceQuery, TraceSummary, Traces};
use obs_trace::{ActiveTrace, IdPattern, Query};

use super::record::{self, Running};
use crate::console::clock;

/// Maximum number of traces in an answer.
const MAX_TRACES: usize = 1_000;

/// Status that stands for every error code and for panics.
const FAILED: &str = "failed";

/// Returns the traces of a query.
pub(in crate::console) fn list(query: &TraceQuery) -> Result<Traces, Failure> {
    let id = query.id.as_deref().map(pattern).transpose()?;
    // All of them: their number and the begin of the oldest are part of the answer. They are references.
    let kept = obs_trace::query(&Query::default().n(usize::MAX));
    let oldest = kept.iter().map(|record| record.started_at()).min().map(clock::text);
    let traces = match query.active {
        true => running(query, id.as_ref()),
        false => completed(query, id),
    };
    Ok(Traces { traces, kept: kept.len() as u64, oldest })
}

/// Parses the ID of a trace, or the part of it that is shown.
pub(super) fn pattern(text: &str) -> Result<IdPattern, Failure> {
    text.parse().map_err(|error| Failure::BadQuery(format!("id: {error}")))
}

fn completed(query: &TraceQuery, id: Option<IdPattern>) -> Vec<TraceSummary> {
    let n = query.n.min(MAX_TRACES);
    let has_window = query.since.is_some() || query.until.is_some();
    // The store knows no window, so that the number is limited after it.
    let mut wanted = Query::default().n(if has_window { usize::MAX } else { n });
    if let Some(capability) = &query.capability {
        wanted = wanted.capability(capability);
    }
    match query.status.as_deref() {
        Some(FAILED) => wanted = wanted.failed(),
        Some(status) => wanted = wanted.status(status),
        None => {}
    }
    if let Some(ms) = query.min_ms {
        wanted = wanted.min_ms(ms);
    }
    if let Some(id) = id {
        wanted = wanted.id_like(id);
    }
    if query.slowest {
        wanted = wanted.slowest_first();
    }
    let (since, until) = (query.since.map(clock::at), query.until.map(clock::at));
    let found = obs_trace::query(&wanted);
    let in_window = found.iter().filter(|record| {
        let began = record.started_at();
        since.is_none_or(|since| began >= since) && until.is_none_or(|until| began < until)
    });
    in_window.take(n).map(|record| record::summary(record)).collect()
}

fn running(query: &TraceQuery, id: Option<&IdPattern>) -> Vec<TraceSummary> {
    let is_wanted = |active: &&ActiveTrace| {
        let trace = active.trace();
        id.is_none_or(|id| id.matches(trace.id()))
            && query.capability.as_ref().is_none_or(|capability| capability == trace.capability())
    };
    let active = obs_trace::active();
    let all = active.iter().filter(is_wanted).map(Running::of);
    let matching = all.filter(|running| {
        query.min_ms.is_none_or(|ms| running.elapsed_ms() >= ms)
            && match query.status.as_deref() {
                Some(FAILED) => running.status() != "active",
                Some(status) => running.status() == status,
                None => true,
            }
    });
    let mut found: Vec<_> = matching.map(|running| running.summary()).collect();
    // The oldest come first in the list, and have run for the longest time.
    if !query.slowest {
        found.reverse();
    }
    found.truncate(query.n.min(MAX_TRACES));
    found
}
