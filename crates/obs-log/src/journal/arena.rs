//! The memory that lines are staged in: chunks, in a mapped file that outlives the process or in plain memory (L10).
//!
//! What a process has stored in a shared mapping of a file is in the operating system's page cache. SIGKILL, an abort
//! or a crash take nothing of it away, at the price of a store to memory. So lines are staged in such a file, with
//! what it takes to find them again:
//!
//! ```text
//! header   what the file is, and the intent: the write to a day file that is under way
//! chunk 0  its header; bytes of lines, growing up; a mark for each line, growing down from the chunk's end
//! chunk 1  …
//! ```
//!
//! All is in words of 8 bytes in the machine's own order: a file is read where it was written. A line is accepted when
//! its chunk's `committed` counts it, which is stored with `Release` after its bytes and its mark.
//!
//! With the system calls in `exit.rs` and `handover.rs` and the clock in `ticks.rs` this is where unsafe code is, because
//! a mapping is raw memory. `cargo xtask sanitize` runs their tests with AddressSanitizer and under Miri. Invariants:
//! - a mapping lives as long as its [`Arena`], which every [`Chunk`] of it holds; its length never changes;
//! - words are only touched as atomics, and only at checked, aligned places ([`Arena::view`]);
//! - the bytes of a chunk belong to its one [`Chunk`] value: [`Arena::into_chunks`] makes each once. `&mut` writes,
//!   `&` reads, and no place outside of the chunk can be named;
//! - other processes do not write the file: it has mode 0600 and is locked. If one did nevertheless, every length that
//!   is read from it is checked before it is used; only making it shorter would kill us, as with any mapped file.
#![allow(unsafe_code)]

use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::ptr;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use memmap2::{MmapOptions, MmapRaw};

use crate::backtrace::Draft;
use crate::journal::file::File;

/// Bytes in front of the chunks.
pub(crate) const HEADER_BYTES: usize = 8 << 10;
/// About the size of a chunk: large enough for large writes, small enough for a processor's cache.
pub(crate) const CHUNK_BYTES: usize = 256 << 10;
/// Of a large queue this much is provided at once; the rest when a stall needs it.
const PROVIDED_BYTES: usize = 16 << 20;
/// The smallest queue, which `Config` allows too.
const LEAST_BYTES: usize = 1 << 20;
const CHUNK_HEADER: usize = 64;
const MARK_BYTES: usize = 16;

/// The first word of a file; the last digit is the version of its layout.
const MAGIC: u64 = u64::from_le_bytes(*b"obs-log1");

/// Words of the header.
const FORMAT: usize = 0;
const CHUNK_SIZE: usize = 8;
const CHUNKS: usize = 16;
/// Segments of the intent; 0: no write is under way.
const SEGMENTS: usize = 24;
const DEVICE: usize = 32;
const INODE: usize = 40;
const OFFSET: usize = 48;
const FIRST_SEGMENT: usize = 64;

/// Most pieces of one write to a day file.
pub(crate) const MAX_SEGMENTS: usize = (HEADER_BYTES - FIRST_SEGMENT) / 8;

/// An intent names a chunk in 16 bits.
const MOST_CHUNKS: u64 = 1 << 16;

/// With that many chunks of their usual size.
pub(crate) const MOST_QUEUE_BYTES: u64 = MOST_CHUNKS * CHUNK_BYTES as u64;

/// What a chunk begins with.
#[repr(C, align(64))]
struct ChunkHeader {
    sequence: AtomicU64,
    shard: AtomicU64,
    /// Lines begun, accepted, and written to a day file.
    begun: AtomicU64,
    committed: AtomicU64,
    drained: AtomicU64,
}

const _: () = assert!(size_of::<ChunkHeader>() == CHUNK_HEADER);

/// When a line was made, and where it ends among the bytes of its chunk.
#[repr(C)]
struct Mark {
    nanos: AtomicU64,
    end: AtomicU64,
}

