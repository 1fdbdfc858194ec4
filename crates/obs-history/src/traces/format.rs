//! Format of the file.
//!
//! ```text
//! header   kind and version, size of the ring, the file's key; once more at COPY; the position of the next record
//! names    a place of NAME_BYTES for each name of a span
//! ring     records, one behind the other, from its end on at its beginning again
//! ```
//!
//! A record is three words and the packed trace, up to a whole word: its seal, its length and kind, and its position in the
//! order of all records, in bytes. A copy has one word more, the number of the original. A record is there once its seal is
//! right. The seal's key is random for each file, so that no text of a peer is ever taken for a record. A record of position
//! `p` is at `p` modulo the size of the ring, so the same bytes are right in rings of several sizes: in the hand-over file,
//! and in the file that it is written to.
//!
//! Words are in the machine's own order, because a file is read where it was written.

/// Bytes of the header.
pub(super) const HEADER_BYTES: usize = 4096;
/// Bytes of a name's place: a word for the seal, a byte for the length, and the name.
pub(super) const NAME_BYTES: usize = 128;
/// Number of places for names. The first is not used, because names have numbers from 1 on.
pub(super) const NAMES: usize = 1024;
/// Offset of the ring.
pub(super) const RING_AT: usize = HEADER_BYTES + NAMES * NAME_BYTES;
/// Offset of the second copy of the header, in case the first is damaged.
const COPY: usize = 2048;
/// Offset of the position of the next record.
pub(super) const CURSOR: usize = 1024;
/// Offset of the position at the last opening, and of its seal. The position never goes back behind it.
pub(super) const FLOOR: usize = 1536;

/// First bytes of a file, without the version.
const KIND: [u8; 7] = *b"obs-trc";
/// Version of the format, the eighth byte.
const VERSION: u8 = b'1';

/// Bytes in front of a packed trace, without the number of a copy.
pub(super) const HEAD_BYTES: usize = 24;
/// Bytes of the number of a copy.
pub(super) const NUMBER_BYTES: usize = 8;
/// Maximum bytes of a packed trace.
pub(super) const MAX_PACKED: usize = 64 << 10;
/// Maximum bytes of a record.
pub(super) const MAX_RECORD: usize = HEAD_BYTES + NUMBER_BYTES + MAX_PACKED;

/// Minimum size of a file. The ring holds some of the largest records then.
pub(super) const MIN_FILE_BYTES: u64 = 1 << 20;
/// Bytes of the ring in the hand-over file. It has the last 10 000 calls of a home's node, and a processor's cache holds much
/// of it. A power of two, because a division costs a caller several nanoseconds.
const HANDOVER_RING_BYTES: u64 = 4 << 20;
/// The same for a file that is smaller.
const SMALL_HANDOVER_RING_BYTES: u64 = 512 << 10;
/// Maximum size of a file.
pub(super) const MAX_FILE_BYTES: u64 = 1 << 30;

/// Size of the ring, and key of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// Bytes of the ring, a multiple of a page.
    pub(super) ring_bytes: u64,
    pub(super) key: [u64; 2],
}

/// Beginning of a file, judged.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// Nothing was written to it.
    Empty,
    Valid(Layout),
    /// A later version of the program made it.
    Newer,
    /// Another kind of file, or damaged.
    Damaged,
}

impl Layout {
    /// Returns the layout of a new file of at most `bytes`.
    pub(super) fn for_bytes(bytes: u64, key: [u64; 2]) -> Layout {
        let bytes = bytes.clamp(MIN_FILE_BYTES, MAX_FILE_BYTES);
        Layout { ring_bytes: (bytes - RING_AT as u64) / 4096 * 4096, key }
    }

    /// Returns the layout of the hand-over file of a file.
    pub(super) fn of_handover(self) -> Layout {
        let is_small = self.ring_bytes < HANDOVER_RING_BYTES;
        Layout { ring_bytes: if is_small { SMALL_HANDOVER_RING_BYTES } else { HANDOVER_RING_BYTES }, ..self }
    }

    pub(super) fn file_bytes(self) -> u64 {
        RING_AT as u64 + self.ring_bytes
    }

    /// Returns the header, with this position of the next record.
    pub(super) fn header(self, cursor: u64) -> Vec<u8> {
        let mut header = vec![0; HEADER_BYTES];
        for start in [0, COPY] {
            put(&mut header, start, &[kind_word(VERSION), self.ring_bytes, self.key[0], self.key[1]]);
            let check = seal(FIXED_KEY, 0, &header[start..start + 32]);
            put(&mut header, start + 32, &[check]);
        }
        put(&mut header, CURSOR, &[cursor]);
        put(&mut header, FLOOR, &[cursor, seal(self.key, FLOOR as u64, &cursor.to_ne_bytes())]);
        header
    }

    /// Judges the first [`HEADER_BYTES`] of a file. Every number in them is checked.
    pub(super) fn read(header: &[u8]) -> Head {
        if header.iter().all(|byte| *byte == 0) {
            return Head::Empty;
        }
        let copies =
            [0, COPY].map(|start| Layout::read_copy(header.get(start..start + 40).unwrap_or_default()));
        let newer = |start: usize| {
            header.get(start..start + 8).is_some_and(|kind| kind[..7] == KIND && kind[7] > VERSION)
        };
        match copies {
            // The version alone tells, because a later one may have a different header.
            _ if newer(0) => Head::Newer,
            [Some(layout), _] | [None, Some(layout)] => Head::Valid(layout),
            [None, None] => Head::Damaged,
        }
    }

