//! Ends of the process that queued lines have to be written before: the return of `main`, `process::exit`, a panic.
//!
//! Unsafe is the registration of an exit handler, which the standard library does not offer. Invariant: the handler touches
//! no thread-local, because those of the main thread are gone by then, and waits for a bounded time.
#![allow(unsafe_code)]

use std::panic;
use std::sync::OnceLock;
use std::time::Duration;

use crate::process::fork::in_forked_child;

/// Maximum time that an exit waits for the log.
const PATIENCE: Duration = Duration::from_secs(2);
/// Maximum time that a panic waits for the log. Most panics are not the end of the process.
const PANIC_PATIENCE: Duration = Duration::from_millis(200);

/// Writer of what is queued when the process ends.
static END: OnceLock<fn(Duration)> = OnceLock::new();

/// Calls `end` when `main` returns and at `process::exit`, and `flush_once` after a panic's own hook. Both get the maximum
/// time that they may take. Later calls change nothing.
pub(crate) fn flush_at_exit(end: fn(Duration), flush_once: fn(Duration)) {
    if END.set(end).is_err() {
        return;
    }
    // SAFETY: the handler is a function of this program that never unwinds.
    unsafe { libc::atexit(at_exit) };
    let previous = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        previous(panic);
        flush_once(PANIC_PATIENCE);
    }));
}

extern "C" fn at_exit() {
    // In a forked child there is no writer, and the parent writes the lines.
    if in_forked_child() {
        return;
    }
    if let Some(end) = END.get() {
        let _ = panic::catch_unwind(|| end(PATIENCE));
    }
}
