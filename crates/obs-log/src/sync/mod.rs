//! Locks and atomics of callers and the writer.
//!
//! They are the standard library's types. In a build for the loom models, with `--cfg obs_loom`, they are those of loom.

#[cfg(not(all(test, obs_loom)))]
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, atomic};

#[cfg(all(test, obs_loom))]
mod modelled;
#[cfg(all(test, obs_loom))]
pub(crate) use self::modelled::{Condvar, Mutex, MutexGuard, atomic, lock};

/// Takes a lock, poisoned or not. No code of a user runs under a lock of this crate, so none is left half changed.
#[cfg(not(all(test, obs_loom)))]
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
