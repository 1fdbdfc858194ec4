//! Chunk of an arena: lines of one shard in the order they were made.
//!
//! Unsafe are the accesses to the bytes of the lines. Invariant: each chunk has one [`Chunk`] value, because
//! [`Arena::into_chunks`] makes each once. `&mut` writes, `&` reads, and no offset outside of the chunk can be named.
#![allow(unsafe_code)]

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::backtrace::Draft;
use crate::journal::arena::Arena;
use crate::journal::format::{CHUNK_HEADER_BYTES, ChunkHeader, MARK_BYTES, Mark};

/// Bytes of a short line, which are copied in one step.
pub(crate) const SHORT_BYTES: usize = 64;

/// Lines of one shard.
#[derive(Debug)]
pub(crate) struct Chunk {
    arena: Arc<Arena>,
    index: usize,
    /// Offset in the arena.
    start: usize,
    /// Bytes for lines and marks.
    pub(super) capacity: usize,
    pub(super) bytes: usize,
    lines: usize,
    /// Lines that are not whole after a crash of the whole machine, in ascending order.
    broken: Vec<usize>,
    /// Lines whose backtrace is a draft, in ascending order. Only in this process, not in the file.
    drafts: Vec<(usize, Draft)>,
}

impl Arena {
    /// Hands out the chunks, each once, with the lines that are in them.
    pub(crate) fn into_chunks(self) -> Vec<Chunk> {
        let arena = Arc::new(self);
        (0..arena.layout.chunks).map(|index| Chunk::new(Arc::clone(&arena), index)).collect()
    }
}

impl Chunk {
    fn new(arena: Arc<Arena>, index: usize) -> Chunk {
        let (start, capacity) = (arena.start(index), arena.layout.chunk_bytes - CHUNK_HEADER_BYTES);
        let (broken, drafts) = (Vec::new(), Vec::new());
        let mut chunk = Chunk { arena, index, start, capacity, bytes: 0, lines: 0, broken, drafts };
        // Acquire: pairs with the store in `push`, so that the bytes and marks of the counted lines are there.
        let committed = usize::try_from(chunk.header().committed.load(Ordering::Acquire)).unwrap_or(0);
        chunk.lines = committed.min(capacity / MARK_BYTES);
        // A damaged chunk ends before the first mark that cannot be right.
        while chunk.lines > 0 && chunk.end(chunk.lines - 1) > capacity - chunk.lines * MARK_BYTES {
            chunk.lines -= 1;
        }
        chunk.bytes = chunk.lines.checked_sub(1).map_or(0, |last| chunk.end(last));
        chunk
    }

    pub(crate) fn arena(&self) -> &Arc<Arena> {
        &self.arena
    }

    /// Number of the chunk in its arena.
    pub(crate) fn index(&self) -> usize {
        self.index
    }

    /// Number of its lines.
    #[inline]
    pub(crate) fn lines(&self) -> usize {
        self.lines
    }

    /// Number of bytes of its lines.
    pub(crate) fn line_bytes(&self) -> usize {
        self.bytes
    }

    /// Number of lines, from the first, that are in a day file.
    pub(crate) fn drained(&self) -> usize {
        // Acquire: pairs with `set_drained`. A damaged file may say more than there are.
        (self.header().drained.load(Ordering::Acquire) as usize).min(self.lines)
    }