const _: () = assert!(size_of::<Mark>() == MARK_BYTES);

/// Memory for a number of chunks.
#[derive(Debug)]
pub(crate) struct Arena {
    map: MmapRaw,
    chunk_bytes: usize,
    chunks: usize,
    /// Dropped after the mapping; `None` in plain memory.
    file: Option<File>,
}

/// What is in the file of a dead process.
#[derive(Debug)]
pub(crate) enum LeftBehind {
    /// It died before it had prepared the file.
    Nothing(File),
    Lines(Arena),
    /// Not of our making, or so damaged that nothing can be found in it: left alone.
    Foreign,
}

/// A place in a day file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) device: u64,
    pub(crate) inode: u64,
    pub(crate) offset: u64,
}

/// Lines of a chunk that are written in one go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) chunk: usize,
    pub(crate) lines: Range<usize>,
}

/// Lines of one shard, in the order they were made.
#[derive(Debug)]
pub(crate) struct Chunk {
    arena: Arc<Arena>,
    index: usize,
    /// Where it begins in the arena, and how many bytes there are for lines and marks.
    start: usize,
    capacity: usize,
    bytes: usize,
    lines: usize,
    /// Lines that are not whole, after a crash of the whole machine; in their order.
    broken: Vec<usize>,
    /// Lines whose backtraces get their symbols when they are written; in their order. Not in the file.
    drafts: Vec<(usize, Draft)>,
}

impl Arena {
    /// The size of a file for at most `bytes`.
    pub(crate) fn file_bytes(bytes: usize) -> u64 {
        let (chunks, chunk_bytes) = Arena::layout(bytes);
        (HEADER_BYTES + chunks * chunk_bytes) as u64
    }

    /// The number and the size of chunks: a whole number of about [`CHUNK_BYTES`] behind the header.
    fn layout(bytes: usize) -> (usize, usize) {
        let chunks = (bytes / CHUNK_BYTES).clamp(1, MOST_CHUNKS as usize);
        (chunks, (bytes.max(CHUNK_BYTES) - HEADER_BYTES) / chunks / 128 * 128)
    }

    /// In memory that ends with the process. Less than `bytes` where the process may not have as much.
    pub(crate) fn in_memory(bytes: usize) -> io::Result<Arena> {
        let length = usize::try_from(Arena::file_bytes(bytes)).map_err(io::Error::other)?;
        match MmapOptions::new().len(length).map_anon() {
            Ok(map) => Ok(Arena::formatted(map.into(), bytes, None)),
            Err(_) if bytes > LEAST_BYTES => Arena::in_memory((bytes / 2).max(LEAST_BYTES)),
            Err(error) => Err(error),
        }
    }

    /// In `file`, which is new, all zero, and of the size of [`Arena::file_bytes`].
    pub(crate) fn in_file(file: File, bytes: usize) -> io::Result<Arena> {
        let map = MmapOptions::new().map_raw(file.as_file()).inspect_err(|_| file.remove())?;
        if map.len() as u64 != Arena::file_bytes(bytes) {
            file.remove();
            return Err(io::Error::other("the file has another size"));
        }
        Ok(Arena::formatted(map, bytes, Some(file)))
    }

    fn formatted(map: MmapRaw, bytes: usize, file: Option<File>) -> Arena {
        let (chunks, chunk_bytes) = Arena::layout(bytes);
        let arena = Arena { map, chunk_bytes, chunks, file };
        arena.word(CHUNK_SIZE).store(chunk_bytes as u64, Ordering::Relaxed);
        arena.word(CHUNKS).store(chunks as u64, Ordering::Relaxed);
        arena.word(FORMAT).store(MAGIC, Ordering::Release);
        arena
    }

