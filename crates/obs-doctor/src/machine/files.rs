//! Read access to the node's files.

use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, openat};

/// Read access to files and folders.
///
/// Must not be used on an SQLite database of this process: closing the file drops the locks that SQLite holds on it.
///
/// ```
/// use std::fs::{File, Metadata};
/// use std::{ffi::OsString, io, path::Path};
/// use obs_doctor::machine::Files;
///
/// struct DeadDisk;
/// impl Files for DeadDisk {
///     fn open(&self, _: &Path) -> io::Result<File> {
///         Err(io::Error::other("input/output error"))
///     }
///     fn open_no_follow(&self, path: &Path) -> io::Result<File> {
///         self.open(path)
///     }
///     fn metadata(&self, path: &Path) -> io::Result<Metadata> {
///         self.open(path)?.metadata()
///     }
///     fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
///         self.open(path).map(|_| Vec::new())
///     }
/// }
/// ```
pub trait Files: Send + Sync + 'static {
    /// Opens `path` for reading. The other end of a pipe is not waited for.
    ///
    /// # Errors
    /// The error of the system call.
    fn open(&self, path: &Path) -> io::Result<File>;

    /// Opens `path` like [`open`](Self::open), but fails with `ELOOP` on a symbolic link.
    ///
    /// # Errors
    /// The error of the system call.
    fn open_no_follow(&self, path: &Path) -> io::Result<File>;

    /// Returns the metadata of `path`. Symbolic links are followed.
    ///
    /// # Errors
    /// The error of the system call.
    fn metadata(&self, path: &Path) -> io::Result<Metadata>;

    /// Returns the names in the folder `path`.
    ///
    /// # Errors
    /// The error of the system call.
    fn list(&self, path: &Path) -> io::Result<Vec<OsString>>;
}

pub(crate) struct RealFiles;

// NONBLOCK, so that opening a FIFO does not wait for a writer. NOCTTY, so that a terminal device does not become the
// controlling terminal.
const READ: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

impl Files for RealFiles {
    fn open(&self, path: &Path) -> io::Result<File> {
        Ok(File::from(openat(CWD, path, READ, Mode::empty())?))
    }

    fn open_no_follow(&self, path: &Path) -> io::Result<File> {
        Ok(File::from(openat(CWD, path, READ | OFlags::NOFOLLOW, Mode::empty())?))
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        fs::metadata(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        Ok(fs::read_dir(path)?.flatten().map(|entry| entry.file_name()).collect())
    }
}
