//! Counts of an exporter.

use std::time::SystemTime;

/// Counts of an exporter since it was started, and the size of its queue now.
///
/// Each trace is in exactly one count: `offered` is the sum of `exported`, `failed`, `dropped`, `waiting` and `sending`.
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
    /// Traces that a collector has accepted.
    pub exported: u64,
    /// Traces that were sent and that the collector did not accept.
    pub failed: u64,
    /// Traces that were not sent, because the queue was full or the exporter ended.
    pub dropped: u64,
    /// Traces that their caller did not sample, while [`only_sampled`](super::Config::only_sampled) is set. Not included in
    /// `offered`.
    pub unsampled: u64,
    /// Traces in the queue.
    pub waiting: usize,
    /// Bytes of memory of the traces in the queue.
    pub waiting_bytes: usize,
    /// Traces of the request that is being made or repeated.
    pub sending: usize,
    /// Spans of the exported traces, including the root spans.
    pub exported_spans: u64,
    /// Spans that the collector rejected. Included in `exported_spans`.
    pub rejected_spans: u64,
    /// Requests, including retries.
    pub requests: u64,
    /// Requests that were repeated.
    pub retries: u64,
    /// Whether the last request failed.
    pub is_failing: bool,
    /// Time of the first of the requests that have failed since one succeeded.
    pub failing_since: Option<SystemTime>,
}

impl Stats {
    pub(super) fn of(stats: obs_otlp::Stats, unsampled: u64) -> Stats {
        Stats {
            offered: stats.offered,
            exported: stats.exported,
            failed: stats.failed,
            dropped: stats.dropped,
            unsampled,
            waiting: stats.waiting,
            waiting_bytes: stats.waiting_bytes,
            sending: stats.sending,
            exported_spans: stats.exported_units,
            rejected_spans: stats.rejected_units,
            requests: stats.requests,
            retries: stats.retries,
            is_failing: stats.is_failing,
            failing_since: stats.failing_since,
        }
    }
}
