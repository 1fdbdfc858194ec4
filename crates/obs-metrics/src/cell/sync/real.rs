//! Types of the standard library.

use std::sync::{MutexGuard, PoisonError};

pub(crate) use std::sync::{Mutex, OnceLock, atomic};
pub(crate) use std::thread::{sleep, yield_now};
pub(crate) use std::{hint, thread_local as per_thread};

/// Whether loom runs this build.
pub(crate) const IS_MODEL: bool = false;

/// Takes a lock. A poisoned lock is taken too: no code of a user runs under it, so its data is whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
