//! Loom's types with the interface of the standard library's.

use std::sync::{LockResult, PoisonError};
use std::time::Duration;

use crossbeam_utils::CachePadded;
pub(crate) use loom::sync::{Mutex, MutexGuard, atomic};

/// Takes a lock of loom or of the standard library. Statics have the latter in a model too, because loom makes no lock at
/// compile time.
pub(crate) fn lock<M: Lock>(mutex: &M) -> M::Guard<'_> {
    mutex.hold()
}

pub(crate) trait Lock {
    type Guard<'a>
    where
        Self: 'a;

    fn hold(&self) -> Self::Guard<'_>;
}

impl<T> Lock for Mutex<T> {
    type Guard<'a>
        = MutexGuard<'a, T>
    where
        T: 'a;

    fn hold(&self) -> MutexGuard<'_, T> {
        self.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Lock for std::sync::Mutex<T> {
    type Guard<'a>
        = std::sync::MutexGuard<'a, T>
    where
        T: 'a;

    fn hold(&self) -> std::sync::MutexGuard<'_, T> {
        self.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stands for the coercion of a reference, which happens by itself where [`lock`] takes one type of lock.
impl<M: Lock> Lock for std::sync::Arc<M> {
    type Guard<'a>
        = M::Guard<'a>
    where
        M: 'a;

    fn hold(&self) -> M::Guard<'_> {
        (**self).hold()
    }
}

/// Stands for the coercion of a reference, as above.
impl<M: Lock> Lock for CachePadded<M> {
    type Guard<'a>
        = M::Guard<'a>
    where
        M: 'a;

    fn hold(&self) -> M::Guard<'_> {
        (**self).hold()
    }
}

/// Condition variable of a model, in which no time passes. A wait without length ends at once. Any other ends by a
/// notification alone, so that a lost one is a deadlock, which loom reports.
#[derive(Debug, Default)]
pub(crate) struct Condvar(loom::sync::Condvar);

impl Condvar {
    pub(crate) fn new() -> Condvar {
        Condvar::default()
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }

    pub(crate) fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        time: Duration,
    ) -> LockResult<(MutexGuard<'a, T>, ())> {
        Ok((if time.is_zero() { guard } else { self.wait(guard) }, ()))
    }

    pub(crate) fn wait_timeout_while<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        time: Duration,
        wait: impl Fn(&mut T) -> bool,
    ) -> LockResult<(MutexGuard<'a, T>, ())> {
        let mut guard = guard;
        while !time.is_zero() && wait(&mut guard) {
            guard = self.wait(guard);
        }
        Ok((guard, ()))
    }

    fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.0.wait(guard).unwrap_or_else(PoisonError::into_inner)
    }
}
