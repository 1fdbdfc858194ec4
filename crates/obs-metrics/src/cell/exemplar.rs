//! Exemplars of a cell: the hook that returns the current trace ID, and the place that holds the latest exemplar.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, RwLock, TryLockError};

use crate::exposition::exemplar::Exemplar;

/// Function that passes the current trace ID, if there is one, to its argument.
pub type TraceIdSource = fn(&mut dyn FnMut(&str));

/// Whether there is a source. It spares recording threads the lock of [`SOURCE`] where no one sets a source.
static HAS_SOURCE: AtomicBool = AtomicBool::new(false);

/// Only [`set_trace_id_source`] takes the write lock, for one store, so a recording thread does not wait in practice.
static SOURCE: RwLock<Option<TraceIdSource>> = RwLock::new(None);

/// Sets the function that gives exemplars their trace ID. Without one there are no exemplars.
///
/// The function is called on the recording thread, inside a record. It passes the current trace ID, if any, to the
/// callback once. It must not block, panic, log or record. The last one set wins. A panic in it is caught and counts as
/// no ID.
///
/// It is called for a sample of the observations: for each of the first 256 in a bucket or a counter, then for every 64th.
/// A trace ID has 1 to 64 ASCII letters, digits, `-` or `_`; any other text counts as no ID.
///
/// ```
/// obs_metrics::set_trace_id_source(|callback| callback("01HXR3F2M4C9T8Q0Z6V5K7B1AD"));
/// ```
pub fn set_trace_id_source(source: TraceIdSource) {
    *SOURCE.write().unwrap_or_else(PoisonError::into_inner) = Some(source);
    // Relaxed: the flag guards no data. The lock of `SOURCE` orders the function itself.
    HAS_SOURCE.store(true, Ordering::Relaxed);
}

/// Returns whether an observation that moves a count from `before` to `after` gets an exemplar. The first 256 do, so that
/// rare buckets have one; afterwards every 64th does, so that the clock and the hook cost a busy bucket little.
#[inline]
pub(crate) fn is_due(before: u64, after: u64) -> bool {
    // Relaxed: an observation that misses a source that was just set has no exemplar.
    HAS_SOURCE.load(Ordering::Relaxed) && (before < 256 || before / 64 != after / 64)
}

/// Returns an exemplar with the current trace ID.
fn current(value: f64) -> Option<Exemplar> {
    // Copied out, so that the lock is free while the function runs.
    let source = (*SOURCE.read().unwrap_or_else(PoisonError::into_inner))?;
    let mut found = None;
    let call = AssertUnwindSafe(|| source(&mut |id| found = Exemplar::new(id, value)));
    catch_unwind(call).ok()?;
    found
}

/// Holder of the latest exemplar.
#[derive(Debug, Default)]
pub(crate) struct ExemplarSlot(Mutex<Option<Exemplar>>);

impl ExemplarSlot {
    /// Stores an exemplar with the current trace ID, if there is one. A writer that finds the lock taken stores nothing,
    /// so that no writer waits.
    pub(crate) fn store_current(&self, value: f64) {
        let Some(exemplar) = current(value) else { return };
        match self.0.try_lock() {
            Ok(mut held) => *held = Some(exemplar),
            Err(TryLockError::Poisoned(held)) => *held.into_inner() = Some(exemplar),
            Err(TryLockError::WouldBlock) => {}
        }
    }

    pub(crate) fn load(&self) -> Option<Exemplar> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