    /// What another process has left in a file.
    pub(crate) fn left_behind(file: File) -> io::Result<LeftBehind> {
        // Looked at before it is mapped: a file of an enormous size may be nothing but its header.
        let mut head = [0; FIRST_SEGMENT];
        let length = file.as_file().metadata()?.len();
        if length < HEADER_BYTES as u64 {
            return Ok(LeftBehind::Nothing(file));
        }
        file.as_file().read_exact_at(&mut head, 0)?;
        let (words, _) = head.as_chunks::<8>();
        let word = |at: usize| words.get(at / 8).map_or(0, |word| u64::from_ne_bytes(*word));
        let (chunk_bytes, chunks) = (word(CHUNK_SIZE), word(CHUNKS));
        let expected =
            chunks.checked_mul(chunk_bytes).and_then(|bytes| bytes.checked_add(HEADER_BYTES as u64));
        match word(FORMAT) {
            MAGIC => {}
            0 => return Ok(LeftBehind::Nothing(file)),
            _ => return Ok(LeftBehind::Foreign),
        }
        let possible = chunk_bytes.is_multiple_of(128)
            && (CHUNK_HEADER as u64) < chunk_bytes
            && (1..=MOST_CHUNKS).contains(&chunks)
            && expected == Some(length);
        if !possible {
            return Ok(LeftBehind::Foreign);
        }
        file.fill_holes()?;
        let map = MmapOptions::new().map_raw(file.as_file())?;
        let length = u64::try_from(map.len()).ok();
        if length != expected {
            return Err(io::Error::other("the file has changed its size"));
        }
        let [chunk_bytes, chunks] = [chunk_bytes, chunks].map(|size| size as usize);
        Ok(LeftBehind::Lines(Arena { map, chunk_bytes, chunks, file: Some(file) }))
    }

    /// Hands the chunks out, each once, with the lines that are in them.
    pub(crate) fn into_chunks(self) -> Vec<Chunk> {
        let arena = Arc::new(self);
        (0..arena.chunks).map(|index| Chunk::new(Arc::clone(&arena), index)).collect()
    }

    /// Has the operating system provide the pages now: at its first touch each would cost its caller as much as ten
    /// lines. Without effect where it has no such call.
    pub(crate) fn provide(&self) {
        #[cfg(target_os = "linux")]
        let _ = self.map.advise_range(memmap2::Advice::PopulateWrite, 0, self.map.len().min(PROVIDED_BYTES));
    }

    pub(crate) fn file(&self) -> Option<&File> {
        self.file.as_ref()
    }

    /// Lines that no day file has.
    pub(crate) fn undrained(&self) -> u64 {
        let count = |chunk: usize| {
            let header = self.header(self.start(chunk));
            let lines = |count: &AtomicU64| count.load(Ordering::Acquire);
            lines(&header.committed).saturating_sub(lines(&header.drained))
        };
        (0..self.chunks).map(count).fold(0, u64::saturating_add)
    }

    /// Notes that `pieces` are about to be written to `place`.
    pub(crate) fn intend(&self, place: Place, pieces: impl Iterator<Item = Piece>) {
        self.word(DEVICE).store(place.device, Ordering::Relaxed);
        self.word(INODE).store(place.inode, Ordering::Relaxed);
        self.word(OFFSET).store(place.offset, Ordering::Relaxed);
        let mut count = 0;
        for piece in pieces.take(MAX_SEGMENTS) {
            self.word(FIRST_SEGMENT + 8 * count).store(piece.packed(), Ordering::Relaxed);
            count += 1;
        }
        self.word(SEGMENTS).store(count as u64, Ordering::Release);
    }

    /// Notes that no write is under way any more.
    pub(crate) fn settle(&self) {
        self.word(SEGMENTS).store(0, Ordering::Release);
    }

    /// The write that was under way.
    pub(crate) fn intent(&self) -> Option<(Place, Vec<Piece>)> {
        let count = usize::try_from(self.word(SEGMENTS).load(Ordering::Acquire)).ok()?;
        if count == 0 || count > MAX_SEGMENTS {
            return None;
        }
        let word = |at: usize| self.word(at).load(Ordering::Relaxed);
        let place = Place { device: word(DEVICE), inode: word(INODE), offset: word(OFFSET) };
        Some((place, (0..count).map(|at| Piece::unpacked(word(FIRST_SEGMENT + 8 * at))).collect()))
    }

