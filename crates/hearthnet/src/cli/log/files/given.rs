//! Contents whose lines were given, recognised wherever they turn up again.
//!
//! `copytruncate` copies a file before it empties it, `compress` writes a file anew, and `copy` leaves the original in
//! place. Each makes a second file with lines that were given already. A content is recognised by its beginning and by the
//! bytes before the place up to which it was given.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;

use super::source::Source;

/// Bytes of a content's beginning that are compared: the time and text of its first line.
const HEAD_BYTES: usize = 256;
/// Bytes before the place up to which a content was given that are compared: several lines.
const TAIL_BYTES: usize = 1024;
/// Contents that are remembered, the latest ones: more files than two weeks of hourly rotation make.
const REMEMBERED: usize = 4096;
/// Minimum length of a beginning that tells contents apart: that of a line with a time.
const LEAST_HEAD: usize = 32;
/// Beginning of every line of ours.
const LINE_START: &[u8] = b"{\"ts\":\"";
/// Length of `2026-05-26T08:14:22.281Z`.
const TIME_LENGTH: usize = 24;

/// Time of the first line in `head` that has one.
pub(super) fn first_time(head: &[u8]) -> Option<String> {
    let time = |line: &[u8]| {
        let time = line.strip_prefix(LINE_START)?.get(..TIME_LENGTH)?;
        time.is_ascii().then(|| String::from_utf8_lossy(time).into_owned())
    };
    head.split(|&byte| byte == b'\n').find_map(time)
}

/// Place up to which the lines of an open content were given.
#[derive(Clone, Debug, Default)]
pub(super) struct Mark {
    pub(super) offset: u64,
    /// Beginning of what was given, or is to be given.
    head: Vec<u8>,
    /// End of what was given.
    tail: Vec<u8>,
}

impl Mark {
    /// Begins a content that has `head`. Its last line is left out, because it may be torn and cut off.
    pub(super) fn of(mut head: Vec<u8>) -> Mark {
        if let Some(newline) = memchr::memrchr(b'\n', &head) {
            head.truncate(newline + 1);
        }
        Mark { head, ..Mark::default() }
    }

    /// Moves behind `bytes`, which were given.
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

    pub(super) fn first_time(&self) -> Option<String> {
        first_time(&self.head)
    }

    /// Whether the content still has what was given in its place.
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

    /// The same in little memory. `None` when nothing was given that can be recognised.
    pub(super) fn given(&self, day: &str) -> Option<Given> {
        (self.offset > 0 && self.head.len() >= LEAST_HEAD).then(|| Given {
            day: day.to_owned(),
            head: self.head.clone(),
            offset: self.offset,
            tail_length: self.tail.len(),
            tail_hash: hash(&self.tail),
        })
    }
}

/// A content that was given up to a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Given {
    day: String,
    head: Vec<u8>,
    offset: u64,
    tail_length: usize,
    tail_hash: u64,
}

impl Given {
    /// Whether the content begins like one whose beginning is `head`.
    pub(super) fn begins_like(&self, day: &str, head: &[u8]) -> bool {
        let common = self.head.len().min(head.len());
        self.day == day && common >= LEAST_HEAD && self.head[..common] == head[..common]
    }

    /// The mark in `source`, which begins like this content. `Err` says whether `source` is shorter.
    fn mark_in(&self, source: &mut Source) -> Result<Mark, bool> {
        let mut tail = vec![0; self.tail_length];
        // A gzip file that is still being written has an error where it ends.
        let reaches = source.go_to(self.offset - self.tail_length as u64).unwrap_or(false)
            && source.read_full(&mut tail).is_ok_and(|read| read == self.tail_length);
        if !reaches || hash(&tail) != self.tail_hash {
            return Err(!reaches);
        }
        Ok(Mark { offset: self.offset, head: self.head.clone(), tail })
    }
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

/// Beginning of a content, with nothing of what is behind it.
pub(super) fn head_of(source: &mut Source) -> Vec<u8> {
    let mut head = vec![0; HEAD_BYTES];
    let read = source.go_to(0).and_then(|_| source.read_full(&mut head)).unwrap_or(0);
    head.truncate(read);
    head
}

/// Place where the lines begin that were not given.
#[derive(Debug)]
pub(super) enum Start {
    /// No content like it was given.
    New,
    /// Behind what was given of this content.
    Behind(Given, Mark),
    /// It is the beginning of a content that was given further than that.
    Nowhere,
}

/// Finds the place in `source` where the lines begin that are not in `given`.
pub(super) fn start(source: &mut Source, mut given: Vec<Given>) -> Start {
    given.sort_by_key(|given| std::cmp::Reverse(given.offset));
    let mut is_shorter = false;
    for given in given {
        match given.mark_in(source) {
            Ok(mark) => return Start::Behind(given, mark),
            Err(shorter) => is_shorter |= shorter,
        }
    }
    if is_shorter { Start::Nowhere } else { Start::New }
}

/// The contents that are remembered.
#[derive(Debug, Default)]
pub(super) struct Memory(VecDeque<Given>);

impl Memory {
    pub(super) fn add(&mut self, given: Option<Given>) {
        self.0.extend(given);
        while self.0.len() > REMEMBERED {
            self.0.pop_front();
        }
    }

    pub(super) fn has(&self, given: &Given) -> bool {
        self.0.contains(given)
    }

    pub(super) fn like(&self, day: &str, head: &[u8]) -> impl Iterator<Item = &Given> {
        self.0.iter().filter(move |given| given.begins_like(day, head))
    }
}
