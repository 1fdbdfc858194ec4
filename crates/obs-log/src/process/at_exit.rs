//! The ends of a process: what is queued is written first (L10).
//!
//! Unsafe code is here because the standard library has neither exit handlers nor fork handlers nor masks of signals,
//! and a library that keeps lines in memory cannot do without. Invariants:
//! - a handler of `atexit` touches no thread-local (those of the main thread are gone) and waits for a bounded time;
//! - the fork handler only stores a flag.
#![allow(unsafe_code)]

use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{mem, panic, ptr};

use crate::api::flush;

/// How long an exit may take for the sake of the log.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a panic may; it is mostly not the end of the process.
const PANIC_PATIENCE: Duration = Duration::from_millis(200);

static FORKED: AtomicBool = AtomicBool::new(false);

/// Whether this process was forked off one that logs: its writer thread is not here.
#[inline]
pub(crate) fn in_forked_child() -> bool {
    FORKED.load(Ordering::Relaxed)
}

/// Sees to it that the return of `main`, `process::exit` and a panic write what is queued.
pub(crate) fn flush_at_exit() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: both handlers are functions of this program that never unwind.
        unsafe {
            libc::atexit(at_exit);
            libc::pthread_atfork(None, None, Some(after_fork));
        }
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            previous(panic);
            flush::once(PANIC_PATIENCE);
        }));
    });
}

extern "C" fn at_exit() {
    // In a forked child nobody would answer, and its parent writes the lines.
    if !in_forked_child() {
        let _ = panic::catch_unwind(|| flush::end(PATIENCE));
    }
}

extern "C" fn after_fork() {
    FORKED.store(true, Ordering::Relaxed);
}

/// Leaves signals that come from outside to the program's own threads.
pub(crate) fn block_signals() {
    // SAFETY: changes the mask of the calling thread only.
    unsafe {
        let mut others: libc::sigset_t = mem::zeroed();
        libc::sigfillset(&mut others);
        // What a thread brings upon itself: where that is blocked, the system kills without asking any handler.
        for own in [libc::SIGBUS, libc::SIGSEGV, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGABRT] {
            libc::sigdelset(&mut others, own);
        }
        libc::pthread_sigmask(libc::SIG_BLOCK, &others, ptr::null_mut());
    }
}
