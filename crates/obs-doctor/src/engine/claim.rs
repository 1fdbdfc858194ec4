//! Ownership of a check's thread between the conductor and the thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

/// Decides once whether a thread finished in time or was abandoned, and counts the abandoned threads that still run.
#[derive(Clone)]
pub(super) struct Claim {
    state: Arc<AtomicU8>,
    /// Abandoned threads of this check, in all runs of its registry.
    stuck: Arc<AtomicUsize>,
}

// States. The first of `abandon` and `done` decides whether the thread counts as abandoned.
const RUNNING: u8 = 0;
const ABANDONED: u8 = 1;
const DONE: u8 = 2;

impl Claim {
    pub(super) fn new(stuck: Arc<AtomicUsize>) -> Self {
        Self { state: Arc::new(AtomicU8::new(RUNNING)), stuck }
    }

    /// Counts the thread as stuck, unless it has finished.
    pub(super) fn abandon(&self) {
        // Incremented before the state changes, so that `done`, which sees the new state, never decrements a count that
        // was not incremented. Acquire and release order the two variables.
        self.stuck.fetch_add(1, Ordering::AcqRel);
        // A failed exchange means that the thread finished in the meantime, so the increment is taken back.
        if self.state.compare_exchange(RUNNING, ABANDONED, Ordering::AcqRel, Ordering::Acquire).is_err() {
            self.stuck.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// Marks the thread as finished, and takes it out of the count if it was abandoned.
    pub(super) fn done(&self) {
        // AcqRel: acquires the increment of `abandon` before the decrement below.
        if self.state.swap(DONE, Ordering::AcqRel) == ABANDONED {
            self.stuck.fetch_sub(1, Ordering::AcqRel);
        }
    }
}
