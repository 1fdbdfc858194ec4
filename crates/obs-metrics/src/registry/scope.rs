//! A registry for the current thread, so that tests run side by side (M12).

use std::cell::RefCell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::registry::Registry;

/// How many scopes are open in the process; a family looks further only if there is one.
static OPEN: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static ENTERED: RefCell<Vec<Registry>> = const { RefCell::new(Vec::new()) };
}

#[inline]
pub(crate) fn any() -> bool {
    OPEN.load(Ordering::Relaxed) != 0
}

pub(crate) fn current() -> Option<Registry> {
    if !any() {
        return None;
    }
    ENTERED.try_with(|entered| entered.borrow().last().cloned()).ok().flatten()
}

/// Ends the scope that [`Registry::enter`] opened when it is dropped. It belongs to its thread.
///
/// ```
/// let registry = obs_metrics::Registry::new();
/// {
///     let _scope: obs_metrics::Scope = registry.enter();
///     obs_metrics::counter("scoped_total", "Only in the entered registry.", []).with([]).inc();
/// }
/// assert_eq!(registry.value("scoped_total", &[]), Some(1.0));
/// ```
#[derive(Debug)]
#[must_use = "the scope ends when this is dropped"]
pub struct Scope {
    _thread: PhantomData<*const ()>,
}

impl Scope {
    pub(crate) fn open(registry: Registry) -> Self {
        OPEN.fetch_add(1, Ordering::Relaxed);
        ENTERED.with(|entered| entered.borrow_mut().push(registry));
        Self { _thread: PhantomData }
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        let left = ENTERED.try_with(|entered| entered.borrow_mut().pop());
        OPEN.fetch_sub(1, Ordering::Relaxed);
        drop(left);
    }
}