    /// Whether a line of this many bytes fits.
    #[inline]
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.bytes + bytes + (self.lines + 1) * MARK_BYTES <= self.capacity
    }

    /// Prepares the chunk for lines of a shard.
    pub(crate) fn open(&mut self, sequence: u64, shard: usize) {
        // Relaxed: `committed` orders them, because they only matter once there is a line.
        let header = self.header();
        header.sequence.store(sequence, Ordering::Relaxed);
        header.shard.store(shard as u64, Ordering::Relaxed);
    }

    /// Appends a line, for which there is room.
    #[inline]
    pub(crate) fn push(&mut self, nanos: i64, line: &[u8]) {
        assert!(self.has_room(line.len()));
        self.put(nanos, line, line.len());
    }

    /// Appends a short line, the first `length` of these bytes, for which there is room. Returns `false` if there is no room to
    /// copy all of them.
    #[inline]
    pub(crate) fn push_short(&mut self, nanos: i64, line: &[u8; SHORT_BYTES], length: usize) -> bool {
        if !self.has_room(SHORT_BYTES) || length > SHORT_BYTES {
            return false;
        }
        self.put(nanos, line, length);
        true
    }

    /// Copies `bytes`, for which there is room, and counts the first `length` of them as a line.
    #[inline]
    fn put(&mut self, nanos: i64, bytes: &[u8], length: usize) {
        let end = self.bytes + length;
        let lines = self.lines + 1;
        let header = self.header();
        // Before the bytes. A kill between here and the last store leaves a begun line, which is counted as torn.
        header.begun.store(lines as u64, Ordering::Relaxed);
        // SAFETY: the callers have asked `has_room`, which leaves these bytes between the lines before and the marks, inside of
        // this chunk, which is borrowed mutably.
        unsafe { self.arena.map.write(self.start + CHUNK_HEADER_BYTES + self.bytes, bytes) };
        let mark = self.mark(self.lines);
        // Relaxed: the store of `committed` below orders both.
        mark.nanos.store(nanos as u64, Ordering::Relaxed);
        mark.end.store(end as u64, Ordering::Relaxed);
        // Release: the line is accepted from here on, with its bytes and its mark.
        header.committed.store(lines as u64, Ordering::Release);
        (self.bytes, self.lines) = (end, lines);
    }

    /// Time of the line.
    #[inline]
    pub(crate) fn nanos(&self, line: usize) -> i64 {
        self.mark(line).nanos.load(Ordering::Relaxed) as i64
    }

    /// Range of the line among the bytes.
    #[inline]
    pub(crate) fn range(&self, line: usize) -> Range<usize> {
        line.checked_sub(1).map_or(0, |before| self.end(before))..self.end(line)
    }

    /// Returns the bytes of consecutive lines. Returns none where the marks are damaged.
    #[inline]
    pub(crate) fn bytes(&self, range: Range<usize>) -> &[u8] {
        if range.start > range.end || range.end > self.capacity {
            return &[];
        }
        let start = self.start + CHUNK_HEADER_BYTES;
        // SAFETY: the range is inside of this chunk, which is borrowed. Damaged marks may let it reach over other marks,
        // which nobody stores to while the chunk is borrowed.
        unsafe { self.arena.map.bytes(start + range.start..start + range.end) }
    }

    /// Notes that the first `lines` lines are in a day file.
    pub(crate) fn set_drained(&self, lines: usize) {
        // Release: a process that finds the file later sees the write before it.
        self.header().drained.store(lines as u64, Ordering::Release);
    }

    /// Removes its lines.
    pub(crate) fn clear(&mut self) {
        // In this order, so that at any moment the lines that are left count as written.
        let header = self.header();
        header.committed.store(0, Ordering::Release);
        header.begun.store(0, Ordering::Release);
        header.drained.store(0, Ordering::Release);
        self.bytes = 0;
        self.lines = 0;
        self.broken.clear();
        self.drafts.clear();
    }

    /// Notes that the backtrace of the last line is a draft.
    pub(crate) fn note_draft(&mut self, draft: Option<Draft>) {
        let last = self.lines.checked_sub(1);
        self.drafts.extend(last.zip(draft));
    }

    /// Returns the first draft from `line` on, with its line.
    pub(crate) fn next_draft(&self, line: usize) -> Option<&(usize, Draft)> {
        self.drafts.iter().find(|(at, _)| *at >= line)
    }

    /// Whether the line is whole and may be written.
    #[inline]
    pub(crate) fn is_whole(&self, line: usize) -> bool {
        self.broken.is_empty() || self.broken.binary_search(&line).is_err()
    }

    /// Notes the lines that are not whole, in ascending order.
    pub(crate) fn set_broken(&mut self, broken: Vec<usize>) {
        self.broken = broken;
    }

    /// Shard of the lines and number of the chunk in the order of their time, as another process left them.
    pub(crate) fn origin(&self) -> (u64, u64) {
        // Relaxed: the other process is dead, so no store races with these loads.
        (self.header().shard.load(Ordering::Relaxed), self.header().sequence.load(Ordering::Relaxed))
    }

    /// Whether a line was begun and not accepted when the process was killed.
    pub(crate) fn ends_torn(&self) -> bool {
        self.header().begun.load(Ordering::Relaxed) > self.header().committed.load(Ordering::Relaxed)
    }

    #[inline]
    fn header(&self) -> &ChunkHeader {
        self.arena.header(self.start)
    }

    /// Mark of a line, even of one that is not there yet.
    #[inline]
    fn mark(&self, line: usize) -> &Mark {
        self.arena.map.view(self.start + CHUNK_HEADER_BYTES + self.capacity - (line + 1) * MARK_BYTES)
    }

    /// End of the line among the bytes.
    #[inline]
    pub(crate) fn end(&self, line: usize) -> usize {
        self.mark(line).end.load(Ordering::Relaxed) as usize
    }
}
