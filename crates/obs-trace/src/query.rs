//! Which completed traces a reader asks for (T6).

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::{TraceId, TraceRecord};

/// What [`query`](crate::query) is to give: all that is set must hold.
///
/// ```
/// use std::time::Duration;
/// use obs_trace::Filter;
///
/// let filter = Filter::default().limit(5).capability("llm.chat").status("timeout").min_duration(Duration::from_secs(1));
/// assert!(obs_trace::query(&filter).is_empty());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Filter {
    limit: usize,
    capability: Option<String>,
    status: Option<String>,
    min_duration: Duration,
    id: Option<TraceId>,
}

impl Default for Filter {
    /// The last 100 traces of any kind.
    fn default() -> Filter {
        Filter { limit: 100, capability: None, status: None, min_duration: Duration::ZERO, id: None }
    }
}

impl Filter {
    /// At most so many traces; 100 if it is not set.
    pub fn limit(mut self, traces: usize) -> Filter {
        self.limit = traces;
        self
    }

    /// Only traces of exactly this capability.
    pub fn capability(mut self, capability: impl Into<String>) -> Filter {
        self.capability = Some(capability.into());
        self
    }

    /// Only traces with exactly this status: `ok`, an error code, `cancelled` or `panic`.
    pub fn status(mut self, status: impl Into<String>) -> Filter {
        self.status = Some(status.into());
        self
    }

    /// Only traces that lasted at least so long.
    pub fn min_duration(mut self, duration: Duration) -> Filter {
        self.min_duration = duration;
        self
    }

    /// Only traces with this ID; a peer may have used one ID for several.
    pub fn id(mut self, id: TraceId) -> Filter {
        self.id = Some(id);
        self
    }

    fn admits(&self, record: &TraceRecord) -> bool {
        self.id.is_none_or(|id| id == record.trace_id())
            && self.capability.as_ref().is_none_or(|capability| capability == record.capability())
            && record.duration() >= self.min_duration
            && self.status.as_ref().is_none_or(|status| status == record.status().as_str())
    }
}

/// The traces of the ring, and after them those of `retained` that the ring has lost.
pub(crate) fn run(
    filter: &Filter,
    ring: impl Iterator<Item = Arc<TraceRecord>>,
    retained: Vec<Arc<TraceRecord>>,
) -> Vec<Arc<TraceRecord>> {
    let mut found: Vec<_> = ring.filter(|record| filter.admits(record)).take(filter.limit).collect();
    let known: HashSet<_> = found.iter().map(|record| ticket(record)).collect();
    let mut older: Vec<_> = retained.into_iter().filter(|record| filter.admits(record)).collect();
    older.retain(|record| !known.contains(&ticket(record)));
    older.sort_by_key(|record| std::cmp::Reverse(ticket(record)));
    older.dedup_by_key(|record| ticket(record));
    found.extend(older);
    found.sort_by_key(|record| std::cmp::Reverse(ticket(record)));
    found.truncate(filter.limit);
    found
}

fn ticket(record: &TraceRecord) -> u64 {
    record.ticket().load(Ordering::Relaxed)
}
