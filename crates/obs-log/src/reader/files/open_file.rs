//! Open file, and the delivery of its lines from a place on.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use chrono::{DateTime, Utc};

use super::delivered::{Delivered, Mark};
use super::listing::{Entry, FileId, Stamp};
use super::name::{Compression, FileName};
use super::piece::Piece;
use super::source::Source;

/// Maximum length of a line. The node writes shorter ones.
pub(super) const LONGEST_LINE: usize = 1 << 20;
/// Number of bytes that are read at once. They stay in the processor's cache until their lines have been checked.
pub(super) const BLOCK: usize = 128 << 10;

/// Open log file.
pub(super) struct OpenFile {
    pub(super) name: FileName,
    /// Stamp before the last read.
    pub(super) stamp: Stamp,
    pub(super) source: Source,
    pub(super) mark: Mark,
    /// Place in this content that an interrupted look or an earlier reader has reached, and that a later place replaces.
    pub(super) continued: Option<Delivered>,
    /// Place at which the read ends, which is the start of a line.
    pub(super) end: Option<u64>,
    /// Place up to which the read was reported.
    passed: u64,
    /// Time of the last look that found the delivered bytes in their place.
    pub(super) seen: DateTime<Utc>,
    /// Whether the file stays open between two looks.
    pub(super) is_followed: bool,
    /// Whether the bytes after the last newline were delivered as a line.
    ended: bool,
    /// Whether the rest of a line that is too long is being skipped.
    skipping: bool,
}

/// End of a look at a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// All lines were delivered.
    Read,
    /// The delivered bytes are no longer in their place.
    Truncated,
    /// The rest of a compressed file is damaged.
    Damaged,
}

impl OpenFile {
    /// Opens the file of an entry. Returns `None` if another file has the name now.
    pub(super) fn open(dir: &Path, entry: &Entry) -> io::Result<Option<OpenFile>> {
        let path = dir.join(entry.name.to_string());
        // Opening a pipe with this name must not block.
        let file = match OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        if FileId::of(&file.metadata()?) != entry.id {
            return Ok(None);
        }
        Ok(Some(OpenFile::of(file, entry)))
    }

    pub(super) fn of(file: File, entry: &Entry) -> OpenFile {
        let (name, stamp) = (entry.name.clone(), entry.stamp);
        let source = match name.compression() {
            Some(Compression::Gzip) => Source::gzip(file),
            _ => Source::plain(file),
        };
        let (mark, seen) = (Mark::default(), Utc::now());
        let (continued, end, passed) = (None, None, 0);
        let (is_followed, ended, skipping) = (false, false, false);
        OpenFile { name, stamp, source, mark, continued, end, passed, seen, is_followed, ended, skipping }
    }

    /// Returns whether the file has no name left.
    pub(super) fn is_removed(&self) -> io::Result<bool> {
        Ok(self.source.file().metadata()?.nlink() == 0)
    }

    /// Returns the delivered content.
    pub(super) fn delivered(&self) -> Option<Delivered> {
        self.mark.delivered(self.name.day())
    }

    /// Starts another content, or one whose lines up to the mark were delivered from another file.
    pub(super) fn restart_at(&mut self, mark: Mark) {
        (self.mark, self.ended, self.skipping) = (mark, false, false);
    }

    /// Delivers the lines after the mark. The source of a compressed file must be at the mark. Bytes after the last
    /// newline are read again at the next look: if their writer died, the next one cuts them off.
    pub(super) fn read_new(
        &mut self,
        growing: bool,
        buffer: &mut Vec<u8>,
        deliver: &mut impl FnMut(&FileName, Piece<'_>) -> io::Result<()>,
    ) -> io::Result<End> {
        let now = Utc::now();
        let mut filled = 0;
        loop {
            filled = self.make_room(buffer, filled, deliver)?;
            let read = match self.read_block(filled, buffer) {
                Ok(Some(0)) => break,
                Ok(Some(read)) => read,
                Ok(None) => return Ok(End::Truncated),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // logrotate creates the file of a compression before it has the first byte.
                Err(_) if self.source.is_gzip() && self.stamp.length == 0 => break,
                Err(error) if self.source.is_gzip() => {
                    deliver(&self.name, Piece::Unreadable(error))?;
                    return Ok(End::Damaged);
                }
                Err(error) => return Err(error),
            };
            filled = self.deliver_lines(buffer, filled, filled + read, deliver)?;
            self.report_passed(deliver)?;
        }
        self.seen = now;
        if growing || std::mem::replace(&mut self.ended, true) || filled == 0 || self.skipping {
            return Ok(End::Read);
        }
        deliver(&self.name, Piece::Line(&buffer[..filled]))?;
        Ok(End::Read)
    }

    /// Reports how far the file was read.
    fn report_passed(
        &mut self,
        deliver: &mut impl FnMut(&FileName, Piece<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        // A plain file was read up to its mark, after which the mark itself was compared.
        let place = if self.source.is_gzip() { self.source.place() } else { self.mark.offset };
        let passed = place.saturating_sub(std::mem::replace(&mut self.passed, place));
        deliver(&self.name, Piece::Passed(passed))
    }

    /// Reads after the first `filled` bytes of the buffer. Returns `None` if the file was truncated. It may have grown
    /// past the mark again, so that only the bytes before the mark can tell. They are compared after the read, because
    /// a truncation between the two would go unnoticed otherwise.
    fn read_block(&mut self, filled: usize, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        if self.source.is_gzip() {
            return self.source.read(&mut buffer[filled..]).map(Some);
        }
        let place = self.mark.offset + filled as u64;
        let left = self.end.map_or(u64::MAX, |end| end.saturating_sub(place));
        let room =
            usize::try_from(left).map_or(buffer.len(), |left| buffer.len().min(filled.saturating_add(left)));
        self.source.go_to(place)?;
        let read = self.source.read(&mut buffer[filled..room])?;
        Ok(self.mark.is_in(&mut self.source)?.then_some(read))
    }

    /// Delivers the lines that end within the first `end` bytes of the buffer. The first `filled` bytes hold no
    /// newline. Moves the rest to the beginning, and returns its length. After an error of `deliver` the mark is behind the line
    /// that was delivered last.
    fn deliver_lines(
        &mut self,
        buffer: &mut [u8],
        filled: usize,
        end: usize,
        deliver: &mut impl FnMut(&FileName, Piece<'_>) -> io::Result<()>,
    ) -> io::Result<usize> {
        let mut start = 0;
        for newline in memchr::memchr_iter(b'\n', &buffer[filled..end]) {
            let line = &buffer[start..filled + newline];
            start = filled + newline + 1;
            if !std::mem::take(&mut self.skipping)
                && let Err(error) = deliver(&self.name, Piece::Line(line))
            {
                self.mark.advance(&buffer[..start]);
                return Err(error);
            }
        }
        self.mark.advance(&buffer[..start]);
        buffer.copy_within(start..end, 0);
        Ok(end - start)
    }

    /// Makes room in the buffer, up to the maximum length of a line. Longer lines are reported and skipped. Returns
    /// the number of bytes in use.
    fn make_room(
        &mut self,
        buffer: &mut Vec<u8>,
        filled: usize,
        deliver: &mut impl FnMut(&FileName, Piece<'_>) -> io::Result<()>,
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
            deliver(&self.name, Piece::TooLong(buffer))?;
        }
        Ok(0)
    }
}
