//! Deadly signals, before which queued lines are written.
//!
//! A handler may call almost nothing, so ours writes the signal's number to a pipe, and a thread does the rest. A signal
//! that was ignored when the process started stays ignored. A signal that another library handles is left to it. The only
//! mask that changes is that for the signal that the process dies of.
//!
//! Unsafe are the calls that set and raise signals, which the standard library does not offer. Invariants:
//! - the handler calls only functions that are async-signal-safe, and leaves `errno` as it was;
//! - a disposition is changed only from the default to ours, and from ours back to the default.
#![allow(unsafe_code)]

use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::sync::Once;
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;
use std::{mem, ptr, thread};

use libc::{c_int, sigaction, sighandler_t};

use crate::process::fork::in_forked_child;
use crate::process::{signal_mask, stderr};

/// Maximum time that the end of the process waits for the log.
const PATIENCE: Duration = Duration::from_secs(2);

/// PID of the process that has the thread.
static OWNER: AtomicI32 = AtomicI32::new(0);
static PIPE: AtomicI32 = AtomicI32::new(-1);
/// Inode of the pipe, which tells it from another file that is open under its number later.
static INODE: AtomicU64 = AtomicU64::new(0);
/// Bits of the signals that the thread was told of and does not yet act on. They keep repeated signals out of the pipe,
/// which therefore never fills.
static PENDING: AtomicU32 = AtomicU32::new(0);

/// Ways to write what is queued.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Actions {
    /// Writes what is queued, within the time given.
    pub(crate) flush: fn(Duration),
    /// Writes what is queued before the process ends.
    pub(crate) end: fn(Duration),
    /// Continues after an `end` that was not the end.
    pub(crate) resume: fn(),
}

/// Makes SIGTERM, SIGINT and SIGHUP write what is queued, each unless the program handles or ignores it. If the process may
/// not have another descriptor or thread for that, a message on stderr says so, and the log works without it.
pub(crate) fn flush_at_signals(actions: Actions) {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        if let Err(error) = start(actions) {
            stderr::say(format!("a signal that ends this process loses queued lines: {error}"));
        }
    });
}

fn start(actions: Actions) -> io::Result<()> {
    let (mut read, write) = io::pipe()?;
    thread::Builder::new().name("obs-log-signal".to_owned()).spawn(move || {
        signal_mask::block_all();
        let mut signal = [0];
        while read.read_exact(&mut signal).is_ok() {
            act_on(signal[0].into(), actions);
        }
    })?;
    // Before the handlers are set. Release and Acquire order the three, so that a handler which sees the pipe sees its
    // owner and its inode as well.
    OWNER.store(std::process::id().cast_signed(), Ordering::Release);
    INODE.store(inode(write.as_raw_fd()), Ordering::Release);
    PIPE.store(write.as_raw_fd(), Ordering::Release);
    // The descriptor stays open for the handler.
    mem::forget(write);
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
        exchange(signal, libc::SIG_DFL, ours());
    }
    Ok(())
}

fn ours() -> sighandler_t {
    on_signal as *const () as sighandler_t
}

extern "C" fn on_signal(signal: c_int) {
    // SAFETY: `getpid` is async-signal-safe. The pointer to this thread's `errno` is always valid; it is put back for the
    // code that was interrupted.
    unsafe {
        let saved = *errno();
        // A forked child has its parent's pipe and no thread of ours. Both checks are needed: fork handlers run a moment
        // after the fork, and in another PID namespace a child may have its parent's PID.
        let is_child = libc::getpid() != OWNER.load(Ordering::Acquire) || in_forked_child();
        if is_child || !tell_thread(signal) {
            die_of(signal);
        }
        *errno() = saved;
    }
}

