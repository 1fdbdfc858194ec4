//! Limit on the size of files (`ulimit -f`). It becomes a write error, like a full disk.
//!
//! Unsafe code is here because the standard library cannot ignore a signal. The only one is SIGXFSZ.
#![cfg_attr(unix, allow(unsafe_code))]

/// Ignores SIGXFSZ, which would end the process at a write beyond the limit. The write still fails.
///
/// Code of other crates writes SQLite's files, the keys and the configuration on many threads. The signal is therefore
/// ignored in the whole process.
#[cfg(unix)]
pub(crate) fn ignore_signal() {
    // SAFETY: no handler is installed, and no other thread runs yet.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

#[cfg(not(unix))]
pub(crate) fn ignore_signal() {}
