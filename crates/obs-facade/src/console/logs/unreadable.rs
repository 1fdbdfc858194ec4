//! Failure to read the log.

use std::path::Path;

use obs_console::Failure;

/// Returns the failure to read the log.
pub(super) fn unreadable(dir: &Path, error: &std::io::Error) -> Failure {
    Failure::Unavailable(format!("cannot read the log in {}: {error}", dir.display()))
}