/// Passes `signal` to the thread. Returns `false` if the pipe is gone: a program may close every descriptor and open others
/// under the same numbers.
fn tell_thread(signal: c_int) -> bool {
    // One byte in the pipe for each signal at most. AcqRel: pairs with the removal of the bit in `act_on`.
    let bit = 1 << signal;
    if PENDING.fetch_or(bit, Ordering::AcqRel) & bit != 0 {
        return true;
    }
    let pipe = PIPE.load(Ordering::Acquire);
    let byte = signal as u8;
    // Check the inode, because the number may belong to another file by now.
    // SAFETY: `write` is async-signal-safe and reads one byte of a local.
    inode(pipe) == INODE.load(Ordering::Acquire)
        && unsafe { libc::write(pipe, ptr::from_ref(&byte).cast(), 1) == 1 }
}

/// Returns the inode of the file that is open as `descriptor`, or 0 if none is.
fn inode(descriptor: c_int) -> u64 {
    // SAFETY: `fstat` is async-signal-safe, a zeroed `stat` is a valid value, and the call only writes to it.
    unsafe {
        let mut there: libc::stat = mem::zeroed();
        if libc::fstat(descriptor, &mut there) == 0 { there.st_ino } else { 0 }
    }
}

#[cfg(target_os = "linux")]
unsafe fn errno() -> *mut c_int {
    // SAFETY: always valid in a thread.
    unsafe { libc::__errno_location() }
}

#[cfg(not(target_os = "linux"))]
unsafe fn errno() -> *mut c_int {
    // SAFETY: always valid in a thread.
    unsafe { libc::__error() }
}

/// Writes what is queued. Then, if ours is still the handler, dies of the signal as the process would have without us.
fn act_on(signal: c_int, actions: Actions) {
    // Before the work, so that a signal which arrives during it is passed on again.
    PENDING.fetch_and(!(1 << signal), Ordering::AcqRel);
    if action_of(signal).sa_sigaction != ours() {
        // Another library's handler has called ours. It decides whether the process ends.
        (actions.flush)(PATIENCE);
        return;
    }
    (actions.end)(PATIENCE);
    die_of(signal);
    // Another library has taken the signal over meanwhile, and the process goes on.
    (actions.resume)();
}

/// Dies of `signal` by its default action. Returns if the signal is no longer ours. Async-signal-safe.
fn die_of(signal: c_int) {
    if !exchange(signal, ours(), libc::SIG_DFL) {
        return;
    }
    // SAFETY: all four are async-signal-safe. The set is initialised by `sigemptyset`; the mask is this thread's own.
    unsafe {
        let mut only: libc::sigset_t = mem::zeroed();
        libc::sigemptyset(&mut only);
        libc::sigaddset(&mut only, signal);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &only, ptr::null_mut());
        libc::raise(signal);
    }
    if action_of(signal).sa_sigaction == libc::SIG_DFL {
        // The kernel does not apply the default action to process 1 of a container. This is the status that a shell would
        // show.
        // SAFETY: `_exit` is async-signal-safe and does not return.
        unsafe { libc::_exit(128 + signal) };
    }
}

fn action_of(signal: c_int) -> sigaction {
    // SAFETY: a zeroed sigaction is a valid value, and the call only reads the current action into it.
    unsafe {
        let mut action: sigaction = mem::zeroed();
        sigaction(signal, ptr::null(), &mut action);
        action
    }
}

/// Sets the handler of `signal` to `to` if it is `from`.
fn exchange(signal: c_int, from: sighandler_t, to: sighandler_t) -> bool {
    if action_of(signal).sa_sigaction != from {
        return false;
    }
    // SAFETY: `to` is SIG_DFL or `on_signal`. SA_RESTART restarts interrupted system calls of the program, and no other
    // signal interrupts the handler. If another thread has changed the action since the check, it is put back.
    unsafe {
        let mut action: sigaction = mem::zeroed();
        action.sa_sigaction = to;
        action.sa_flags = libc::SA_RESTART;
        libc::sigfillset(&mut action.sa_mask);
        let mut before: sigaction = mem::zeroed();
        sigaction(signal, &action, &mut before);
        if before.sa_sigaction != from {
            sigaction(signal, &before, ptr::null_mut());
        }
        before.sa_sigaction == from
    }
}
