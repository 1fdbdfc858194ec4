//! The standard library's types.

use std::sync::{MutexGuard, PoisonError};

pub(crate) use std::sync::{Mutex, OnceLock, atomic};
pub(crate) use std::thread::{sleep, yield_now};
pub(crate) use std::{hint, thread_local as per_thread};

/// Whether loom runs this build.
pub(crate) const IS_MODEL: bool = false;

/// Takes a lock. Its holder cannot have panicked half way: no code of a user runs inside.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
