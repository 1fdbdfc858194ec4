//! The limit on the size of files (`ulimit -f`): an error of the file operation, and not the end of the process.
//!
//! The kernel refuses such an operation with `EFBIG` and also sends SIGXFSZ to the thread, whose default action ends the
//! process. Threads of this crate block all signals. A caller's thread blocks this one while it works on our files, and
//! takes back what was sent meanwhile, so that its mask and its disposition stay as they were.
//!
//! Unsafe are here the calls that read and change the mask of the calling thread. They keep nothing.
#![allow(unsafe_code)]

use std::{mem, ptr};

/// Runs `act`, in which a file operation beyond the limit is an error and raises no signal.
pub(crate) fn without_signal<T>(act: impl FnOnce() -> T) -> T {
    let _blocked = Blocked::new();
    act()
}

/// SIGXFSZ, blocked in this thread.
struct Blocked {
    before: libc::sigset_t,
    /// One was sent by somebody else, and stays.
    was_pending: bool,
}

impl Blocked {
    fn new() -> Blocked {
        let was_pending = is_pending();
        // SAFETY: a zeroed set is a valid value, which the call overwrites; the mask is this thread's own.
        let before = unsafe {
            let mut before: libc::sigset_t = mem::zeroed();
            libc::pthread_sigmask(libc::SIG_BLOCK, &only(), &mut before);
            before
        };
        Blocked { before, was_pending }
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        if !self.was_pending && is_pending() {
            take_back();
        }
        // SAFETY: the set is the one that this thread had.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.before, ptr::null_mut()) };
    }
}

fn only() -> libc::sigset_t {
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
        libc::sigtimedwait(&only(), ptr::null_mut(), &at_once);
    }
}

/// Removes the pending signal without its action.
#[cfg(not(target_os = "linux"))]
fn take_back() {
    let mut signal = 0;
    // SAFETY: the set and the number are locals. The signal is pending, so that the call does not wait.
    unsafe { libc::sigwait(&only(), &mut signal) };
}
