//! Open day file, to which whole lines are appended.
//!
//! A write that is interrupted leaves no torn line behind: it is cut off, or ended with a newline where the file may only
//! grow.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, IoSlice, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::files::group::Group;
use crate::files::lockless;
use crate::files::name::DayFileName;
use crate::files::reserve::Reserve;
use crate::limits::MAX_LINE_BYTES;

/// Beginning of every line that this crate writes.
const LINE_START: &[u8] = b"{\"ts\":\"";
/// Maximum time to wait for the lock of another process, which holds it for one write.
const PATIENCE: Duration = Duration::from_secs(2);

/// Position in a day file, independent of the file's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FilePosition {
    pub(crate) device: u64,
    pub(crate) inode: u64,
    pub(crate) offset: u64,
}

/// Open day file.
#[derive(Debug)]
pub(crate) struct OpenDay {
    pub(crate) name: DayFileName,
    file: File,
    device: u64,
    inode: u64,
    /// Length of the file when it was last known to end with a whole line.
    end: Option<u64>,
    reserve: Reserve,
}

/// Write that was not completed.
#[derive(Debug)]
pub(crate) struct Interrupted {
    /// Bytes of whole lines that are in the file.
    pub(crate) written: usize,
    /// The file has been removed, and nothing was written.
    pub(crate) removed: bool,
    pub(crate) error: io::Error,
}

impl Interrupted {
    /// Whether the file may no longer be written, for example because it has become immutable.
    pub(crate) fn is_refused(&self) -> bool {
        self.written == 0 && self.error.kind() == io::ErrorKind::PermissionDenied
    }
}

impl From<io::Error> for Interrupted {
    fn from(error: io::Error) -> Interrupted {
        Interrupted { written: 0, removed: false, error }
    }
}

/// Never follows a symbolic link, nor waits for the reader of a pipe, that was put in the file's place.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).append(true).mode(0o600).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    options
}

/// Opens the file, or makes it readable by `group`.
fn open_shared(path: &Path, group: Group) -> io::Result<File> {
    loop {
        match options().open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            opened => return opened,
        }
        match options().create_new(true).open(path) {
            Ok(file) => {
                group.share_file(&file, path);
                return Ok(file);
            }
            // Another process was faster.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

impl OpenDay {
    /// Opens the file. If it is made, `group` may read it.
    pub(crate) fn open(dir: &Path, name: DayFileName, group: Option<Group>) -> io::Result<OpenDay> {
        let path = dir.join(name.to_string());
        let file = match group {
            None => options().create(true).open(path)?,
            Some(group) => open_shared(&path, group)?,
        };
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other(format!("{name} is not a regular file")));
        }
        let (device, inode) = (metadata.dev(), metadata.ino());
        Ok(OpenDay { name, file, device, inode, end: None, reserve: Reserve::default() })
    }

    /// Whether the file is still the one under its name.
    pub(crate) fn is_in_place(&self, dir: &Path) -> bool {
        let there = dir.join(self.name.to_string()).symlink_metadata();
        there.is_ok_and(|there| there.dev() == self.device && there.ino() == self.inode)
    }

    pub(crate) fn size(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Has blocks ready for the next lines, if the last write is complete. The file may have `max_bytes`.
    pub(crate) fn reserve(&mut self, max_bytes: u64) {
        if let Some(end) = self.end {
            self.reserve.renew(&self.file, end, max_bytes);
        }
    }

    /// Appends `lines`, which are whole. Calls `before` with their position, and adds the torn lines that were cut off to
    /// `torn`.
    ///
    /// Holds the file's lock where the file system has locks. So a torn line at the end has no writer that is still at it,
    /// and a process that removes the file under the same lock loses no line.
    pub(crate) fn append(
        &mut self,
        lines: &mut [IoSlice<'_>],
        before: &mut dyn FnMut(FilePosition),
        torn: &mut u64,
    ) -> Result<(), Interrupted> {
        let lock = FileLock::take(&self.file)?;
        // Under the lock, because another process may have removed the file while this one waited.
        let there = self.file.metadata()?;
        if there.nlink() == 0 {
            let error = io::Error::other("it has been removed");
            return Err(Interrupted { written: 0, removed: true, error });
        }
        let mut offset = there.len();
        // Another process has written since, or a write of ours was interrupted.
        if self.end != Some(offset) {
            *torn += u64::from(end_torn_line(&lock, offset)?);
            offset = self.size()?;
        }
        // Unknown until the write is complete.
        self.end = None;
        before(FilePosition { device: self.device, inode: self.inode, offset });
        match write_all(&self.file, lines) {
            Ok(bytes) => {
                self.end = Some(offset + bytes as u64);
                Ok(())
            }
            Err((pieces, written, error)) => {
                let whole = whole_lines(&pieces, written);
                if lock.locked && self.size().is_ok_and(|size| size == offset + written as u64) {
                    // If this fails, the next write finds the beginning of a line and ends it.
                    let _ = self.file.set_len(offset + whole as u64);
                }
                Err(Interrupted { written: whole, removed: false, error })
            }
        }
    }
}

/// Exclusive lock on a file among the processes that write it.
#[derive(Debug)]
pub(crate) struct FileLock<'a> {
    file: &'a File,
    /// `false` where the file system has no locks.
    locked: bool,
}

impl<'a> FileLock<'a> {
    /// Takes the lock, or notes that the file system has none. Returns an error if another process holds the lock for long,
    /// for example because it is stopped.
    pub(crate) fn take(file: &'a File) -> io::Result<FileLock<'a>> {
        let started = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(FileLock { file, locked: true }),
                Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                // Any other error says that there are no locks here. A log without a lock is better than none.
                Err(TryLockError::Error(error)) => {
                    lockless::note(&error);
                    return Ok(FileLock { file, locked: false });
                }
                Err(TryLockError::WouldBlock) if started.elapsed() > PATIENCE => {
                    return Err(io::Error::other("another process keeps it locked"));
                }
                Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(1)),
            }
        }
    }
}

