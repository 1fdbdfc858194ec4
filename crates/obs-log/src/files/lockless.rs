//! File systems without locks, or without another operation that the log can do without.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::process::stderr;

static WRITTEN_UNLOCKED: AtomicBool = AtomicBool::new(false);

/// Whether `error` says that the file system, or a filter of system calls, does not offer the operation.
pub(crate) fn is_missing(error: &io::Error) -> bool {
    // Not a `match`, because two of them have the same value on some systems.
    let missing = [libc::ENOSYS, libc::EOPNOTSUPP, libc::ENOTSUP, libc::ENOLCK, libc::EINVAL, libc::EPERM];
    error.raw_os_error().is_some_and(|code| missing.contains(&code))
}

/// Ignores an error that only says that the operation does not exist here.
#[cfg(feature = "compress")]
pub(crate) fn if_possible(result: io::Result<()>) -> io::Result<()> {
    result.or_else(|error| if is_missing(&error) { Ok(()) } else { Err(error) })
}

/// Notes that day files are written without a lock. Says so on stderr the first time.
pub(crate) fn note(error: &io::Error) {
    // Relaxed: the flag guards no other data.
    if !WRITTEN_UNLOCKED.swap(true, Ordering::Relaxed) {
        stderr::say(format!(
            "the file system of the log has no locks ({error}); lines are written without one, so let only one \
             process write to the folder"
        ));
    }
}

/// Whether a day file was written without a lock.
pub(crate) fn was_noted() -> bool {
    WRITTEN_UNLOCKED.load(Ordering::Relaxed)
}
