//! The standard library's primitives.

use std::sync::PoisonError;

pub(crate) use std::sync::{Mutex, MutexGuard, OnceLock, atomic};
pub(crate) use std::thread_local as per_thread;

/// Whether loom runs this build.
pub(crate) const IS_MODEL: bool = false;

/// Takes a lock, poisoned or not. No code of a user runs under a lock of this crate, so its data is whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
