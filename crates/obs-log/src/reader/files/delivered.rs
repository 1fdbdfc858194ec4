//! Contents that were delivered, and their recognition in other files.
//!
//! `copytruncate` copies a file before it empties it, `compress` writes a new file, and `copy` keeps the original.
//! Each makes a second file whose lines were delivered already. A content is recognised by its beginning, and by the
//! bytes before the place up to which it was delivered.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use super::source::Source;
use crate::reader::line_time::LineTime;

/// Number of bytes of a content's beginning that are compared: the time and text of its first line.
const HEAD_BYTES: usize = 256;
/// Number of bytes that are compared before the place up to which a content was delivered: several lines.
const TAIL_BYTES: usize = 1024;
/// Maximum number of contents that are remembered. Two weeks of hourly rotation make fewer files.
const REMEMBERED: usize = 4096;
/// Minimum length of a beginning that identifies a content: that of a line with a time.
const LEAST_HEAD: usize = 32;
/// Beginning of every line of the node.
const LINE_START: &[u8] = b"{\"ts\":\"";

/// Length of the start of a line up to the end of its time.
pub(super) const START_LENGTH: usize = LINE_START.len() + LineTime::LENGTH;

/// Returns the time of a line, if it has the form of the node's lines.
pub(super) fn time_of(line: &[u8]) -> Option<LineTime> {
    LineTime::of(line.strip_prefix(LINE_START)?.get(..LineTime::LENGTH)?)
}

/// Returns the time of the first line in `head` that has one.
pub(super) fn first_time(head: &[u8]) -> Option<LineTime> {
    head.split(|&byte| byte == b'\n').find_map(time_of)
}

/// Place in an open content up to which its lines were delivered.
#[derive(Clone, Debug, Default)]
pub(super) struct Mark {
    pub(super) offset: u64,
    /// Beginning of the content.
    head: Vec<u8>,
    /// Last bytes that were delivered.
    tail: Vec<u8>,
}

impl Mark {
    /// Creates the mark of a content that begins with `head`. The last line is left out, because it may be torn and
    /// cut off later.
    pub(super) fn of(mut head: Vec<u8>) -> Mark {
        if let Some(newline) = memchr::memrchr(b'\n', &head) {
            head.truncate(newline + 1);
        }
        Mark { head, ..Mark::default() }
    }

    /// Creates the mark of a content that begins with `head` and is read from `offset` on, as if the lines before had
    /// been delivered.
    pub(super) fn behind(source: &mut Source, head: Vec<u8>, offset: u64) -> io::Result<Mark> {
        let start = offset.saturating_sub(TAIL_BYTES as u64);
        let mut bytes = vec![0; (offset - start) as usize];
        source.go_to(start)?;
        if source.read_full(&mut bytes)? < bytes.len() {
            // The file was truncated. It is read from its beginning.
            return Ok(Mark::of(head));
        }
        // The offset is the end of a line, so that the part of the head before it is whole.
        let mut mark =
            if start == 0 { Mark::of(head) } else { Mark { offset: start, head, tail: Vec::new() } };
        mark.advance(&bytes);
        Ok(mark)
    }

    /// Moves the mark past `bytes`, which were delivered.
    pub(super) fn advance(&mut self, bytes: &[u8]) {
        let known = (self.head.len() as u64).saturating_sub(self.offset);
        let known = usize::try_from(known).map_or(bytes.len(), |known| known.min(bytes.len()));
        let missing = HEAD_BYTES.saturating_sub(self.head.len());
        self.head.extend(bytes[known..].iter().take(missing));
        self.offset += bytes.len() as u64;
        let bytes = &bytes[bytes.len().saturating_sub(TAIL_BYTES)..];
        let surplus = (self.tail.len() + bytes.len()).saturating_sub(TAIL_BYTES);
        self.tail.drain(..surplus);
        self.tail.extend_from_slice(bytes);
    }

    pub(super) fn has_beginning(&self) -> bool {
        !self.head.is_empty()
    }

    pub(super) fn first_time(&self) -> Option<LineTime> {
        first_time(&self.head)
    }