    fn start(&self, chunk: usize) -> usize {
        HEADER_BYTES + chunk * self.chunk_bytes
    }

    #[inline]
    fn word(&self, at: usize) -> &AtomicU64 {
        // SAFETY: any eight bytes are an `AtomicU64`.
        unsafe { self.view(at) }
    }

    #[inline]
    fn header(&self, at: usize) -> &ChunkHeader {
        // SAFETY: it is of atomic words.
        unsafe { self.view(at) }
    }

    /// What is at this place of the mapping, which is checked.
    ///
    /// # Safety
    ///
    /// `T` is of atomic words: all bytes are a value of it, and others may store to it meanwhile.
    #[inline]
    unsafe fn view<T>(&self, at: usize) -> &T {
        let end = at.checked_add(size_of::<T>());
        assert!(at.is_multiple_of(align_of::<T>()) && end.is_some_and(|end| end <= self.map.len()));
        // SAFETY: inside of the mapping, which lives as long as the borrow of the arena; aligned, because the mapping
        // begins at a page; and such places are touched in no other way.
        unsafe { &*self.map.as_mut_ptr().add(at).cast::<T>() }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // What no day file has stays for the next start.
        if let Some(file) = &self.file
            && self.undrained() == 0
        {
            file.remove();
        }
    }
}

impl Piece {
    fn packed(&self) -> u64 {
        (self.chunk as u64) << 48 | (self.lines.start as u64) << 24 | self.lines.end as u64
    }

    fn unpacked(word: u64) -> Piece {
        let part = |shift: u32, bits: u32| (word >> shift & ((1 << bits) - 1)) as usize;
        Piece { chunk: part(48, 16), lines: part(24, 24)..part(0, 24) }
    }
}

impl Chunk {
    fn new(arena: Arc<Arena>, index: usize) -> Chunk {
        let (start, capacity) = (arena.start(index), arena.chunk_bytes - CHUNK_HEADER);
        let (broken, drafts) = (Vec::new(), Vec::new());
        let mut chunk = Chunk { arena, index, start, capacity, bytes: 0, lines: 0, broken, drafts };
        let committed = usize::try_from(chunk.header().committed.load(Ordering::Acquire)).unwrap_or(0);
        chunk.lines = committed.min(capacity / MARK_BYTES);
        // Where it is damaged it ends.
        while chunk.lines > 0 && chunk.end(chunk.lines - 1) > capacity - chunk.lines * MARK_BYTES {
            chunk.lines -= 1;
        }
        chunk.bytes = chunk.lines.checked_sub(1).map_or(0, |last| chunk.end(last));
        chunk
    }

    pub(crate) fn arena(&self) -> &Arc<Arena> {
        &self.arena
    }

    pub(crate) fn index(&self) -> usize {
        self.index
    }

    /// The number of its lines.
    #[inline]
    pub(crate) fn lines(&self) -> usize {
        self.lines
    }

    /// The bytes of its lines.
    pub(crate) fn line_bytes(&self) -> usize {
        self.bytes
    }

    /// The number of lines, from the first, that are in a day file.
    pub(crate) fn drained(&self) -> usize {
        (self.header().drained.load(Ordering::Acquire) as usize).min(self.lines)
    }

