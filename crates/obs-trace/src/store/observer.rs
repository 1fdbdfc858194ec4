//! Observers of completed traces.

use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::{Arc, OnceLock};

use crate::TraceRecord;

/// Observer of the traces that end in a store. See [`Store::observe`](crate::Store::observe).
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicUsize, Ordering};
///
/// use obs_trace::{Observer, Store, TraceRecord};
///
/// #[derive(Default)]
/// struct Failures(AtomicUsize);
///
/// impl Observer for Failures {
///     fn completed(&self, record: &TraceRecord) {
///         if !record.status().is_ok() {
///             self.0.fetch_add(1, Ordering::Relaxed);
///         }
///     }
/// }
///
/// let store = Store::default();
/// let failures = Arc::new(Failures::default());
/// assert!(store.observe(failures.clone()));
/// let _scope = store.enter();
/// let trace = obs_trace::new_trace("llm.chat");
/// trace.fail("timeout");
/// trace.finish();
/// assert_eq!(failures.0.load(Ordering::Relaxed), 1);
/// ```
pub trait Observer: Send + Sync {
    /// Takes note of a trace that has ended, on the thread that ends it, before the line `done`.
    ///
    /// The request waits for it, so it must not block, and must not panic. It may begin and end traces of another store.
    fn completed(&self, record: &TraceRecord);
}

/// Maximum number of observers. There is one for each history that the process begins, and one for its problems.
const MAX: usize = 16;

/// Observers in the order in which they were added. They are never removed, so that reading them takes no lock.
#[derive(Default)]
pub(super) struct Observers([OnceLock<Arc<dyn Observer>>; MAX]);

impl Observers {
    /// Adds an observer. Returns `false` if all places are taken.
    pub(super) fn add(&self, observer: Arc<dyn Observer>) -> bool {
        let mut observer = observer;
        for place in &self.0 {
            match place.set(observer) {
                Ok(()) => return true,
                Err(refused) => observer = refused,
            }
        }
        false
    }

    #[inline]
    pub(super) fn completed(&self, record: &TraceRecord) {
        for observer in self.0.iter().map_while(OnceLock::get) {
            observer.completed(record);
        }
    }
}

// A store is part of each trace, which may cross `catch_unwind`. An observer that panics breaks its own promise.
impl UnwindSafe for Observers {}
impl RefUnwindSafe for Observers {}
