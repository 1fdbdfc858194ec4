//! Failure of a command: a message for people and an exit code for scripts.

use std::fmt;
use std::io::{self, ErrorKind};
use std::path::Path;

/// Exit code for any other failure.
pub(crate) const ERROR: u8 = 1;
/// Exit code for a wrong command line.
pub(crate) const USAGE: u8 = 2;
/// Exit code of a command that needs a running node and finds none.
pub(crate) const NOT_RUNNING: u8 = 3;
/// Exit code for an invalid signature: of a document of this node, or of a call that was refused as `invalid_signature`.
pub(crate) const SIGNATURE: u8 = 4;
/// Exit code for a full disk.
pub(crate) const DISK_FULL: u8 = 5;

/// Failure with its exit code.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    pub(crate) fn error(message: impl Into<String>) -> Failure {
        Failure { code: ERROR, message: message.into() }
    }

    pub(crate) fn not_running(message: impl Into<String>) -> Failure {
        Failure { code: NOT_RUNNING, message: message.into() }
    }

    /// Returns the failure of a wrong command line that clap cannot find.
    pub(crate) fn usage(message: impl Into<String>) -> Failure {
        Failure { code: USAGE, message: message.into() }
    }

    pub(crate) fn signature(message: impl Into<String>) -> Failure {
        Failure { code: SIGNATURE, message: message.into() }
    }

    /// Returns the failure to do `doing` to `path`.
    pub(crate) fn io(doing: &str, path: &Path, error: &io::Error) -> Failure {
        // A quota is a full disk to the user.
        let full = matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
        let code = if full { DISK_FULL } else { ERROR };
        Failure { code, message: format!("cannot {doing} {}: {error}", path.display()) }
    }

    pub(crate) fn sqlite(doing: &str, path: &Path, error: &rusqlite::Error) -> Failure {
        let full = error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull);
        let code = if full { DISK_FULL } else { ERROR };
        Failure { code, message: format!("cannot {doing} {}: {error}", path.display()) }
    }

    #[cfg(test)]
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Returns the exit code.
    pub(crate) fn code(&self) -> u8 {
        self.code
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_has_its_own_exit_code() {
        let path = Path::new("/data/keys");
        let full = Failure::io("write", path, &ErrorKind::StorageFull.into());
        assert_eq!(full.code(), DISK_FULL);
        assert!(full.message().starts_with("cannot write /data/keys: "));
        assert_eq!(Failure::io("write", path, &ErrorKind::PermissionDenied.into()).code(), ERROR);
    }
}
