//! Signals that threads block: all of them on threads of this crate, and SIGXFSZ on a caller's thread.
//!
//! The kernel refuses a file operation beyond the limit on the size of files (`ulimit -f`) with `EFBIG`, and also sends
//! SIGXFSZ to the thread, whose default action ends the process. Threads of this crate block all signals. A caller's thread
//! blocks this one while it works on our files and takes back a signal that was sent meanwhile, so that its mask and its
//! disposition stay as they were.
//!
//! Unsafe are the calls that read and change the mask of the calling thread. They keep no pointer.
#![allow(unsafe_code)]

use std::{mem, ptr};

/// Blocks signals from outside on this thread. The program's own threads get them.
pub(crate) fn block_all() {
    // SAFETY: changes the mask of the calling thread only.
    unsafe {
        let mut others: libc::sigset_t = mem::zeroed();
        libc::sigfillset(&mut others);
        // A thread raises these itself. Where one is blocked, the kernel kills the process without asking any handler.
        for own in [libc::SIGBUS, libc::SIGSEGV, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGABRT] {
            libc::sigdelset(&mut others, own);
        }
        libc::pthread_sigmask(libc::SIG_BLOCK, &others, ptr::null_mut());
    }
}

/// Runs `act` without SIGXFSZ. A file operation beyond the limit is only an error there.
pub(crate) fn without_file_size_signal<T>(act: impl FnOnce() -> T) -> T {
    let _blocked = FileSizeSignalBlocked::new();
    act()
}

/// Guard that blocks SIGXFSZ in this thread.
struct FileSizeSignalBlocked {
    before: libc::sigset_t,
    /// A signal was pending before, which stays pending.
    was_pending: bool,
}

impl FileSizeSignalBlocked {
    fn new() -> FileSizeSignalBlocked {
        let was_pending = is_pending();
        // SAFETY: a zeroed set is a valid value, which the call overwrites; the mask is this thread's own.
        let before = unsafe {
            let mut before: libc::sigset_t = mem::zeroed();
            libc::pthread_sigmask(libc::SIG_BLOCK, &file_size_signal(), &mut before);
            before
        };
        FileSizeSignalBlocked { before, was_pending }
    }
}

impl Drop for FileSizeSignalBlocked {
    fn drop(&mut self) {
        if !self.was_pending && is_pending() {
            take_back();
        }
        // SAFETY: the set is the one that this thread had.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.before, ptr::null_mut()) };
    }
}

/// Set of SIGXFSZ alone.
fn file_size_signal() -> libc::sigset_t {
    // SAFETY: a zeroed set is a valid value; both calls change nothing else.
    unsafe {
        let mut only: libc::sigset_t = mem::zeroed();
        libc::sigemptyset(&mut only);
        libc::sigaddset(&mut only, libc::SIGXFSZ);
        only
    }
}

fn is_pending() -> bool {
    // SAFETY: a zeroed set is a valid value, which the call overwrites.
    unsafe {
        let mut pending: libc::sigset_t = mem::zeroed();
        libc::sigpending(&mut pending);
        libc::sigismember(&pending, libc::SIGXFSZ) == 1
    }
}

/// Removes the pending signal without its action.
#[cfg(target_os = "linux")]
fn take_back() {
    // SAFETY: the set and the time are locals, and the call does not wait.
    unsafe {
        let at_once: libc::timespec = mem::zeroed();
        libc::sigtimedwait(&file_size_signal(), ptr::null_mut(), &at_once);
    }
}

/// Removes the pending signal without its action.
#[cfg(not(target_os = "linux"))]
fn take_back() {
    let mut signal = 0;
    // SAFETY: the set and the number are locals. The signal is pending, so the call does not wait.
    unsafe { libc::sigwait(&file_size_signal(), &mut signal) };
}
