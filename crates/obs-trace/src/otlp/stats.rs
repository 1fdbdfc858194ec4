//! What an exporter has done so far.

use std::sync::atomic::{AtomicBool, Ordering};

use super::queue::Queue;
use crate::store::Count;

/// What an exporter has done since it was started, and what waits now.
///
/// Every trace that has ended is counted: `offered` is the sum of `exported`, `failed`, `dropped`,
/// `waiting` and `sending`.
///
/// ```
/// use obs_trace::otlp::{Config, Exporter};
///
/// let store = obs_trace::Store::default();
/// let exporter = Exporter::start(&store, &Config::new("http://127.0.0.1:1"))?;
/// assert_eq!(exporter.stats().offered, 0);
/// # Ok::<(), obs_trace::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Traces that have ended since the exporter was started.
    pub offered: u64,
    /// Of these, the ones that a collector has taken.
    pub exported: u64,
    /// Of these, the ones that were sent and that the collector did not take, however often they were.
    pub failed: u64,
    /// Of these, the ones that were not sent, because too many waited or the exporter was ended.
    pub dropped: u64,
    /// Traces that are not among these, because their caller did not sample them and
    /// [`only_sampled`](super::Config::only_sampled) is set.
    pub unsampled: u64,
    /// Traces that wait to be sent.
    pub waiting: usize,
    /// Bytes of memory that these take.
    pub waiting_bytes: usize,
    /// Traces that are being sent, or sent again.
    pub sending: usize,
    /// Spans of the traces that a collector has taken, the traces themselves included.
    pub exported_spans: u64,
    /// Of these, the ones that the collector said it has not kept.
    pub rejected_spans: u64,
    /// Requests that were made.
    pub requests: u64,
    /// Of these, the ones that were made again.
    pub retries: u64,
    /// Whether the last request failed.
    pub is_failing: bool,
}

#[derive(Default)]
pub(super) struct Counts {
    pub(super) offered: Count,
    pub(super) exported: Count,
    pub(super) failed: Count,
    pub(super) dropped: Count,
    pub(super) unsampled: Count,
    pub(super) exported_spans: Count,
    pub(super) rejected_spans: Count,
    pub(super) requests: Count,
    pub(super) retries: Count,
    pub(super) is_failing: AtomicBool,
}

impl Stats {
    pub(super) fn of(queue: &Queue) -> Stats {
        queue.look(|moment, counts| Stats {
            offered: counts.offered.get() + moment.refused,
            exported: counts.exported.get(),
            failed: counts.failed.get(),
            dropped: counts.dropped.get() + moment.refused,
            unsampled: counts.unsampled.get(),
            waiting: moment.waiting,
            waiting_bytes: moment.waiting_bytes,
            sending: moment.sending,
            exported_spans: counts.exported_spans.get(),
            rejected_spans: counts.rejected_spans.get(),
            requests: counts.requests.get(),
            retries: counts.retries.get(),
            is_failing: counts.is_failing.load(Ordering::Relaxed),
        })
    }
}
