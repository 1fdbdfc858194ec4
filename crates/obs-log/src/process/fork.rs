//! Whether this process is a forked child of one that logs.
//!
//! Unsafe is the registration of a fork handler, which the standard library does not offer. Invariant: the handler only
//! stores a flag, so it is safe in the child of a process with several threads.
#![allow(unsafe_code)]

use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

static FORKED: AtomicBool = AtomicBool::new(false);

/// Whether this process was forked off one that logs. Its writer thread is not here then, and locks may be held for ever
/// by threads that were not forked with it.
#[inline]
pub(crate) fn in_forked_child() -> bool {
    // Relaxed: the child has one thread, which has stored the flag itself.
    FORKED.load(Ordering::Relaxed)
}

/// Notes later forks of this process.
pub(crate) fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the handler is a function of this program that never unwinds.
        unsafe { libc::pthread_atfork(None, None, Some(after_fork)) };
    });
}

extern "C" fn after_fork() {
    FORKED.store(true, Ordering::Relaxed);
}
