//! Stores that a thread has entered, for tests that run side by side.

use std::any::Any;
use std::cell::RefCell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Store;

/// Number of scopes in the process, and of traces that a store has adopted. While it is zero, which it is outside tests, no
/// thread looks into its list.
pub(super) static ENTERED_COUNT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Stores of the scopes that are alive on this thread, the innermost last. Each has the number of its scope.
    static ENTERED: RefCell<Vec<(usize, Store)>> = const { RefCell::new(Vec::new()) };
}

impl Store {
    /// Makes this the store of every trace that this thread begins, until the scope is dropped.
    ///
    /// The free functions of the crate read it too when this thread calls them. A trace stays with the store that it
    /// began in, wherever it ends. If the store is gone by then, the trace is not recorded. A trace of the process's store
    /// that ends in the scope is recorded here. `spawn`, [`carry`](crate::carry) and the other helpers take
    /// the scope along to their task or thread.
    ///
    /// Scopes nest: the innermost one counts. A scope that is dropped before inner ones removes itself alone.
    pub fn enter(&self) -> StoreScope {
        static SCOPES: AtomicUsize = AtomicUsize::new(1);
        // Relaxed: only the uniqueness of the number matters.
        let number = SCOPES.fetch_add(1, Ordering::Relaxed);
        ENTERED.with_borrow_mut(|entered| entered.push((number, self.clone())));
        // Relaxed: a thread sees its own change, and other threads have no scope by it.
        ENTERED_COUNT.fetch_add(1, Ordering::Relaxed);
        StoreScope { number, not_send: PhantomData }
    }

    /// Sets a function that opens scopes of other crates wherever a task or thread is carried into this store, for a harness
    /// that captures more than traces. Its result is dropped when the scope ends. The first call counts.
    ///
    /// ```
    /// let store = obs_trace::Store::default();
    /// store.carry_with(|| Box::new(()));              // such as `Box::new(log_capture.enter())`
    /// let _scope = store.enter();
    /// let work = || obs_trace::new_trace("llm.chat").run(|| ());
    /// std::thread::spawn(obs_trace::carry_fn(work)).join().unwrap();
    /// assert_eq!(store.get_recent(10).len(), 1);
    /// ```
    pub fn carry_with(&self, open: impl Fn() -> Box<dyn Any> + Send + Sync + 'static) {
        self.set_companion(Box::new(open));
    }

    /// Returns the store that this thread has entered, if any.
    #[inline]
    pub(crate) fn entered() -> Option<Store> {
        // Relaxed: as in `enter`.
        if ENTERED_COUNT.load(Ordering::Relaxed) == 0 {
            return None;
        }
        ENTERED.try_with(|entered| entered.borrow().last().map(|(_, store)| store.clone())).ok().flatten()
    }

    /// Returns the store in force on this thread: the one that it has entered, else that of the process.
    ///
    /// ```
    /// assert_eq!(obs_trace::Store::current().stats().panicked, 0);
    /// ```
    pub fn current() -> Store {
        Store::entered().unwrap_or_else(|| Store::global().clone())
    }
}

/// Store that a task takes along from the code that starts it. Outside tests there is none.
pub(crate) struct Carried(Option<Store>);

impl Carried {
    pub(crate) const NOTHING: Carried = Carried(None);

    /// Returns the store that the caller's thread has entered.
    #[inline]
    pub(crate) fn here() -> Carried {
        Carried(Store::entered())
    }

    /// Runs `f` in the scope that was in force where this was made.
    #[inline]
    pub(crate) fn run<R>(&self, f: impl FnOnce() -> R) -> R {
        match &self.0 {
            None => f(),
            Some(store) => store.run(f),
        }
    }
}

impl Store {
    #[cold]
    fn run<R>(&self, f: impl FnOnce() -> R) -> R {
        let _traces = self.enter();
        let _others = self.companion().map(|open| open());
        f()
    }
}

/// Scope in which a store is in force on a thread. See [`Store::enter`].
///
/// ```
/// let store = obs_trace::Store::default();
/// let scope = store.enter();
/// obs_trace::new_trace("inside").finish();
/// drop(scope);
/// obs_trace::new_trace("outside").finish();
/// assert_eq!(store.get_recent(10).len(), 1);
/// ```
#[derive(Debug)]
#[must_use = "the store is left when the scope is dropped"]
pub struct StoreScope {
    number: usize,
    /// The list belongs to one thread.
    not_send: PhantomData<*const ()>,
}

impl Drop for StoreScope {
    fn drop(&mut self) {
        let left = ENTERED.try_with(|entered| {
            let mut entered = entered.borrow_mut();
            // By number: scopes may be dropped out of order.
            let position = entered.iter().position(|(number, _)| *number == self.number);
            position.map(|position| entered.remove(position))
        });
        // Dropped outside the borrow: the last handle of a store drops its traces.
        drop(left);
        // Relaxed: as in `enter`.
        ENTERED_COUNT.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::new_trace;

    #[test]
    fn a_scope_that_is_dropped_out_of_order_removes_itself() {
        let [outer, middle, inner] = [(); 3].map(|()| Store::default());
        let [outer_scope, middle_scope, inner_scope] = [&outer, &middle, &inner].map(Store::enter);
        let ended = |expected: [usize; 3]| {
            new_trace("llm.chat").finish();
            let found = [&outer, &middle, &inner].map(|store| store.get_recent(10).len());
            assert_eq!(found, expected);
        };
        ended([0, 0, 1]);
        drop(middle_scope);
        ended([0, 0, 2]);
        drop(outer_scope);
        ended([0, 0, 3]);
        drop(inner_scope);
        ended([0, 0, 3]);
    }
}
