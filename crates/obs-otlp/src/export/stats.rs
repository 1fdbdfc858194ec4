//! Counts of an exporter.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Counts of an exporter since it was started, and the size of its queue now.
///
/// Each item is in exactly one count: `offered` is the sum of `exported`, `failed`, `dropped`, `waiting` and `sending`.
///
/// ```
/// assert_eq!(obs_otlp::Stats::default().offered, 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Items that were given to the exporter since it was started.
    pub offered: u64,
    /// Items that a collector has accepted.
    pub exported: u64,
    /// Items that were sent and that the collector did not accept.
    pub failed: u64,
    /// Items that were not sent, because the queue was full or the exporter ended.
    pub dropped: u64,
    /// Items in the queue.
    pub waiting: usize,
    /// Bytes of memory of the items in the queue.
    pub waiting_bytes: usize,
    /// Items of the request that is being made or repeated.
    pub sending: usize,
    /// Units of the exported items.
    pub exported_units: u64,
    /// Units that the collector rejected. Included in `exported_units`.
    pub rejected_units: u64,
    /// Requests, including retries.
    pub requests: u64,
    /// Requests that were repeated.
    pub retries: u64,
    /// Whether the last request failed.
    pub is_failing: bool,
    /// Time of the first of the requests that have failed since one succeeded.
    pub failing_since: Option<SystemTime>,
}

/// Counts that change under the lock of the queue, so that a reader finds each item in exactly one.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) offered: Count,
    pub(super) exported: Count,
    pub(super) failed: Count,
    pub(super) dropped: Count,
    pub(super) exported_units: Count,
    pub(super) rejected_units: Count,
    pub(super) requests: Count,
    pub(super) retries: Count,
    pub(super) failing: Failing,
}

/// Time since which requests fail, in Unix milliseconds; 0 while they succeed.
#[derive(Default)]
pub(super) struct Failing(AtomicU64);

// Relaxed: for readers of the statistics. Only the worker writes it.
impl Failing {
    pub(super) fn begin(&self) {
        if self.since().is_none() {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
            self.0.store((now as u64).max(1), Ordering::Relaxed);
        }
    }

    pub(super) fn end(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    pub(super) fn since(&self) -> Option<SystemTime> {
        let ms = self.0.load(Ordering::Relaxed);
        (ms > 0).then(|| UNIX_EPOCH + Duration::from_millis(ms))
    }
}

#[derive(Default)]
pub(super) struct Count(AtomicU64);

// Relaxed: a counter orders nothing else.
impl Count {
    pub(super) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
