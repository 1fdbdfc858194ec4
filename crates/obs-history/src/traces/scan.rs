//! Reading of the records that earlier runs have left in a file.
//!
//! The file may be cut, damaged or made by an enemy. It is read with plain reads, never through a mapping, so that a file which
//! gets shorter ends nothing. Every length is checked, and the time is bounded by the size of the ring.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use obs_trace::TraceRecord;

use super::format::{
    HEAD_BYTES, HEADER_BYTES, Layout, MAX_RECORD, NAME_BYTES, NAMES, NUMBER_BYTES, RING_AT, RecordHead, seal,
};
use super::names;

/// File with the records of earlier runs.
pub(super) struct Earlier {
    window: Window,
    names: Vec<Option<Box<str>>>,
    /// Number from which on the records are of this run.
    end: u64,
}

/// Place of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Position in the order of all records, of a copy that of its original.
    pub(super) number: u64,
    /// Position of the record itself.
    position: u64,
    /// File that has it, among those that were read.
    pub(super) file: usize,
    offset: u64,
    bytes: u32,
    /// Same for a record and its copies, and different for all others.
    identity: u64,
    is_copy: bool,
}

/// Maximum number of records that are taken into account. They take 48 bytes each while they are restored.
const MAX_ENTRIES: usize = 500_000;

/// Bytes that are checked for each byte of the ring before the file is given up. A proper file needs one. An enemy could make
/// a record begin at each word.
const PATIENCE: u64 = 4;

impl Earlier {
    /// Takes a file of this layout whose records below `end` are of earlier runs.
    pub(super) fn new(file: File, layout: Layout, end: u64) -> io::Result<Earlier> {
        let mut places = vec![0; NAMES * NAME_BYTES];
        read_up_to(&file, &mut places, HEADER_BYTES as u64)?;
        let names = names::read_all(layout, &places);
        Ok(Earlier { window: Window { file, layout, start: 0, bytes: Vec::new() }, names, end })
    }

    /// Finds the records. `file` is the number of this file among those that are read.
    pub(super) fn entries(&mut self, file: usize) -> io::Result<Vec<Entry>> {
        let layout = self.window.layout;
        let mut patience = PATIENCE * layout.ring_bytes;
        let mut entries = Vec::new();
        let mut offset = 0;
        // In a ring that was never full, nothing is behind the end.
        let behind = layout.ring_bytes.min(self.end);
        while offset < behind && patience > 0 {
            if offset.is_multiple_of(PAGE) && self.window.slice(offset, PAGE as usize)? == NOTHING {
                offset += PAGE;
                continue;
            }
            match self.record_at(offset, &mut patience)? {
                Some(entry) => {
                    offset += u64::from(entry.bytes);
                    if entry.position < self.end {
                        entries.push(Entry { file, ..entry });
                    }
                }
                None => offset += 8,
            }
            if entries.len() >= 2 * MAX_ENTRIES {
                keep_newest(&mut entries);
            }
        }
        keep_newest(&mut entries);
        Ok(entries)
    }

    /// Returns the number of records from a position on, without copies.
    pub(super) fn originals_from(&mut self, position: u64) -> io::Result<usize> {
        let entries = self.entries(0)?;
        Ok(entries.iter().filter(|entry| !entry.is_copy && entry.position >= position).count())
    }

    /// Returns the position after the records that follow each other from `position` on. They were written after the header
    /// had last reached the disk, before a crash of the machine.
    pub(super) fn end_of(&mut self, mut position: u64) -> io::Result<u64> {
        let mut patience = self.window.layout.ring_bytes;
        while let Some(entry) = self.record_at(position % self.window.layout.ring_bytes, &mut patience)? {
            if entry.position != position {
                break;
            }
            position = position.saturating_add(entry.bytes.into());
        }
        Ok(position)
    }

    /// Returns the position after the last record of a file.
    pub(super) fn end_in(file: File, layout: Layout) -> io::Result<u64> {
        let (_, cursor) = super::disk::judge(&file)?;
        Earlier::new(file, layout, u64::MAX)?.end_of(cursor)
    }

    fn record_at(&mut self, offset: u64, patience: &mut u64) -> io::Result<Option<Entry>> {
        let layout = self.window.layout;
        let head = self.window.slice(offset, HEAD_BYTES + NUMBER_BYTES + 24)?;
        let head_word = RecordHead(word(head, 8));
        let Some(length) = head_word.length(&layout) else { return Ok(None) };
        let bytes = (head_word.head_bytes() + length).next_multiple_of(8);
        let (check, position, number) = (word(head, 0), word(head, 16), word(head, HEAD_BYTES));
        *patience = patience.saturating_sub(bytes as u64);
        if *patience == 0 || position % layout.ring_bytes != offset {
            return Ok(None);
        }
        let record = self.window.slice(offset, bytes)?;
        if record.len() < bytes || check != seal(layout.key, 0, &record[8..]) {
            return Ok(None);
        }
        // The trace ID and the number that its span IDs come from, the first 24 bytes of a packed trace.
        let packed = record.get(head_word.head_bytes()..).unwrap_or_default();
        let identity = seal(layout.key, 0, packed.get(..24).unwrap_or_default());
        let bytes = bytes as u32;
        let is_copy = head_word.is_copy();
        let number = if is_copy { number } else { position };
        Ok(Some(Entry { number, position, file: 0, offset, bytes, identity, is_copy }))
    }