impl FileLock<'_> {
    /// Whether no other process writes to the file meanwhile.
    #[cfg(feature = "compress")]
    pub(crate) fn is_locked(&self) -> bool {
        self.locked
    }
}

impl Drop for FileLock<'_> {
    fn drop(&mut self) {
        if self.locked {
            let _ = self.file.unlock();
        }
    }
}

/// Writes all of `lines`. On an error, also returns the original lines and the number of bytes written.
fn write_all<'a>(
    file: &File,
    lines: &mut [IoSlice<'a>],
) -> Result<usize, (Vec<IoSlice<'a>>, usize, io::Error)> {
    let mut written = 0;
    let all = lines.to_vec();
    let mut left = lines;
    IoSlice::advance_slices(&mut left, 0);
    while !left.is_empty() {
        match (&*file).write_vectored(left) {
            Ok(0) => return Err((all, written, io::ErrorKind::WriteZero.into())),
            Ok(bytes) => {
                written += bytes;
                IoSlice::advance_slices(&mut left, bytes);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err((all, written, error)),
        }
    }
    Ok(written)
}

/// Returns how many of the first `written` bytes are whole lines.
fn whole_lines(pieces: &[IoSlice<'_>], written: usize) -> usize {
    let (mut whole, mut seen) = (0, 0);
    for piece in pieces {
        let part = &piece[..piece.len().min(written - seen)];
        whole = part.iter().rposition(|&byte| byte == b'\n').map_or(whole, |at| seen + at + 1);
        seen += part.len();
    }
    whole
}

/// Makes the file end with a whole line. Returns whether it cut off or ended a torn line of this crate.
///
/// A torn line of this crate is cut off: its writer has died, and the writer's next start writes the line whole if it was
/// accepted. Anything else is ended with a newline. So is a torn line without a lock, because its writer may be alive, and in
/// a file that may only grow.
pub(crate) fn end_torn_line(lock: &FileLock<'_>, end: u64) -> io::Result<bool> {
    let mut file = lock.file;
    let mut last = [0];
    if end == 0 || (file.read_exact_at(&mut last, end - 1).is_ok() && last == *b"\n") {
        return Ok(false);
    }
    let mut tail = vec![0; (MAX_LINE_BYTES as u64).min(end) as usize];
    let start = end - tail.len() as u64;
    file.read_exact_at(&mut tail, start)?;
    let newline = tail.iter().rposition(|&byte| byte == b'\n');
    let fragment = newline.map_or(&tail[..], |at| &tail[at + 1..]);
    let ours = fragment.starts_with(LINE_START) || LINE_START.starts_with(fragment);
    if lock.locked && ours && (newline.is_some() || start == 0) {
        // Refused if the file has the append-only attribute.
        file.set_len(end - fragment.len() as u64).or_else(|_| file.write_all(b"\n"))?;
        return Ok(true);
    }
    file.write_all(b"\n")?;
    Ok(false)
}
