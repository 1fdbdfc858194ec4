//! Counts of an exporter.

use std::sync::atomic::AtomicBool;

use crate::store::Count;

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
}

/// Counts that change under the lock of the queue, so that a reader finds each trace in exactly one.
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
