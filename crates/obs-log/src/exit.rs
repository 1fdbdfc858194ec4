//! The ends of a process: what is queued is written first (L10).
//!
//! Unsafe code is here because the standard library has neither exit handlers nor signals nor fork handlers, and
//! a library that keeps lines in memory cannot do without. Invariants:
//! - a handler of `atexit` touches no thread-local (those of the main thread are gone) and waits for a bounded time;
//! - the signal handler only writes one byte to a pipe; a thread does the rest;
//! - the fork handler only stores a flag.
#![allow(unsafe_code)]

use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Once, OnceLock};
use std::time::Duration;
use std::{mem, panic, ptr, thread};

use crate::flush;

/// How long an exit may take for the sake of the log.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a panic may; it is mostly not the end of the process.
const PANIC_PATIENCE: Duration = Duration::from_millis(200);

static FORKED: AtomicBool = AtomicBool::new(false);
static SIGNAL_PIPE: AtomicI32 = AtomicI32::new(-1);

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

/// Sees to it that a deadly signal writes what is queued, unless the program has its own handler for it or
/// installs one later.
pub(crate) fn flush_at_signals() -> io::Result<()> {
    static STARTED: OnceLock<io::Result<()>> = OnceLock::new();
    let started = STARTED.get_or_init(|| {
        let (mut read, write) = io::pipe()?;
        thread::Builder::new().name("obs-log-signal".to_owned()).spawn(move || {
            block_signals();
            let mut signal = [0];
            while read.read_exact(&mut signal).is_ok() {
                act_on(i32::from(signal[0]));
            }
        })?;
        SIGNAL_PIPE.store(write.as_raw_fd(), Ordering::Release);
        mem::forget(write);
        for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
            if handler_of(signal) == libc::SIG_DFL {
                set_handler(signal, on_signal as *const () as libc::sighandler_t);
            }
        }
        Ok(())
    });
    started.as_ref().copied().map_err(|error| io::Error::from(error.kind()))
}

extern "C" fn on_signal(signal: libc::c_int) {
    let byte = signal as u8;
    // SAFETY: `write` is async-signal-safe, the descriptor is open for the life of the process, the buffer is a
    // local; errno is put back for the code that was interrupted.
    unsafe {
        let errno = errno();
        let saved = *errno;
        libc::write(SIGNAL_PIPE.load(Ordering::Acquire), ptr::from_ref(&byte).cast(), 1);
        *errno = saved;
    }
}

#[cfg(target_os = "linux")]
unsafe fn errno() -> *mut libc::c_int {
    // SAFETY: always valid in a thread.
    unsafe { libc::__errno_location() }
}

#[cfg(not(target_os = "linux"))]
unsafe fn errno() -> *mut libc::c_int {
    // SAFETY: always valid in a thread.
    unsafe { libc::__error() }
}

/// Writes what is queued; then, if ours is still the handler, dies of the signal as the process would have.
fn act_on(signal: libc::c_int) {
    let ours = handler_of(signal) == on_signal as *const () as libc::sighandler_t;
    if !ours {
        flush::all(PATIENCE);
    } else {
        flush::end(PATIENCE);
        set_handler(signal, libc::SIG_DFL);
        // SAFETY: sends a signal to this very process.
        unsafe { libc::kill(libc::getpid(), signal) };
    }
}

fn handler_of(signal: libc::c_int) -> libc::sighandler_t {
    // SAFETY: a zeroed sigaction is a valid value, and the call only reads the current action into it.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        libc::sigaction(signal, ptr::null(), &mut action);
        action.sa_sigaction
    }
}

fn set_handler(signal: libc::c_int, handler: libc::sighandler_t) {
    // SAFETY: the handler is SIG_DFL or `on_signal`, which is async-signal-safe; SA_RESTART keeps interrupted
    // system calls of the program going.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = handler;
        action.sa_flags = libc::SA_RESTART;
        libc::sigaction(signal, &action, ptr::null_mut());
    }
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
