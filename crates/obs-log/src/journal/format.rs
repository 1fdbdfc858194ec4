//! Format of a hand-over file.
//!
//! ```text
//! header   kind and version of the file; the intent, which is the write to a day file that is under way
//! chunk 0  its header; bytes of lines, growing up; a mark for each line, growing down from the chunk's end
//! chunk 1  …
//! sites    texts of the places in the program that the records among the lines come from; see `record/`
//! ```
//!
//! A file of version 1 ends behind its chunks, and all of its lines are rendered.
//!
//! Everything is in words of 8 bytes in the machine's own order, because a file is read where it was written. A line is
//! accepted when its chunk's `committed` counts it, which is stored with `Release` after its bytes and its mark.
//!
//! Unsafe are the two declarations that a chunk's header and a mark consist of atomic words.
#![allow(unsafe_code)]

use std::ops::Range;
use std::sync::atomic::AtomicU64;

use crate::journal::map::AtomicWords;
use crate::limits::{CHUNK_BYTES, MAX_CHUNKS};

/// Bytes in front of the chunks.
pub(crate) const HEADER_BYTES: usize = 8 << 10;
/// Bytes in front of a chunk's lines.
pub(super) const CHUNK_HEADER_BYTES: usize = 64;
/// Bytes of a line's mark.
pub(super) const MARK_BYTES: usize = 16;
/// Alignment of chunks, so that two of them share no cache line, nor a pair of lines that is fetched together.
const CHUNK_ALIGNMENT: usize = 128;

/// First word of a file. The last character is the version of the format.
pub(super) const MAGIC: u64 = u64::from_le_bytes(*b"obs-log2");
/// First word of a file of the version before.
pub(super) const MAGIC_1: u64 = u64::from_le_bytes(*b"obs-log1");

/// Offsets of the words in the header.
pub(super) const FORMAT: usize = 0;
pub(super) const CHUNK_SIZE: usize = 8;
pub(super) const CHUNKS: usize = 16;
/// Offset of the number of pieces in the intent. 0 if no write is under way.
pub(super) const PIECES: usize = 24;
pub(super) const DEVICE: usize = 32;
pub(super) const INODE: usize = 40;
pub(super) const OFFSET: usize = 48;
/// Offset of the number of bytes of the sites. Always 0 in a file of version 1.
pub(super) const SITES: usize = 56;
pub(super) const FIRST_PIECE: usize = 64;

/// Bytes behind the chunks of a file, for sites. A program of which more than some 500 places log has the lines of the others
/// rendered by their callers.
pub(crate) const SITE_BYTES: usize = 64 << 10;

/// Maximum number of pieces in one write to a day file: as many as the header has room for.
pub(crate) const MAX_PIECES: usize = (HEADER_BYTES - FIRST_PIECE) / 8;

/// Header of a chunk.
#[repr(C, align(64))]
pub(super) struct ChunkHeader {
    pub(super) sequence: AtomicU64,
    pub(super) shard: AtomicU64,
    /// Number of lines begun.
    pub(super) begun: AtomicU64,
    /// Number of lines accepted.
    pub(super) committed: AtomicU64,
    /// Number of lines that are in a day file.
    pub(super) drained: AtomicU64,
}

const _: () = assert!(size_of::<ChunkHeader>() == CHUNK_HEADER_BYTES);

// SAFETY: all fields are atomic words.
unsafe impl AtomicWords for ChunkHeader {}

/// Time of a line, and its end among the bytes of its chunk.
#[repr(C)]
pub(super) struct Mark {
    pub(super) nanos: AtomicU64,
    pub(super) end: AtomicU64,
}

const _: () = assert!(size_of::<Mark>() == MARK_BYTES);

// SAFETY: all fields are atomic words.
unsafe impl AtomicWords for Mark {}

/// Lines of a chunk that are written in one go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) chunk: usize,
    pub(crate) lines: Range<usize>,
}

impl Piece {
    /// Packs the piece into a word: 16 bits for the chunk, 24 each for the two ends.
    pub(super) fn packed(&self) -> u64 {
        (self.chunk as u64) << 48 | (self.lines.start as u64) << 24 | self.lines.end as u64
    }

    pub(super) fn unpacked(word: u64) -> Piece {
        let part = |shift: u32, bits: u32| (word >> shift & ((1 << bits) - 1)) as usize;
        Piece { chunk: part(48, 16), lines: part(24, 24)..part(0, 24) }
    }
}

/// Number and size of the chunks behind a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) chunks: usize,
    pub(super) chunk_bytes: usize,
    pub(super) site_bytes: usize,
}

/// Beginning of a file, judged.
pub(super) enum Head {
    /// Nothing has been written to it.
    Empty,
    /// A hand-over file of this layout.
    Valid(Layout),
    /// Another kind of file, or a damaged one.
    Foreign,
}

impl Layout {
    /// Layout of at most `bytes`: a whole number of chunks of about [`CHUNK_BYTES`] between the header and the sites.
    pub(super) fn for_bytes(bytes: usize, site_bytes: usize) -> Layout {
        let chunks = (bytes / CHUNK_BYTES).clamp(1, MAX_CHUNKS as usize);
        let chunk_bytes =
            (bytes.max(CHUNK_BYTES) - HEADER_BYTES - site_bytes) / chunks / CHUNK_ALIGNMENT * CHUNK_ALIGNMENT;
        Layout { chunks, chunk_bytes, site_bytes }
    }

    /// Size of the file in bytes.
    pub(super) fn file_bytes(self) -> u64 {
        (self.sites_at() + self.site_bytes) as u64
    }

    /// Offset of the sites.
    pub(super) fn sites_at(self) -> usize {
        HEADER_BYTES + self.chunks * self.chunk_bytes
    }

    /// Judges the first bytes of a file of this length. Every number in them is checked, because a file may be damaged.
    pub(super) fn read(head: &[u8; FIRST_PIECE], length: u64) -> Head {
        // Native order, because the file is read on the machine that has written it.
        let (words, _) = head.as_chunks::<8>();
        let word = |at: usize| words.get(at / 8).map_or(0, |word| u64::from_ne_bytes(*word));
        let site_bytes = match word(FORMAT) {
            MAGIC => SITE_BYTES,
            MAGIC_1 => 0,
            0 => return Head::Empty,
            _ => return Head::Foreign,
        };
        let (chunk_bytes, chunks) = (word(CHUNK_SIZE), word(CHUNKS));
        let beside = (HEADER_BYTES + site_bytes) as u64;
        let expected = chunks.checked_mul(chunk_bytes).and_then(|bytes| bytes.checked_add(beside));
        let possible = chunk_bytes.is_multiple_of(CHUNK_ALIGNMENT as u64)
            && (CHUNK_HEADER_BYTES as u64) < chunk_bytes
            && (1..=MAX_CHUNKS).contains(&chunks)
            && expected == Some(length);
        if !possible {
            return Head::Foreign;
        }
        Head::Valid(Layout { chunks: chunks as usize, chunk_bytes: chunk_bytes as usize, site_bytes })
    }
}
