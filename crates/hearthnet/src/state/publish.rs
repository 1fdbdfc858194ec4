//! Naming of a finished file, also on file systems that lack operations.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempPath;

/// Maximum time to wait for another process that has locked the folder. The lock is held for one rename.
const PATIENCE: Duration = Duration::from_secs(5);

/// Renames the file `temporary` to `path`, unless a file of that name exists.
///
/// The ways are tried in the order of the damage that a crash or a second process can do. The first three allow none.
///
/// # Errors
///
/// Returns `AlreadyExists` if the name is taken, and the error of the last way if none works.
pub(super) fn publish(temporary: TempPath, path: &Path) -> io::Result<()> {
    // Renames without replacing, or makes a hard link where the kernel lacks that.
    let temporary = match temporary.persist_noclobber(path) {
        Err(lost) if is_unsupported(&lost.error) => lost.path,
        published => return published.map_err(|lost| lost.error),
    };
    // Dropping `temporary` removes the temporary name if it still exists.
    let ways: [fn(&Path, &Path) -> io::Result<()>; 3] =
        [|from, to| fs::hard_link(from, to), rename_under_lock, claim_and_rename];
    let mut published = Err(ErrorKind::Unsupported.into());
    for way in ways {
        published = way(&temporary, path);
        if !published.as_ref().is_err_and(is_unsupported) {
            break;
        }
    }
    published
}

/// Renames while the folder is locked, so that no other process takes the name between the check and the rename.
fn rename_under_lock(from: &Path, to: &Path) -> io::Result<()> {
    let folder = File::open(to.parent().unwrap_or(Path::new(".")))?;
    lock(&folder)?;
    if to.symlink_metadata().is_ok() {
        return Err(ErrorKind::AlreadyExists.into());
    }
    fs::rename(from, to)
}

/// Locks `folder` until it is closed.
fn lock(folder: &File) -> io::Result<()> {
    let begun = Instant::now();
    loop {
        match folder.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if begun.elapsed() < PATIENCE => {
                thread::sleep(Duration::from_millis(5));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::new(ErrorKind::TimedOut, "another process has locked the folder"));
            }
            // File systems report a lack of locks with different errors.
            Err(TryLockError::Error(_)) => return Err(ErrorKind::Unsupported.into()),
        }
    }
}

/// Claims the name with an empty file, which stops other processes, and renames over it. A crash between the two steps
/// leaves the empty file.
fn claim_and_rename(from: &Path, to: &Path) -> io::Result<()> {
    File::create_new(to)?;
    fs::rename(from, to).inspect_err(|_| drop(fs::remove_file(to)))
}

/// Returns whether `error` means that the file system, or a security profile, does not allow the operation.
pub(super) fn is_unsupported(error: &io::Error) -> bool {
    use ErrorKind::{InvalidInput, PermissionDenied, TooManyLinks, Unsupported};
    // Folders on SMB answer `EBADF` to `fsync`.
    matches!(error.kind(), InvalidInput | PermissionDenied | TooManyLinks | Unsupported)
        || error.raw_os_error() == Some(libc::EBADF)
}

/// Ignores the error of an operation that the file system lacks.
pub(super) fn where_supported(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if is_unsupported(&error) => Ok(()),
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each way gives a free name to the file and leaves a taken one alone.
    #[test]
    fn no_way_replaces_a_file() {
        let ways: [fn(&Path, &Path) -> io::Result<()>; 3] =
            [|from, to| fs::hard_link(from, to), rename_under_lock, claim_and_rename];
        for (at, way) in ways.into_iter().enumerate() {
            let folder = tempfile::tempdir().unwrap();
            let (first, second, name) =
                (folder.path().join("1"), folder.path().join("2"), folder.path().join("seed"));
            fs::write(&first, "first").unwrap();
            fs::write(&second, "second").unwrap();
            way(&first, &name).unwrap();
            assert_eq!(way(&second, &name).unwrap_err().kind(), ErrorKind::AlreadyExists, "{at}");
            assert_eq!(fs::read(&name).unwrap(), b"first", "{at}");
        }
    }

    #[test]
    fn a_claim_is_released_if_its_rename_fails() {
        let folder = tempfile::tempdir().unwrap();
        let (gone, name) = (folder.path().join("gone"), folder.path().join("seed"));
        assert_eq!(claim_and_rename(&gone, &name).unwrap_err().kind(), ErrorKind::NotFound);
        assert!(!name.exists());
    }
}
