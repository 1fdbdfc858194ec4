//! An open file, and its lines from the place on up to which they were given.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use chrono::{DateTime, Utc};

use super::given::{Given, Mark};
use super::listing::{Entry, FileId, Stamp};
use super::name::{Compression, FileName};
use super::piece::Piece;
use super::source::Source;

/// Maximum length of a line, longer than any of ours.
pub(super) const LONGEST_LINE: usize = 1 << 20;
/// Bytes that are read at once: as much as stays in a processor's cache until its lines have been looked at.
pub(super) const BLOCK: usize = 128 << 10;

/// A file that is read.
pub(super) struct OpenFile {
    pub(super) name: FileName,
    /// The file before it was last read.
    pub(super) stamp: Stamp,
    pub(super) source: Source,
    pub(super) mark: Mark,
    /// Time of the last look that found what was given before in its place.
    pub(super) seen: DateTime<Utc>,
    /// It stays open between two looks.
    pub(super) is_followed: bool,
    /// What stands behind its last line has been given.
    ended: bool,
    /// The rest of something too long is being passed over.
    skipping: bool,
}

/// End of a look at a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// All lines were given that it has now.
    Read,
    /// What was given before is no longer in its place.
    Truncated,
    /// The rest of a compressed file is damaged.
    Damaged,
}

impl OpenFile {
    /// Opens the file of an entry. Returns `None` when the name has become another file's.
    pub(super) fn open(dir: &Path, entry: &Entry) -> io::Result<Option<OpenFile>> {
        let path = dir.join(entry.name.to_string());
        // A pipe that was put there meanwhile is not waited for.
        let file = match OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        if FileId::of(&file.metadata()?) != entry.id {
            return Ok(None);
        }
        Ok(Some(OpenFile::of(file, entry)))
    }

    fn of(file: File, entry: &Entry) -> OpenFile {
        let (name, stamp) = (entry.name.clone(), entry.stamp);
        let source = match name.compression() {
            Some(Compression::Gzip) => Source::gzip(file),
            _ => Source::plain(file),
        };
        let (mark, seen) = (Mark::default(), Utc::now());
        OpenFile { name, stamp, source, mark, seen, is_followed: false, ended: false, skipping: false }
    }

    /// Returns whether the file has no name any more.
    pub(super) fn is_removed(&self) -> io::Result<bool> {
        Ok(self.source.file().metadata()?.nlink() == 0)
    }

    /// Content that was given of it.
    pub(super) fn given(&self) -> Option<Given> {
        self.mark.given(self.name.day())
    }

    /// Begins another content, or one whose lines were given from another file up to the mark.
    pub(super) fn restart_at(&mut self, mark: Mark) {
        (self.mark, self.ended, self.skipping) = (mark, false, false);
    }

    /// Gives the lines behind the mark, where the source of a compressed file has to be. What stands behind the last one is read again the next time, because its writer
    /// may have died over it and the next one cut it off.
    pub(super) fn read_new(
        &mut self,
        growing: bool,
        buffer: &mut Vec<u8>,
        give: &mut impl FnMut(&FileName, Piece<'_>) -> io::Result<()>,
    ) -> io::Result<End> {
        let now = Utc::now();
        let mut filled = 0;
        loop {
            filled = self.make_room(buffer, filled, give)?;
            let read = match self.read_block(filled, buffer) {
                Ok(Some(0)) => break,
                Ok(Some(read)) => read,
                Ok(None) => return Ok(End::Truncated),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if self.source.is_gzip() => {
                    give(&self.name, Piece::Unreadable(error))?;
                    return Ok(End::Damaged);
                }
                Err(error) => return Err(error),
            };
            filled = self.give_lines(buffer, filled, filled + read, give)?;
        }
        self.seen = now;
        if growing || std::mem::replace(&mut self.ended, true) || filled == 0 || self.skipping {
            return Ok(End::Read);
        }
        give(&self.name, Piece::Line(&buffer[..filled]))?;
        Ok(End::Read)
    }

    /// Reads behind the first `filled` bytes of the buffer. Returns `None` when the file was truncated: it may have grown
    /// past the mark again, so only the bytes before the mark tell. They are compared after the read, because a
    /// truncation between the two would not be seen otherwise.
    fn read_block(&mut self, filled: usize, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        if self.source.is_gzip() {
            return self.source.read(&mut buffer[filled..]).map(Some);
        }
        self.source.go_to(self.mark.offset + filled as u64)?;
        let read = self.source.read(&mut buffer[filled..])?;
        Ok(self.mark.is_in(&mut self.source)?.then_some(read))
    }

    /// Gives the lines that end within the first `end` bytes of the buffer, of which the first `filled` have no newline;
    /// moves what is left to its beginning, and returns how much that is.
    fn give_lines(
        &mut self,
        buffer: &mut [u8],
        filled: usize,
        end: usize,
        give: &mut impl FnMut(&FileName, Piece<'_>) -> io::Result<()>,
    ) -> io::Result<usize> {
        let mut start = 0;
        for newline in memchr::memchr_iter(b'\n', &buffer[filled..end]) {
            let newline = filled + newline;
            if !std::mem::take(&mut self.skipping) {
                give(&self.name, Piece::Line(&buffer[start..newline]))?;
            }
            start = newline + 1;
        }
        self.mark.advance(&buffer[..start]);
        buffer.copy_within(start..end, 0);
        Ok(end - start)
    }

    /// Sees to it that there is room in the buffer: makes it larger, up to the longest line; what is longer than that
    /// is no line. Returns how much of it is filled.
    fn make_room(
        &mut self,
        buffer: &mut Vec<u8>,
        filled: usize,
        give: &mut impl FnMut(&FileName, Piece<'_>) -> io::Result<()>,
    ) -> io::Result<usize> {
        if filled < buffer.len() {
            return Ok(filled);
        }
        if buffer.len() < LONGEST_LINE {
            buffer.resize(buffer.len() * 2, 0);
            return Ok(filled);
        }
        self.mark.advance(&buffer[..filled]);
        if !std::mem::replace(&mut self.skipping, true) {
            give(&self.name, Piece::TooLong(buffer))?;
        }
        Ok(0)
    }
}
