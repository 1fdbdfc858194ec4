//! What callers and the writer synchronise with: the standard library's types; in a build for the models of
//! `models.rs`, with `--cfg obs_loom`, those of loom.

#[cfg(not(all(test, obs_loom)))]
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, atomic};

#[cfg(all(test, obs_loom))]
mod modelled;
#[cfg(all(test, obs_loom))]
pub(crate) use self::modelled::{Condvar, Mutex, MutexGuard, atomic, lock};

/// A lock whose holder cannot have panicked half way: no code of a user runs inside.
#[cfg(not(all(test, obs_loom)))]
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
