//! Traces of the process's store that a test's store takes over.
//!
//! A test may begin a trace before it enters its capture: `capture.scope(new_trace("x").scope(future))`. The trace belongs to
//! the store of the process, and the test looks for it in its own.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::Store;
use super::core::Inner;
use super::scope::ENTERED_COUNT;
use crate::{Trace, TraceRecord};

/// Traces that are still running, with the stores that will record them.
static ADOPTED: Mutex<Vec<Adopted>> = Mutex::new(Vec::new());

struct Adopted {
    /// Position among the running traces. Unlike its address, it stays when the drop of the last handle moves the record.
    key: u32,
    store: Weak<Inner>,
}

impl Store {
    /// Records a running trace of the process's store in this one when it ends. A trace of another store, or one that has
    /// ended, stays where it is. The store that adopts a trace last gets it.
    ///
    /// A trace that ends while this store is [entered](Store::enter) is recorded here without it.
    ///
    /// ```
    /// let store = obs_trace::Store::default();
    /// let trace = obs_trace::new_trace("llm.chat");
    /// store.adopt(&trace);
    /// trace.finish();
    /// assert_eq!(store.get_recent(10).len(), 1);
    /// ```
    pub fn adopt(&self, trace: &Trace) {
        if !trace.0.is_of_process() || trace.is_ended() {
            return;
        }
        let adopted = Adopted { key: key(&trace.0), store: self.weak() };
        let replaced = with_adopted(|all| {
            let replaced = take(all, adopted.key);
            all.push(adopted);
            replaced
        });
        if replaced.is_none() {
            // Relaxed: the thread that ends the trace got its handle from this one, or does not know of the adoption.
            ENTERED_COUNT.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns the store that records a trace of the process's store that ends here, if it is another one.
    #[inline]
    pub(super) fn adopter(record: &Arc<TraceRecord>) -> Option<Store> {
        // Relaxed: see `adopt`.
        if ENTERED_COUNT.load(Ordering::Relaxed) == 0 { None } else { Store::find_adopter(record) }
    }

    #[cold]
    fn find_adopter(record: &Arc<TraceRecord>) -> Option<Store> {
        if !record.is_of_process() {
            return None;
        }
        let adopted = with_adopted(|all| take(all, key(record)));
        if adopted.is_some() {
            ENTERED_COUNT.fetch_sub(1, Ordering::Relaxed);
        }
        Store::entered().or_else(|| adopted?.store.upgrade().map(Store::of))
    }
}

fn key(record: &TraceRecord) -> u32 {
    // Relaxed: set when the trace began, which this thread knows of.
    record.active_key().load(Ordering::Relaxed)
}

fn take(all: &mut Vec<Adopted>, key: u32) -> Option<Adopted> {
    all.iter().position(|adopted| adopted.key == key).map(|at| all.swap_remove(at))
}

fn with_adopted<R>(f: impl FnOnce(&mut Vec<Adopted>) -> R) -> R {
    f(&mut ADOPTED.lock().unwrap_or_else(PoisonError::into_inner))
}
