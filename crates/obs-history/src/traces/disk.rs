//! Files of the history: opened, judged by their header, and given their blocks.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;
#[cfg(target_os = "linux")]
use rustix::fs::{FallocateFlags, fallocate};

use super::format::{CURSOR, FLOOR, HEADER_BYTES, Head, Layout, MAX_FILE_BYTES, MIN_FILE_BYTES, seal};
use super::owner;

/// Reason why traces are not recorded.
#[derive(Debug)]
pub(super) enum Refused {
    /// Another process has the file.
    InUse,
    /// A later version of the program made the file.
    Newer,
    /// The file has to be written as a whole, because its file system cannot allocate blocks.
    NeedsWriting,
    Io(io::Error),
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Refused {
        Refused::Io(error)
    }
}

impl From<Refused> for io::Error {
    fn from(refused: Refused) -> io::Error {
        match refused {
            Refused::Io(error) => error,
            Refused::InUse => io::Error::other("another process uses it"),
            Refused::Newer => io::Error::other("it is of a later version"),
            Refused::NeedsWriting => io::ErrorKind::Unsupported.into(),
        }
    }
}

/// Opens a regular file, never a link or a pipe.
pub(super) fn open(path: &Path, may_write: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(may_write).create(may_write).mode(0o600);
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = options.custom_flags(flags.bits() as i32).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is not a regular file")) }
}

/// Judges the header of a file. Returns the position of the next record too.
pub(super) fn judge(file: &File) -> io::Result<(Head, u64)> {
    let mut header = Vec::with_capacity(HEADER_BYTES);
    let mut from_start = file;
    io::Seek::rewind(&mut from_start)?;
    from_start.take(HEADER_BYTES as u64).read_to_end(&mut header)?;
    let head = Layout::read(&header);
    let Head::Valid(layout) = &head else { return Ok((head, 0)) };
    let word = |at: usize| {
        header.get(at..).and_then(<[u8]>::first_chunk::<8>).map_or(0, |word| u64::from_ne_bytes(*word))
    };
    let floor = Some(word(FLOOR))
        .filter(|floor| word(FLOOR + 8) == seal(layout.key, FLOOR as u64, &floor.to_ne_bytes()));
    // A damaged position must leave room for those of many years.
    let cursor = Some(word(CURSOR)).filter(|cursor| *cursor < 1 << 62).unwrap_or(0);
    let cursor = cursor.max(floor.unwrap_or(0)).min(1 << 62).next_multiple_of(8);
    Ok((head, cursor))
}

/// Allocates the blocks of a file, with its content as it is. A full disk is an error here, and not a SIGBUS later.
pub(super) fn allocate(file: &File, bytes: u64, may_write: bool) -> Result<(), Refused> {
    debug_assert!((MIN_FILE_BYTES / 2..=MAX_FILE_BYTES).contains(&bytes));
    let found = file.metadata()?;
    if found.len() >= bytes && found.blocks().saturating_mul(512) >= bytes {
        return Ok(());
    }
    #[cfg(target_os = "linux")]
    match fallocate(file, FallocateFlags::empty(), 0, bytes).map_err(io::Error::from) {
        Ok(()) => return Ok(()),
        Err(error) if owner::is_missing(&error) => {}
        Err(error) => return Err(error.into()),
    }
    if may_write { Ok(write_through(file, bytes)?) } else { Err(Refused::NeedsWriting) }
}

/// Allocates blocks by writing the file's own content, and zeros for holes and behind its end.
fn write_through(file: &File, bytes: u64) -> io::Result<()> {
    const STEP: usize = 64 << 10;
    let mut block = vec![0; STEP];
    for start in (0..bytes).step_by(STEP) {
        let length = usize::try_from(bytes - start).unwrap_or(STEP).min(STEP);
        block.fill(0);
        let mut at = 0;
        while at < length {
            match file.read_at(&mut block[at..length], start + at as u64)? {
                0 => break,
                read => at += read,
            }
        }
        file.write_all_at(&block[..length], start)?;
    }
    Ok(())
}
