//! Loom's primitives in the form of the standard library's.

use std::sync::PoisonError;

use loom::sync::atomic::{AtomicBool, Ordering};

pub(crate) use loom::sync::{Mutex, MutexGuard, atomic};

/// Whether loom runs this build.
pub(crate) const IS_MODEL: bool = true;

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `thread_local!` of loom, which does not accept `const { … }` as it stands.
macro_rules! per_thread {
    ($($(#[$attribute:meta])* static $name:ident: $type:ty = $value:expr;)*) => {
        ::loom::thread_local! { $($(#[$attribute])* static $name: $type = $value;)* }
    };
}
pub(crate) use per_thread;

/// A `OnceLock` whose value is made under loom's lock.
///
/// The lock inside the standard library's would stop all threads of a model, because they share one thread of the
/// system. Whether the value is there is an atomic that loom watches.
#[derive(Debug)]
pub(crate) struct OnceLock<T> {
    value: std::sync::OnceLock<T>,
    is_set: AtomicBool,
    making: Mutex<()>,
}

impl<T> OnceLock<T> {
    pub(crate) fn new() -> OnceLock<T> {
        OnceLock { value: std::sync::OnceLock::new(), is_set: AtomicBool::new(false), making: Mutex::new(()) }
    }

    pub(crate) fn get(&self) -> Option<&T> {
        // Acquire: pairs with the `Release` below, as the standard library promises for a value that is seen.
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
