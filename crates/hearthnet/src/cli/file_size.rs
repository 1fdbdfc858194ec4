//! The limit on the size of files (`ulimit -f`), which is to be an error like a full disk.
//!
//! Unsafe code is here because the standard library cannot ignore a signal. The only one is SIGXFSZ.
#![cfg_attr(unix, allow(unsafe_code))]

/// Ignores SIGXFSZ, by which the system ends a process that writes beyond the limit. The write fails all the same.
///
/// SQLite, the keys and the configuration are written on many threads by code that is not ours, so that this is done for
/// the whole process, which is our own.
#[cfg(unix)]
pub(crate) fn ignore_signal() {
    // SAFETY: no handler is installed, and no other thread runs yet.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

#[cfg(not(unix))]
pub(crate) fn ignore_signal() {}