    /// Reads a record again, and unpacks it.
    pub(super) fn unpack(&mut self, entry: &Entry) -> Option<TraceRecord> {
        let layout = self.window.layout;
        let record = self.window.slice(entry.offset, entry.bytes as usize).ok()?;
        // Sealed again, because this run may have written over it meanwhile.
        if record.len() < entry.bytes as usize || word(record, 0) != seal(layout.key, 0, &record[8..]) {
            return None;
        }
        let head = RecordHead(word(record, 8));
        let (start, length) = (head.head_bytes(), head.length(&layout)?);
        let names = &self.names;
        let name = |number: u16| names.get(usize::from(number)).and_then(Option::as_deref);
        TraceRecord::unpack(record.get(start..start + length)?, name)
    }
}

/// Puts the records of all files in order, the oldest first, and leaves out copies of records that are there.
pub(super) fn in_order(mut entries: Vec<Entry>) -> Vec<Entry> {
    // The original counts before its copies, and the newest copy before the others.
    let mut best: HashMap<u64, (bool, u64)> = HashMap::new();
    for copy in entries.iter().filter(|entry| entry.is_copy) {
        best.insert(copy.identity, (false, 0));
    }
    for entry in &entries {
        if let Some(best) = best.get_mut(&entry.identity) {
            *best = (*best).max((!entry.is_copy, entry.number));
        }
    }
    entries
        .retain(|entry| best.get(&entry.identity).is_none_or(|best| *best == (!entry.is_copy, entry.number)));
    entries.sort_by_key(|entry| (entry.number, entry.offset));
    entries.dedup_by_key(|entry| (entry.number, entry.identity));
    keep_newest(&mut entries);
    entries.sort_by_key(|entry| (entry.number, entry.offset));
    entries
}

fn keep_newest(entries: &mut Vec<Entry>) {
    if entries.len() > MAX_ENTRIES {
        entries.select_nth_unstable_by_key(MAX_ENTRIES, |entry| std::cmp::Reverse(entry.number));
        entries.truncate(MAX_ENTRIES);
    }
}

fn word(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(<[u8]>::first_chunk::<8>).map_or(0, |word| u64::from_ne_bytes(*word))
}

const PAGE: u64 = 4096;
const NOTHING: [u8; PAGE as usize] = [0; PAGE as usize];

/// Part of the ring that is in memory. It goes on at the ring's beginning behind its end.
struct Window {
    file: File,
    layout: Layout,
    start: u64,
    bytes: Vec<u8>,
}

/// Bytes that are read at a time.
const WINDOW_BYTES: usize = 1 << 20;
const _: () = assert!(WINDOW_BYTES >= MAX_RECORD);

impl Window {
    /// Returns bytes of the ring, fewer if the ring is smaller.
    fn slice(&mut self, offset: u64, length: usize) -> io::Result<&[u8]> {
        let length = length.min(usize::try_from(self.layout.ring_bytes).unwrap_or(usize::MAX));
        let is_there = offset >= self.start && offset + length as u64 <= self.start + self.bytes.len() as u64;
        if !is_there && offset < self.start {
            // Copies are read from the newest place to the oldest. A window from each of them on would be read for each.
            self.load((offset + length as u64).saturating_sub(self.wanted() as u64))?;
        } else if !is_there {
            self.load(offset)?;
        }
        let from = (offset - self.start) as usize;
        Ok(&self.bytes[from..(from + length).min(self.bytes.len())])
    }

    fn wanted(&self) -> usize {
        WINDOW_BYTES.min(usize::try_from(self.layout.ring_bytes).unwrap_or(usize::MAX))
    }

    fn load(&mut self, offset: u64) -> io::Result<()> {
        let ring = self.layout.ring_bytes;
        let wanted = self.wanted();
        let before_end = wanted.min((ring - offset) as usize);
        self.bytes.clear();
        self.bytes.resize(wanted, 0);
        self.start = offset;
        read_up_to(&self.file, &mut self.bytes[..before_end], RING_AT as u64 + offset)?;
        read_up_to(&self.file, &mut self.bytes[before_end..], RING_AT as u64)
    }
}

/// Reads what is there. The rest of the buffer stays zero.
fn read_up_to(file: &File, mut buffer: &mut [u8], mut at: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match file.read_at(buffer, at) {
            Ok(0) => break,
            Ok(read) => {
                buffer = &mut buffer[read..];
                at += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
