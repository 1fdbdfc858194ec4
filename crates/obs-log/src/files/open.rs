//! An open day file: whole lines are appended, and nothing torn stays in it (L9).

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, IoSlice, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::files::lockless;
use crate::files::name::DayFileName;
use crate::journal::arena::Place;
use crate::json::MAX_LINE_BYTES;

/// How every line of ours begins.
const LINE_START: &[u8] = b"{\"ts\":\"";
/// How long another process may hold a file: it does so for the time of one write.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(crate) struct OpenDay {
    pub(crate) name: DayFileName,
    file: File,
    device: u64,
    inode: u64,
    /// Where the file ended when it was last seen to end with a line.
    end: Option<u64>,
}

/// A write that did not come to its end.
#[derive(Debug)]
pub(crate) struct Interrupted {
    /// Bytes that are in the file: whole lines.
    pub(crate) written: usize,
    /// The file has no name any more, and nothing was written.
    pub(crate) removed: bool,
    pub(crate) error: io::Error,
}

impl Interrupted {
    /// Whether the file may not be written any more, because it has become immutable, say.
    pub(crate) fn is_refused(&self) -> bool {
        self.written == 0 && self.error.kind() == io::ErrorKind::PermissionDenied
    }
}

impl From<io::Error> for Interrupted {
    fn from(error: io::Error) -> Interrupted {
        Interrupted { written: 0, removed: false, error }
    }
}

impl OpenDay {
    pub(crate) fn open(dir: &Path, name: DayFileName) -> io::Result<OpenDay> {
        // Neither a link nor a pipe that somebody put there is followed or waited for.
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(dir.join(name.to_string()))?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other(format!("{name} is not a regular file")));
        }
        Ok(OpenDay { name, file, device: metadata.dev(), inode: metadata.ino(), end: None })
    }

    /// Whether it is still the file under its name.
    pub(crate) fn is_in_place(&self, dir: &Path) -> bool {
        let there = dir.join(self.name.to_string()).symlink_metadata();
        there.is_ok_and(|there| there.dev() == self.device && there.ino() == self.inode)
    }

    pub(crate) fn size(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Appends `lines`, which are whole. Tells `before` where they will be, and adds to `torn` what was cut off.
    ///
    /// Under a lock where the file system has locks: so what is cut off the file's end belongs to nobody who is still writing, and
    /// whoever removes the file under the same lock takes no line with it.
    pub(crate) fn append(
        &mut self,
        lines: &mut [IoSlice<'_>],
        before: &mut dyn FnMut(Place),
        torn: &mut u64,
    ) -> Result<(), Interrupted> {
        let held = Held::take(&self.file)?;
        let there = self.file.metadata()?;
        if there.nlink() == 0 {
            let error = io::Error::other("it has been removed");
            return Err(Interrupted { written: 0, removed: true, error });
        }
        let mut offset = there.len();
        if self.end != Some(offset) {
            *torn += u64::from(end_torn_line(&held, offset)?);
            offset = self.size()?;
        }
        self.end = None;
        before(Place { device: self.device, inode: self.inode, offset });
        match write_all(&self.file, lines) {
            Ok(bytes) => {
                self.end = Some(offset + bytes as u64);
                Ok(())
            }
            Err((pieces, written, error)) => {
                let whole = whole_lines(&pieces, written);
                if held.locked && self.size().is_ok_and(|size| size == offset + written as u64) {
                    // Where this fails, the next write finds the beginning of a line and ends it.
                    let _ = self.file.set_len(offset + whole as u64);
                }
                Err(Interrupted { written: whole, removed: false, error })
            }
        }
    }
}

/// An exclusive lock on a file, among processes that write it.
#[derive(Debug)]
pub(crate) struct Held<'a> {
    file: &'a File,
    /// `false` where the file system has no locks.
    locked: bool,
}

impl<'a> Held<'a> {
    /// Without the lock where there are none. An error when somebody keeps it for long: a process that is stopped, say.
    pub(crate) fn take(file: &'a File) -> io::Result<Held<'a>> {
        let started = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Held { file, locked: true }),
                Err(TryLockError::Error(error)) if lockless::is_missing(&error) => {
                    lockless::note(&error);
                    return Ok(Held { file, locked: false });
                }
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) if started.elapsed() > PATIENCE => {
                    return Err(io::Error::other("another process keeps it locked"));
                }
                Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(1)),
            }
        }
    }
}

impl Held<'_> {
    /// Whether nobody else writes to the file meanwhile.
    #[cfg(feature = "compress")]
    pub(crate) fn is_locked(&self) -> bool {
        self.locked
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if self.locked {
            let _ = self.file.unlock();
        }
    }
}

/// Writes all of `lines`; otherwise what they were, how much was written, and why no more.
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

/// How many of the first `written` bytes are whole lines.
fn whole_lines(pieces: &[IoSlice<'_>], written: usize) -> usize {
    let (mut whole, mut seen) = (0, 0);
    for piece in pieces {
        let part = &piece[..piece.len().min(written - seen)];
        whole = part.iter().rposition(|&byte| byte == b'\n').map_or(whole, |at| seen + at + 1);
        seen += part.len();
    }
    whole
}

/// Sees to it that the file ends with a line. What has the form of a line of ours that did not come to its end is
/// cut off: its writer died, and its next start writes the line whole if it had been accepted. Anything else is ended.
/// Without a lock nothing is cut off, because its writer may be alive; and nothing where the file may only grow. Returns
/// whether a line of ours was found torn by a writer that is dead.
pub(crate) fn end_torn_line(held: &Held<'_>, end: u64) -> io::Result<bool> {
    let mut file = held.file;
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
    if held.locked && ours && (newline.is_some() || start == 0) {
        // Refused where the file has the append-only attribute.
        file.set_len(end - fragment.len() as u64).or_else(|_| file.write_all(b"\n"))?;
        return Ok(true);
    }
    file.write_all(b"\n")?;
    Ok(false)
}
