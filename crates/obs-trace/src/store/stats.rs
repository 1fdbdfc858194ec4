//! What a store has seen.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::record::Outcome;
use crate::store::shards::Totals;

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

/// How many traces have ended, by how.
#[derive(Default)]
pub(crate) struct Ended([u64; Outcome::ALL]);

impl Ended {
    pub(crate) fn count(&mut self, outcome: Outcome) {
        self.0[outcome as usize] += 1;
    }

    pub(crate) fn add(&mut self, more: &Ended) {
        self.0.iter_mut().zip(more.0).for_each(|(count, more)| *count += more);
    }

    fn of(&self, outcome: Outcome) -> u64 {
        self.0[outcome as usize]
    }
}

/// What is seldom counted.
#[derive(Default)]
pub(crate) struct Counts {
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
    pub(crate) fn note_dropped(&self, spans: u64) {
        if spans > 0 {
            self.dropped_spans.add(spans);
        }
    }

    pub(crate) fn stats(&self, totals: &Totals) -> Stats {
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
        }
    }
}
