//! Types of the standard library.

use std::sync::{MutexGuard, PoisonError};

pub(crate) use std::sync::{Mutex, OnceLock, RwLock, RwLockReadGuard, RwLockWriteGuard, atomic};
pub(crate) use std::thread::{sleep, yield_now};
pub(crate) use std::{hint, thread_local as per_thread};

/// Whether loom runs this build.
pub(crate) const IS_MODEL: bool = false;

/// Stores a value that other threads change by read-modify-write.
#[inline]
pub(crate) fn store(word: &atomic::AtomicU64, value: u64) {
    word.store(value, atomic::Ordering::Relaxed);
}

/// Takes a lock. A poisoned lock is taken too: no code of a user runs under it, so its data is whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
