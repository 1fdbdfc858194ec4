//! Counts of a store.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::record::Outcome;

/// Counts of a store since it was made, and its size now.
///
/// ```
/// let store = obs_trace::Store::default();
/// let _scope = store.enter();
/// obs_trace::new_trace("llm.chat").finish();
/// let stats = store.stats();
/// assert_eq!((stats.completed, stats.failed, stats.active), (1, 0, 0));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Traces that have ended, whatever their status.
    pub completed: u64,
    /// Traces that ended with an error code. Included in `completed`.
    pub failed: u64,
    /// Traces that were dropped before their end. Included in `completed`.
    pub cancelled: u64,
    /// Traces that ended by a panic. Included in `completed`.
    pub panicked: u64,
    /// Traces that run now.
    pub active: usize,
    /// Bytes of memory of the traces in the ring.
    pub ring_bytes: usize,
    /// Spans that were not kept, because their trace was full or ended before them.
    pub dropped_spans: u64,
    /// Spans that began after the end of their trace. Included in `dropped_spans`.
    pub late_spans: u64,
    /// Fields that were not kept, because their trace was full or had ended.
    pub dropped_fields: u64,
    /// Polls that held their worker for longer than [`Config::blocked_worker_ms`](crate::Config::blocked_worker_ms).
    pub blocked_polls: u64,
    /// Traces that a peer marked.
    pub marked: u64,
    /// Failed or marked traces that made room for later ones beside the ring.
    pub broken_evicted: u64,
}

/// Numbers of ended traces by outcome.
#[derive(Default)]
pub(super) struct Ended([u64; Outcome::COUNT]);

impl Ended {
    pub(super) fn count(&mut self, outcome: Outcome) {
        self.0[outcome as usize] += 1;
    }

    pub(super) fn add(&mut self, more: &Ended) {
        self.0.iter_mut().zip(more.0).for_each(|(count, more)| *count += more);
    }

    fn of(&self, outcome: Outcome) -> u64 {
        self.0[outcome as usize]
    }
}

/// Sums over all shards.
#[derive(Default)]
pub(super) struct Totals {
    pub(super) running: usize,
    pub(super) ended: Ended,
    pub(super) ring_bytes: usize,
}

/// Counts of rare events. They are shared by all threads, because they seldom change.
#[derive(Default)]
pub(super) struct Counts {
    /// Spans that began before the end of their trace and were not kept.
    dropped_spans: Count,
    pub(super) late_spans: Count,
    pub(super) dropped_fields: Count,
    pub(super) blocked_polls: Count,
    pub(super) marked: Count,
    pub(super) broken_evicted: Count,
}

#[derive(Default)]
pub(crate) struct Count(AtomicU64);

// Relaxed: a counter orders nothing else.
impl Count {
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counts {
    pub(super) fn note_dropped(&self, spans: u64) {
        // Most traces drop none. The check keeps them from writing to shared memory.
        if spans > 0 {
            self.dropped_spans.add(spans);
        }
    }

    pub(super) fn note_broken_evicted(&self, traces: u64) {
        // As in `note_dropped`.
        if traces > 0 {
            self.broken_evicted.add(traces);
        }
    }

    pub(super) fn stats(&self, totals: &Totals) -> Stats {
        let Totals { running, ended, ring_bytes } = totals;
        let late_spans = self.late_spans.get();
        Stats {
            completed: ended.0.iter().sum(),
            failed: ended.of(Outcome::Failed),
            cancelled: ended.of(Outcome::Cancelled),
            panicked: ended.of(Outcome::Panic),
            active: *running,
            ring_bytes: *ring_bytes,
            dropped_spans: self.dropped_spans.get() + late_spans,
            late_spans,
            dropped_fields: self.dropped_fields.get(),
            blocked_polls: self.blocked_polls.get(),
            marked: self.marked.get(),
            broken_evicted: self.broken_evicted.get(),
        }
    }
}
