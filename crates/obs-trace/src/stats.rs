//! What a store has seen.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::record::Outcome;

/// What a store has seen since it was made, and what it holds now.
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
    /// Traces that have ended, however they did.
    pub completed: u64,
    /// Of these, the ones that ended with an error code.
    pub failed: u64,
    /// Of these, the ones that were dropped before their end.
    pub cancelled: u64,
    /// Of these, the ones that unwound.
    pub panicked: u64,
    /// Traces that run now.
    pub active: usize,
    /// Bytes that the traces in the ring take.
    pub ring_bytes: usize,
    /// Spans that were not kept, because their trace was full or ended before them.
    pub dropped_spans: u64,
    /// Of these, the ones that began after their trace had ended.
    pub late_spans: u64,
    /// Fields that were not kept, because their trace was full or had ended.
    pub dropped_fields: u64,
}

#[derive(Default)]
pub(crate) struct Counts {
    failed: Count,
    cancelled: Count,
    panicked: Count,
    /// Those that began before the end of their trace.
    dropped_spans: Count,
    pub(crate) late_spans: Count,
    pub(crate) dropped_fields: Count,
}

#[derive(Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counts {
    pub(crate) fn count(&self, outcome: Outcome, dropped_spans: u64) {
        match outcome {
            Outcome::Ok => {}
            Outcome::Failed => self.failed.add(1),
            Outcome::Cancelled => self.cancelled.add(1),
            Outcome::Panic => self.panicked.add(1),
        }
        if dropped_spans > 0 {
            self.dropped_spans.add(dropped_spans);
        }
    }

    pub(crate) fn stats(&self, completed: u64, active: usize, ring_bytes: usize) -> Stats {
        let late_spans = self.late_spans.get();
        Stats {
            completed,
            failed: self.failed.get(),
            cancelled: self.cancelled.get(),
            panicked: self.panicked.get(),
            active,
            ring_bytes,
            dropped_spans: self.dropped_spans.get() + late_spans,
            late_spans,
            dropped_fields: self.dropped_fields.get(),
        }
    }
}
