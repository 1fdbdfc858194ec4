//! Content of an open file: the bytes of a plain file, or of a member of a gzip file.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use flate2::bufread::GzDecoder;

/// Number of bytes that are read at once to skip them.
const PASSED_AT_ONCE: usize = 16 << 10;

/// Content that is read in order, and again from any place.
///
/// Each read names its place in the file. The file may be truncated at any time, and nothing else moves the place.
pub(super) enum Source {
    Plain(Positioned),
    Gzip(Box<Member>),
}

/// File with the place of the next read.
pub(super) struct Positioned {
    file: Arc<File>,
    position: u64,
}

/// Member of a gzip file. The writer adds a member if lines come late for a compressed day.
pub(super) struct Member {
    file: Arc<File>,
    /// Place in the file where the member begins.
    start: u64,
    decoder: GzDecoder<Counted>,
}

/// Buffered reader that knows its place in the file.
struct Counted {
    reader: BufReader<Positioned>,
    position: u64,
}

impl Source {
    pub(super) fn plain(file: File) -> Source {
        Source::Plain(Positioned { file: Arc::new(file), position: 0 })
    }

    pub(super) fn gzip(file: File) -> Source {
        Source::Gzip(Box::new(Member::at(Arc::new(file), 0)))
    }

    pub(super) fn is_gzip(&self) -> bool {
        matches!(self, Source::Gzip(_))
    }

    pub(super) fn file(&self) -> &File {
        match self {
            Source::Plain(plain) => &plain.file,
            Source::Gzip(member) => &member.file,
        }
    }

    /// Returns the place of the next read in the file, compressed or not.
    pub(super) fn place(&self) -> u64 {
        match self {
            Source::Plain(plain) => plain.position,
            Source::Gzip(member) => member.decoder.get_ref().position,
        }
    }

    /// Continues at `offset`. Returns whether the content is that long.
    pub(super) fn go_to(&mut self, offset: u64) -> io::Result<bool> {
        match self {
            Source::Plain(plain) => {
                plain.position = offset;
                Ok(plain.file.metadata()?.len() >= offset)
            }
            Source::Gzip(member) => {
                **member = Member::at(Arc::clone(&member.file), member.start);
                Ok(self.pass(offset)? == offset)
            }
        }
    }

    /// Skips `length` bytes, or fewer at the end. Returns the number of skipped bytes.
    pub(super) fn pass(&mut self, length: u64) -> io::Result<u64> {
        let (mut passed, mut buffer) = (0, [0; PASSED_AT_ONCE]);
        while passed < length {
            let wanted = usize::try_from(length - passed).unwrap_or(PASSED_AT_ONCE).min(PASSED_AT_ONCE);
            match self.read_full(&mut buffer[..wanted])? {
                0 => break,
                read => passed += read as u64,
            }
        }
        Ok(passed)
    }

    /// Fills the buffer, unless the content ends or is damaged before. Returns the number of bytes.
    pub(super) fn read_full(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The next read returns the error again.
                Err(_) if filled > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    /// Goes to the next member of a gzip file after the end of this one. Returns whether there is one.
    pub(super) fn next_member(&mut self) -> io::Result<bool> {
        let Source::Gzip(member) = self else { return Ok(false) };
        let counted = member.decoder.get_mut();
        if counted.fill_buf()?.is_empty() {
            return Ok(false);
        }
        **member = Member::at(Arc::clone(&member.file), counted.position);
        Ok(true)
    }
}

impl Member {
    fn at(file: Arc<File>, start: u64) -> Member {
        let reader = BufReader::new(Positioned { file: Arc::clone(&file), position: start });
        Member { file, start, decoder: GzDecoder::new(Counted { reader, position: start }) }
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Source::Plain(plain) => plain.read(buffer),
            Source::Gzip(member) => member.decoder.read(buffer),
        }
    }
}

impl Read for Positioned {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.position)?;
        self.position += read as u64;
        Ok(read)
    }
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.position += read as u64;
        Ok(read)
    }
}

impl BufRead for Counted {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.reader.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.reader.consume(amount);
        self.position += amount as u64;
    }
}
