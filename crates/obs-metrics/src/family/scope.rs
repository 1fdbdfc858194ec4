//! Registry that the current thread has entered.

use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use metrics::{LocalRecorderGuard, Recorder};

use super::namespace::Namespace;

/// Number of open scopes in the process. While it is 0, a record costs one load for scopes.
static OPEN: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Open scopes of this thread with their numbers. The last one is in force.
    static ENTERED: RefCell<Vec<(u64, Arc<Namespace>)>> = const { RefCell::new(Vec::new()) };
    /// Recorder of the `metrics` macros on this thread while a scope is open. One for all of them, because scopes may end in
    /// any order and recorders may not.
    static RECORDER: RefCell<Option<LocalRecorderGuard<'static>>> = const { RefCell::new(None) };
}

/// Whether any thread has entered a registry.
#[inline]
pub(crate) fn any() -> bool {
    // Relaxed: a thread always sees its own increment, and the scopes of other threads do not matter to it.
    OPEN.load(Ordering::Relaxed) != 0
}

/// Returns the registry that this thread entered last and has not left.
pub(crate) fn current() -> Option<Arc<Namespace>> {
    if !any() {
        return None;
    }
    let innermost = |entered: &RefCell<Vec<(u64, Arc<Namespace>)>>| {
        entered.borrow().last().map(|(_, namespace)| namespace.clone())
    };
    ENTERED.try_with(innermost).ok().flatten()
}

/// Guard of an entered registry. Dropping it ends the scope that [`Registry::enter`](crate::Registry::enter) began.
///
/// It belongs to its thread. Scopes may end in any order: the last one that is still open is in force.
///
/// ```
/// let registry = obs_metrics::Registry::new();
/// {
///     let _scope: obs_metrics::Scope = registry.enter();
///     obs_metrics::counter("scoped_total", "Only in the entered registry.", []).with([]).inc();
/// }
/// assert_eq!(obs_metrics::testing::value(&registry, "scoped_total", &[]), Some(1.0));
/// ```
#[must_use = "the scope ends when this is dropped"]
pub struct Scope {
    number: u64,
    /// Keeps the guard on the thread whose stack it is on.
    _thread: PhantomData<*const ()>,
}

impl Scope {
    /// `recorder` serves the `metrics` macros for the registry that is in force at each call.
    pub(crate) fn open(namespace: Arc<Namespace>, recorder: &'static dyn Recorder) -> Self {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        // Relaxed: the number only has to be unique.
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        OPEN.fetch_add(1, Ordering::Relaxed);
        // The stack is gone while the thread ends; the scope then has no effect.
        _ = ENTERED.try_with(|entered| entered.borrow_mut().push((number, namespace)));
        _ = RECORDER.try_with(|local| {
            local.borrow_mut().get_or_insert_with(|| metrics::set_default_local_recorder(recorder));
        });
        Self { number, _thread: PhantomData }
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        let left = ENTERED.try_with(|entered| {
            let mut entered = entered.borrow_mut();
            let at = entered.iter().rposition(|(number, _)| *number == self.number);
            (at.map(|at| entered.remove(at)), entered.is_empty())
        });
        if let Ok((_, true)) = left {
            _ = RECORDER.try_with(|local| local.take());
        }
        OPEN.fetch_sub(1, Ordering::Relaxed);
        // Last: the end of a registry may run code of a user, which may enter another one.
        drop(left);
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").finish_non_exhaustive()
    }
}
