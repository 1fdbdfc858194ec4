//! Ctrl-C while a pager runs.
//!
//! Unsafe code is here because the standard library cannot ignore a signal.
#![cfg_attr(unix, allow(unsafe_code))]

/// Ignores SIGINT from now on. The terminal sends it to the pager too, which stays and is quit by its own key. A command
/// that ended before its pager would leave the terminal without echo.
#[cfg(unix)]
pub(super) fn ignore() {
    // SAFETY: no handler is installed, and the constant is valid for the call.
    unsafe { libc::signal(libc::SIGINT, libc::SIG_IGN) };
}

#[cfg(not(unix))]
pub(super) fn ignore() {}
