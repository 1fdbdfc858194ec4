//! Place of the file, and the files beside it.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// Name of the file in its folder.
const NAME: &str = "minutes.sqlite";

/// Suffixes of the files that SQLite keeps beside a database: the write-ahead log and its index.
const BESIDE: [&str; 2] = ["-wal", "-shm"];

/// Returns the file of the minutes in a folder.
pub(crate) fn path_in(folder: &Path) -> PathBuf {
    folder.join(NAME)
}

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// Returns the bytes of the write-ahead log.
pub(super) fn log_bytes(path: &Path) -> u64 {
    fs::metadata(with_suffix(path, "-wal")).map_or(0, |log| log.len())
}

/// Allocates blocks for this many bytes of the write-ahead log, unless it has them. A file system without such blocks, and a
/// full disk, change nothing.
#[cfg(target_os = "linux")]
pub(super) fn reserve_log(path: &Path, bytes: u64) {
    use std::os::unix::fs::MetadataExt as _;

    use rustix::fs::{FallocateFlags, fallocate};
    let log = with_suffix(path, "-wal");
    // SQLite has locks on the other two files, which a second descriptor would drop. It has none on the log.
    if fs::symlink_metadata(&log).is_ok_and(|log| log.is_file() && log.blocks() * 512 < bytes)
        && let Ok(log) = OpenOptions::new().write(true).open(&log)
    {
        let _ = fallocate(&log, FallocateFlags::KEEP_SIZE, 0, bytes);
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn reserve_log(_: &Path, _: u64) {}

/// Makes the folder and the file, if there are none, for this user alone.
pub(super) fn create(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        let mut builder = DirBuilder::new();
        private_folder(&mut builder);
        builder.recursive(true).create(folder)?;
    }
    let mut options = OpenOptions::new();
    private_file(&mut options);
    // SQLite gives the files beside it the same mode.
    match options.write(true).create_new(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map(drop),
    }
}

#[cfg(unix)]
fn private_folder(builder: &mut DirBuilder) {
    std::os::unix::fs::DirBuilderExt::mode(builder, 0o700);
}

#[cfg(unix)]
fn private_file(options: &mut OpenOptions) {
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
}

#[cfg(not(unix))]
fn private_folder(_: &mut DirBuilder) {}

#[cfg(not(unix))]
fn private_file(_: &mut OpenOptions) {}

/// Moves a damaged file and the log beside it aside, and returns its new name. There is one such copy: an earlier one is
/// replaced.
pub(super) fn move_aside(path: &Path) -> io::Result<PathBuf> {
    let aside = with_suffix(path, ".damaged");
    for suffix in BESIDE {
        // The log of an earlier copy would be taken for that of this one.
        where_present(fs::remove_file(with_suffix(&aside, suffix)))?;
    }
    fs::rename(path, &aside)?;
    where_present(fs::rename(with_suffix(path, "-wal"), with_suffix(&aside, "-wal")))?;
    // An index is made anew from the log.
    where_present(fs::remove_file(with_suffix(path, "-shm")))?;
    Ok(aside)
}

fn where_present(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// Identity of a file. A file that was deleted or replaced under an open connection has another one.
#[cfg(unix)]
pub(super) fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    let file = fs::metadata(path).ok()?;
    Some((file.dev(), file.ino()))
}

/// Other systems do not delete open files.
#[cfg(not(unix))]
pub(super) fn identity(path: &Path) -> Option<(u64, u64)> {
    path.exists().then_some((0, 0))
}