    /// Returns whether the delivered bytes are still in their place.
    pub(super) fn is_in(&self, source: &mut Source) -> io::Result<bool> {
        let mut buffer = [0; TAIL_BYTES];
        for (offset, expected) in [(0, &self.head), (self.offset - self.tail.len() as u64, &self.tail)] {
            source.go_to(offset)?;
            let found = &mut buffer[..expected.len()];
            if source.read_full(found)? < expected.len() || *found != expected[..] {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Returns the content in its short form. `None` if nothing was delivered that can be recognised.
    pub(super) fn delivered(&self, day: &str) -> Option<Delivered> {
        (self.offset > 0 && self.head.len() >= LEAST_HEAD).then(|| Delivered {
            day: day.to_owned(),
            head: self.head.clone(),
            offset: self.offset,
            tail_length: self.tail.len(),
            tail_hash: hash(&self.tail),
        })
    }
}

/// Content that was delivered up to a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Delivered {
    day: String,
    head: Vec<u8>,
    offset: u64,
    tail_length: usize,
    tail_hash: u64,
}

impl Delivered {
    /// Returns whether the content begins like one with the beginning `head`.
    pub(super) fn begins_like(&self, day: &str, head: &[u8]) -> bool {
        let common = self.head.len().min(head.len());
        self.day == day && common >= LEAST_HEAD && self.head[..common] == head[..common]
    }

    /// Returns the content as text: day, offset, length and hash of the tail, and the beginning in hexadecimal.
    pub(super) fn to_text(&self) -> String {
        let head: String = self.head.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{},{},{},{:x},{head}", self.day, self.offset, self.tail_length, self.tail_hash)
    }

    /// Parses the text of a content. `None` for a text of another form, which someone else may have written.
    pub(super) fn parse(text: &str) -> Option<Delivered> {
        let mut parts = text.split(',');
        let day = parts.next().filter(|day| day.len() <= 10)?.to_owned();
        let offset: u64 = parts.next()?.parse().ok()?;
        let tail_length: usize = parts.next()?.parse().ok()?;
        let tail_hash = u64::from_str_radix(parts.next()?, 16).ok()?;
        let digits = parts.next().filter(|digits| digits.is_ascii() && digits.len() <= 2 * HEAD_BYTES)?;
        let pairs = (0..digits.len() / 2).map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).ok());
        let head: Vec<u8> = pairs.collect::<Option<_>>()?;
        let is_possible = tail_length <= TAIL_BYTES
            && tail_length as u64 <= offset
            && i64::try_from(offset).is_ok()
            && head.len() >= LEAST_HEAD
            && parts.next().is_none();
        is_possible.then_some(Delivered { day, head, offset, tail_length, tail_hash })
    }

    /// Returns the sort key of contents from the oldest to the latest.
    pub(super) fn age(&self) -> (&str, u64) {
        (&self.day, self.offset)
    }

    /// Returns the mark in `source`, which begins like this content. `Err` says whether `source` is shorter.
    fn mark_in(&self, source: &mut Source) -> Result<Mark, bool> {
        let mut tail = vec![0; self.tail_length];
        // A gzip file that is still being written ends with an error.
        let reaches = source.go_to(self.offset - self.tail_length as u64).unwrap_or(false)
            && source.read_full(&mut tail).is_ok_and(|read| read == self.tail_length);
        if !reaches || hash(&tail) != self.tail_hash {
            return Err(!reaches);
        }
        Ok(Mark { offset: self.offset, head: self.head.clone(), tail })
    }
}

/// FNV-1a. Positions are stored, so that the hash must be the same in all versions.
fn hash(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Reads the beginning of a content, and nothing else of it.
pub(super) fn head_of(source: &mut Source) -> Vec<u8> {
    let mut head = vec![0; HEAD_BYTES];
    let read = source.go_to(0).and_then(|_| source.read_full(&mut head)).unwrap_or(0);
    head.truncate(read);
    head
}

/// Reads the beginning of a plain file as far as one read does.
pub(super) fn plain_head(file: &File) -> Vec<u8> {
    let mut head = vec![0; HEAD_BYTES];
    let read = file.read_at(&mut head, 0).unwrap_or(0);
    head.truncate(read);
    head
}

/// Place where the lines begin that were not delivered.
#[derive(Debug)]
pub(super) enum Start {
    /// No such content was delivered.
    New,
    /// After the delivered part of this content.
    Behind(Delivered, Mark),
    /// The whole source is part of a content that was delivered further.
    Nowhere,
}

/// Finds the place in `source` where the lines begin that are not in `delivered`.
pub(super) fn start(source: &mut Source, mut delivered: Vec<Delivered>) -> Start {
    delivered.sort_by_key(|delivered| std::cmp::Reverse(delivered.offset));
    let mut is_shorter = false;
    for delivered in delivered {
        match delivered.mark_in(source) {
            Ok(mark) => return Start::Behind(delivered, mark),
            Err(shorter) => is_shorter |= shorter,
        }
    }
    if is_shorter { Start::Nowhere } else { Start::New }
}

/// Contents that are remembered.
#[derive(Debug, Default)]
pub(super) struct Memory(VecDeque<Delivered>);

impl Memory {
    pub(super) fn add(&mut self, delivered: Option<Delivered>) {
        self.0.extend(delivered);
        while self.0.len() > REMEMBERED {
            self.0.pop_front();
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Delivered> {
        self.0.iter()
    }

    pub(super) fn remove(&mut self, delivered: &Delivered) {
        self.0.retain(|known| known != delivered);
    }

    pub(super) fn has(&self, delivered: &Delivered) -> bool {
        self.0.contains(delivered)
    }

    pub(super) fn like(&self, day: &str, head: &[u8]) -> impl Iterator<Item = &Delivered> {
        self.0.iter().filter(move |delivered| delivered.begins_like(day, head))
    }
}