    fn read_copy(bytes: &[u8]) -> Option<Layout> {
        let words: Vec<u64> = words(bytes).collect();
        let [kind, ring_bytes, first, second, check] = words[..] else { return None };
        let layout = Layout { ring_bytes, key: [first, second] };
        let fits = ring_bytes.is_multiple_of(4096)
            && (MIN_FILE_BYTES..=MAX_FILE_BYTES)
                .contains(&layout.file_bytes().next_multiple_of(MIN_FILE_BYTES))
            && ring_bytes >= 2 * MAX_RECORD as u64;
        let is_whole = kind == kind_word(VERSION) && check == seal(FIXED_KEY, 0, &bytes[..32]);
        (is_whole && fits).then_some(layout)
    }
}

fn kind_word(version: u8) -> u64 {
    let mut bytes = [version; 8];
    bytes[..7].copy_from_slice(&KIND);
    u64::from_ne_bytes(bytes)
}

fn put(bytes: &mut [u8], at: usize, words: &[u64]) {
    for (place, word) in bytes[at..].chunks_exact_mut(8).zip(words) {
        place.copy_from_slice(&word.to_ne_bytes());
    }
}

/// Returns the whole words of some bytes.
pub(super) fn words(bytes: &[u8]) -> impl ExactSizeIterator<Item = u64> {
    bytes.as_chunks::<8>().0.iter().map(|word| u64::from_ne_bytes(*word))
}

/// Second word of a record: its length, and whether it is a copy. The rest is a mark of the file, by which a reader finds
/// records in the ring.
#[derive(Clone, Copy)]
pub(super) struct RecordHead(pub(super) u64);

const COPY_BIT: u64 = 1 << 32;
const MARK_SHIFT: u32 = 40;

impl RecordHead {
    #[inline]
    pub(super) fn new(length: usize, is_copy: bool, layout: &Layout) -> RecordHead {
        let copy = if is_copy { COPY_BIT } else { 0 };
        RecordHead(length as u64 | copy | layout.key[0] << MARK_SHIFT)
    }

    /// Returns the bytes of the packed trace. `None` if this is no record of the file.
    #[inline]
    pub(super) fn length(self, layout: &Layout) -> Option<usize> {
        let length = self.0 as u32 as usize;
        let is_record = self.0 >> MARK_SHIFT == layout.key[0] << MARK_SHIFT >> MARK_SHIFT
            && self.0 << 24 >> 57 == 0
            && (1..=MAX_PACKED).contains(&length);
        is_record.then_some(length)
    }

    pub(super) fn is_copy(self) -> bool {
        self.0 & COPY_BIT != 0
    }

    /// Returns the bytes in front of the packed trace.
    pub(super) fn head_bytes(self) -> usize {
        HEAD_BYTES + if self.is_copy() { NUMBER_BYTES } else { 0 }
    }
}

/// Key of the seal of the header itself.
const FIXED_KEY: [u64; 2] = [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344];

/// Returns a check of whole words at a place. It finds damage, and is no secret: who writes the file can make it.
///
/// Two lanes of folded multiplication, which take a nanosecond for four words. A checksum made for files costs as much as
/// packing the trace.
#[inline]
pub(super) fn seal(key: [u64; 2], place: u64, bytes: &[u8]) -> u64 {
    seal_of_each(key, place, bytes, |_, _| ())
}

/// Returns the seal, and calls `visit` with the number and the value of each word. The multiplications wait for each other, so
/// the processor has time for that.
#[inline]
pub(super) fn seal_of_each(
    key: [u64; 2],
    place: u64,
    bytes: &[u8],
    mut visit: impl FnMut(usize, u64),
) -> u64 {
    let [first, second] = key;
    let (mut one, mut other) = (first ^ place, second);
    let (fours, rest) = bytes.as_chunks::<32>();
    let mut number = 0;
    for four in fours {
        let word = |at: usize| u64::from_ne_bytes([0, 1, 2, 3, 4, 5, 6, 7].map(|byte| four[8 * at + byte]));
        one = fold(one ^ word(0), second ^ word(1));
        other = fold(other ^ word(2), first ^ word(3));
        (0..4).for_each(|at| visit(number + at, word(at)));
        number += 4;
    }
    for word in words(rest) {
        one = fold(one ^ word, second ^ FIXED_KEY[0]);
        visit(number, word);
        number += 1;
    }
    // Never zero, so that a hole in the file has no seal.
    fold(one ^ FIXED_KEY[1], other ^ bytes.len() as u64) | 1
}

#[inline]
fn fold(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_from_either_copy_and_a_newer_one_is_told() {
        let layout = Layout::for_bytes(4 << 20, [3, 4]);
        let header = layout.header(80);
        assert_eq!(Layout::read(&header), Head::Valid(layout));
        for at in 0..40 {
            let mut damaged = header.clone();
            damaged[at] ^= 0x80;
            assert_eq!(Layout::read(&damaged), if at == 7 { Head::Newer } else { Head::Valid(layout) });
            damaged[COPY + 9] ^= 1;
            assert_eq!(Layout::read(&damaged), if at == 7 { Head::Newer } else { Head::Damaged });
        }
        assert_eq!(Layout::read(&header[..30]), Head::Damaged);
        assert_eq!(Layout::read(&[]), Head::Empty);
    }

    #[test]
    fn a_seal_tells_every_flip_and_every_place() {
        let bytes: Vec<u8> = (0..120).map(|byte: u8| byte / 8).collect();
        for length in (0..=bytes.len()).step_by(8) {
            let whole = seal([1, 2], 8, &bytes[..length]);
            assert_ne!(whole, seal([1, 2], 16, &bytes[..length]));
            assert_ne!(whole, seal([1, 3], 8, &bytes[..length]));
            for bit in 0..8 * length {
                let mut flipped = bytes[..length].to_vec();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert_ne!(whole, seal([1, 2], 8, &flipped), "{length} {bit}");
            }
        }
    }
}
