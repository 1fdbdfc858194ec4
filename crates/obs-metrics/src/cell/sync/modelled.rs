//! Types of loom, in the form of the standard library's.

use std::sync::PoisonError;
use std::time::Duration;

use loom::sync::MutexGuard;
use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering};

pub(crate) use loom::hint;
pub(crate) use loom::sync::{Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard, atomic};
pub(crate) use loom::thread::yield_now;

/// Whether loom runs this build.
pub(crate) const IS_MODEL: bool = true;

/// Yields, as no time passes in a model.
pub(crate) fn sleep(_time: Duration) {
    yield_now();
}

/// Stores a value that other threads change by read-modify-write.
///
/// Loom lets a plain store come between the reading and the writing of another thread's read-modify-write, which the memory
/// model forbids. Two read-modify-writes it keeps apart.
pub(crate) fn store(word: &AtomicU64, value: u64) {
    word.swap(value, Ordering::Relaxed);
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Declares thread-locals. Loom's macro does not accept `const { … }`; an expression accepts it.
macro_rules! per_thread {
    ($($(#[$attribute:meta])* static $name:ident: $type:ty = $value:expr;)*) => {
        ::loom::thread_local! { $($(#[$attribute])* static $name: $type = $value;)* }
    };
}
pub(crate) use per_thread;

/// `OnceLock` for a model. That of the standard library would block the one system thread that all threads of a model share.
/// Here loom's lock guards the making of the value, and loom's flag says whether there is one.
#[derive(Debug)]
pub(crate) struct OnceLock<T> {
    value: std::sync::OnceLock<T>,
    is_set: AtomicBool,
    making: Mutex<()>,
}

impl<T> OnceLock<T> {
    pub(crate) fn new() -> Self {
        Self { value: std::sync::OnceLock::new(), is_set: AtomicBool::new(false), making: Mutex::new(()) }
    }

    pub(crate) fn get(&self) -> Option<&T> {
        // Acquire and Release as in the standard library: a reader of the value sees what made it.
        if self.is_set.load(Ordering::Acquire) { self.value.get() } else { None }
    }

    pub(crate) fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        let made = lock(&self.making);
        if self.value.get().is_none() {
            _ = self.value.set(make());
            self.is_set.store(true, Ordering::Release);
        }
        drop(made);
        self.value.get().expect("just set")
    }
}
