//! Reasons why the file cannot be used now.

use std::fmt;
use std::io;

use rusqlite::ErrorCode;

/// Reason why the file cannot be written or read.
#[derive(Debug)]
pub(crate) enum Fault {
    /// A later version wrote it. It is left alone.
    Newer(i64),
    /// It is a database of another program. It is left alone.
    Foreign,
    /// It is no database, or its content is damaged.
    Damaged(String),
    /// Another program holds a lock.
    Locked,
    /// A reader has kept the file open for so long that the log beside it is full.
    Held,
    /// The disk or the quota is full.
    Full,
    /// The folder or the file cannot be made, opened, read or written.
    Io(String),
}

impl Fault {
    /// Returns whether the other fault is of the same kind, so that one message is enough.
    pub(crate) fn is_like(&self, other: &Fault) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Fault {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Fault::Damaged(error.to_string()),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Fault::Locked,
            Some(ErrorCode::DiskFull) => Fault::Full,
            Some(_) => Fault::Io(error.to_string()),
            // A value of another type than its column, which only a hostile file has.
            None => Fault::Damaged(error.to_string()),
        }
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Fault {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Fault::Full,
            _ => Fault::Io(error.to_string()),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Newer(version) => {
                write!(f, "a later version of this program wrote the file (format {version})")
            }
            Fault::Foreign => f.write_str("the file is a database of another program"),
            Fault::Damaged(problem) => write!(f, "the file is damaged: {problem}"),
            Fault::Locked => f.write_str("another program holds a lock on the file"),
            Fault::Held => f.write_str("a reader has kept the file open for too long"),
            Fault::Full => f.write_str("the disk is full"),
            Fault::Io(problem) => f.write_str(problem),
        }
    }
}
