//! Queries for completed traces.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::{IdPattern, Status, TraceId, TraceRecord};

/// Conditions of a [`query`](crate::query). A trace must meet all that are set.
///
/// ```
/// use obs_trace::Query;
///
/// let query = Query::default().n(5).capability("llm.chat").status("timeout").min_ms(1_000.0);
/// assert!(obs_trace::query(&query).is_empty());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Query {
    n: usize,
    capability: Option<String>,
    status: Option<String>,
    min_duration: Duration,
    id: Option<IdPattern>,
    failed: bool,
    slowest_first: bool,
}

impl Default for Query {
    /// Returns a query for the last 100 traces of any kind.
    fn default() -> Query {
        Query {
            n: 100,
            capability: None,
            status: None,
            min_duration: Duration::ZERO,
            id: None,
            failed: false,
            slowest_first: false,
        }
    }
}

impl Query {
    /// Limits the number of traces. 100 by default.
    pub fn n(mut self, traces: usize) -> Query {
        self.n = traces;
        self
    }

    /// Selects traces of exactly this capability.
    pub fn capability(mut self, capability: impl Into<String>) -> Query {
        self.capability = Some(capability.into());
        self
    }

    /// Selects traces with exactly this status: `ok`, an error code, `cancelled` or `panic`.
    pub fn status(mut self, status: impl Into<String>) -> Query {
        self.status = Some(status.into());
        self
    }

    /// Selects traces that lasted at least this many milliseconds. Negative numbers and NaN count as 0.
    pub fn min_ms(mut self, ms: f64) -> Query {
        self.min_duration = Duration::try_from_secs_f64(ms.max(0.0) / 1e3).unwrap_or(Duration::MAX);
        self
    }

    /// Selects traces with this ID. Peers may use one ID for several traces.
    pub fn id(self, id: TraceId) -> Query {
        self.id_like(id.into())
    }

    /// Selects traces whose ID has this form.
    pub fn id_like(mut self, id: IdPattern) -> Query {
        self.id = Some(id);
        self
    }

    /// Selects traces that ended with an error code or by a panic. A caller that went away is no failure.
    pub fn failed(mut self) -> Query {
        self.failed = true;
        self
    }

    /// Selects the slowest traces instead of the newest, and returns the slowest first.
    pub fn slowest_first(mut self) -> Query {
        self.slowest_first = true;
        self
    }

    fn admits(&self, record: &TraceRecord) -> bool {
        self.id.as_ref().is_none_or(|id| id.matches(record.trace_id()))
            && self.capability.as_ref().is_none_or(|capability| capability == record.capability())
            && record.duration() >= self.min_duration
            && self.status.as_ref().is_none_or(|status| status == record.status().as_str())
            && (!self.failed || matches!(record.status(), Status::Failed(_) | Status::Panic))
    }
}

/// Runs a query over the ring and over the retained traces that the ring has evicted.
pub(super) fn run(
    query: &Query,
    ring: impl Iterator<Item = Arc<TraceRecord>>,
    retained: Vec<Arc<TraceRecord>>,
) -> Vec<Arc<TraceRecord>> {
    // The newest come first, so the first `n` are enough unless the slowest are wanted.
    let limit = if query.slowest_first { usize::MAX } else { query.n };
    let mut found: Vec<_> = ring.filter(|record| query.admits(record)).take(limit).collect();
    let known: HashSet<_> = found.iter().map(|record| ticket(record)).collect();
    // A trace may be among the errors, the slowest and the ring. Its ticket tells it apart.
    let mut older: Vec<_> = retained.into_iter().filter(|record| query.admits(record)).collect();
    older.retain(|record| !known.contains(&ticket(record)));
    older.sort_by_key(|record| std::cmp::Reverse(ticket(record)));
    older.dedup_by_key(|record| ticket(record));
    found.extend(older);
    match query.slowest_first {
        true => found.sort_by_key(|record| std::cmp::Reverse((record.duration(), ticket(record)))),
        false => found.sort_by_key(|record| std::cmp::Reverse(ticket(record))),
    }
    found.truncate(query.n);
    found
}

fn ticket(record: &TraceRecord) -> u64 {
    // Relaxed: written under the lock of a shard, from which the reader got the record.
    record.ticket().load(Ordering::Relaxed)
}