    /// Whether a line of so many bytes fits.
    #[inline]
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.bytes + bytes + (self.lines + 1) * MARK_BYTES <= self.capacity
    }

    /// Begins to stage lines of a shard.
    pub(crate) fn open(&mut self, sequence: u64, shard: usize) {
        let header = self.header();
        header.sequence.store(sequence, Ordering::Relaxed);
        header.shard.store(shard as u64, Ordering::Relaxed);
    }

    /// Adds a line, for which there is room.
    #[inline]
    pub(crate) fn push(&mut self, nanos: i64, line: &[u8]) {
        assert!(self.has_room(line.len()));
        let end = self.bytes + line.len();
        let lines = self.lines + 1;
        let header = self.header();
        header.begun.store(lines as u64, Ordering::Relaxed);
        // SAFETY: there is room between the lines before and the marks, all of it inside of this chunk, whose bytes
        // nobody else touches while it is borrowed mutably.
        unsafe {
            let to = self.arena.map.as_mut_ptr().add(self.start + CHUNK_HEADER + self.bytes);
            ptr::copy_nonoverlapping(line.as_ptr(), to, line.len());
        }
        let mark = self.mark(self.lines);
        mark.nanos.store(nanos as u64, Ordering::Relaxed);
        mark.end.store(end as u64, Ordering::Relaxed);
        // From here on the line is accepted.
        header.committed.store(lines as u64, Ordering::Release);
        (self.bytes, self.lines) = (end, lines);
    }

    /// When the line was made.
    #[inline]
    pub(crate) fn nanos(&self, line: usize) -> i64 {
        self.mark(line).nanos.load(Ordering::Relaxed) as i64
    }

    /// Where the line is among the bytes.
    #[inline]
    pub(crate) fn range(&self, line: usize) -> Range<usize> {
        line.checked_sub(1).map_or(0, |before| self.end(before))..self.end(line)
    }

    /// Bytes of lines that follow one another; none where the marks are damaged.
    #[inline]
    pub(crate) fn bytes(&self, range: Range<usize>) -> &[u8] {
        if range.start > range.end || range.end > self.capacity {
            return &[];
        }
        // SAFETY: inside of this chunk, whose bytes nobody writes while it is borrowed.
        unsafe {
            let from = self.arena.map.as_mut_ptr().add(self.start + CHUNK_HEADER + range.start);
            slice::from_raw_parts(from, range.len())
        }
    }

    /// Notes that lines up to this one are in a day file.
    pub(crate) fn set_drained(&self, lines: usize) {
        self.header().drained.store(lines as u64, Ordering::Release);
    }

    /// Forgets its lines. In this order: at any moment what is left of it reads as written.
    pub(crate) fn clear(&mut self) {
        let header = self.header();
        header.committed.store(0, Ordering::Release);
        header.begun.store(0, Ordering::Release);
        header.drained.store(0, Ordering::Release);
        self.bytes = 0;
        self.lines = 0;
        self.broken.clear();
        self.drafts.clear();
    }

    /// Notes that the last line is a draft.
    pub(crate) fn note_draft(&mut self, draft: Option<Draft>) {
        let last = self.lines.checked_sub(1);
        self.drafts.extend(last.zip(draft));
    }

    /// The first draft from `line` on, by its line.
    pub(crate) fn next_draft(&self, line: usize) -> Option<&(usize, Draft)> {
        self.drafts.iter().find(|(at, _)| *at >= line)
    }

    /// Whether the line may be written.
    #[inline]
    pub(crate) fn is_whole(&self, line: usize) -> bool {
        self.broken.is_empty() || self.broken.binary_search(&line).is_err()
    }

    pub(crate) fn set_broken(&mut self, broken: Vec<usize>) {
        self.broken = broken;
    }

    /// The shard and the place among the chunks of its time, as another process left them.
    pub(crate) fn origin(&self) -> (u64, u64) {
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

    /// The mark of a line, of which there may not be one yet.
    #[inline]
    fn mark(&self, line: usize) -> &Mark {
        // SAFETY: it is of atomic words.
        unsafe { self.arena.view(self.start + CHUNK_HEADER + self.capacity - (line + 1) * MARK_BYTES) }
    }

    #[inline]
    fn end(&self, line: usize) -> usize {
        self.mark(line).end.load(Ordering::Relaxed) as usize
    }
}

#[cfg(test)]
mod tests;
