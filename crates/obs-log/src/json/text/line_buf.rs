//! Bounded byte buffer that a line is built in.

use std::io;
use std::ops::{Deref, Range};

use crate::limits::MAX_LINE_BYTES;

/// Maximum number of bytes held: [`INTACT_BYTES`] and some slack for [`LineBuf::room`].
pub(crate) const MAX_BYTES: usize = INTACT_BYTES + (1 << 10);

/// Number of leading bytes that are held exactly as they were appended. Of later bytes only the number is certain. Three
/// lines: one that is about to be cut, and the longest value that may still be of use.
pub(crate) const INTACT_BYTES: usize = 3 * MAX_LINE_BYTES;

/// Maximum number of bytes by which a buffer grows beyond what is needed.
const MAX_GROWTH: usize = 64 << 10;

/// Byte vector whose memory behind its end may be written to. Several short texts are copied there side by side, each in
/// a fixed number of bytes, and the end is moved once.
///
/// It never holds more than [`MAX_BYTES`]. Bytes that do not fit are counted as missing, so that no value, however long,
/// takes more memory than that.
#[derive(Clone, Debug, Default)]
pub(crate) struct LineBuf {
    /// Initialised throughout. The first `length` bytes are the content.
    bytes: Vec<u8>,
    length: usize,
    missing: usize,
}

impl LineBuf {
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.length = 0;
        self.missing = 0;
    }

    /// Number of appended bytes that did not fit.
    #[inline]
    pub(crate) fn missing(&self) -> usize {
        self.missing
    }

    /// Frees memory beyond `bytes`, unless it is in use.
    #[inline]
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        let bytes = bytes.max(self.length);
        if self.bytes.capacity() > bytes {
            self.bytes.truncate(bytes);
            self.bytes.shrink_to_fit();
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, byte: u8) {
        self.extend_from_slice(&[byte]);
    }

    #[inline]
    pub(crate) fn extend_from_slice(&mut self, more: &[u8]) {
        // In this form the compiler checks the bounds once.
        let room = self.bytes.get_mut(self.length..).and_then(|rest| rest.get_mut(..more.len()));
        let Some(room) = room else { return self.extend_grown(more) };
        room.copy_from_slice(more);
        self.length += more.len();
    }

    #[cold]
    fn extend_grown(&mut self, more: &[u8]) {
        let (held, rest) = more.split_at(more.len().min(MAX_BYTES - self.length));
        self.missing += rest.len();
        self.grow(held.len());
        self.bytes[self.length..][..held.len()].copy_from_slice(held);
        self.length += held.len();
    }

    /// Returns the next `N` bytes with arbitrary content. [`LineBuf::advance`] appends them.
    #[inline]
    pub(crate) fn room<const N: usize>(&mut self) -> &mut [u8; N] {
        match self.bytes.len().checked_sub(self.length) {
            Some(room) if room >= N => self.bytes[self.length..].first_chunk_mut().expect("there is room"),
            _ => self.grown_room(),
        }
    }

    #[cold]
    fn grown_room<const N: usize>(&mut self) -> &mut [u8; N] {
        // The buffer is full. The last bytes make way for the next ones and are counted as missing.
        let given_up = (self.length + N).saturating_sub(MAX_BYTES);
        self.length -= given_up;
        self.missing += given_up;
        self.grow(N);
        self.room()
    }

    /// Appends the next `bytes` bytes, which [`LineBuf::room`] has filled.
    #[inline]
    pub(crate) fn advance(&mut self, bytes: usize) {
        self.length = (self.length + bytes).min(self.bytes.len());
    }

    /// Keeps the first `length` bytes. Missing bytes came after them, so none is missing afterwards.
    pub(crate) fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
        self.missing = 0;
    }

    /// Copies the bytes in `range` to `to`.
    pub(crate) fn copy_within(&mut self, range: Range<usize>, to: usize) {
        self.bytes.copy_within(range, to);
    }

    /// Makes room for `bytes` more bytes.
    fn grow(&mut self, bytes: usize) {
        // Doubled as a vector would be, but only up to some size, and never beyond the bound.
        let more = self.bytes.len().min(MAX_GROWTH);
        let wanted = (self.length + bytes).max(self.bytes.len() + more).clamp(256, MAX_BYTES);
        self.bytes.reserve_exact(wanted.saturating_sub(self.bytes.len()));
        self.bytes.resize(wanted.max(self.bytes.len()), 0);
    }
}

impl Deref for LineBuf {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl io::Write for LineBuf {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Step {
        Extend(Vec<u8>),
        Room(u8, usize),
        Truncate(usize),
        CopyWithin(usize, usize, usize),
        Shrink(usize),
        Clear,
    }

    fn any_step() -> impl Strategy<Value = Step> {
        let bytes = || prop::collection::vec(any::<u8>(), 0..300);
        prop_oneof![
            bytes().prop_map(Step::Extend),
            (any::<u8>(), 0..=80_usize).prop_map(|(byte, used)| Step::Room(byte, used)),
            (0..500_usize).prop_map(Step::Truncate),
            (0..500_usize, 0..500_usize, 0..500_usize).prop_map(|(a, b, c)| Step::CopyWithin(a, b, c)),
            (0..500_usize).prop_map(Step::Shrink),
            Just(Step::Clear),
        ]
    }

    #[test]
    fn bytes_that_do_not_fit_are_counted() {
        let text: Vec<u8> = (0..=255).cycle().take(100).collect();
        for by_room in [true, false] {
            let mut buffer = LineBuf::default();
            for _ in 0..2 * MAX_BYTES / 70 {
                if by_room {
                    *buffer.room() = *text.first_chunk::<80>().unwrap();
                    buffer.advance(70);
                } else {
                    buffer.extend_from_slice(&text[..70]);
                }
            }
            assert_eq!(buffer.len() + buffer.missing(), 2 * MAX_BYTES / 70 * 70);
            assert!(buffer.len() <= MAX_BYTES && buffer.bytes.capacity() <= MAX_BYTES);
            let expected = text[..70].iter().cycle();
            assert!(buffer[..INTACT_BYTES].iter().eq(expected.take(INTACT_BYTES)));
            buffer.truncate(3);
            assert_eq!((&*buffer, buffer.missing()), (&text[..3], 0));
        }
    }

    proptest! {
        #[test]
        fn it_holds_the_same_bytes_as_a_vector(steps in prop::collection::vec(any_step(), 0..40)) {
            let (mut buffer, mut vector) = (LineBuf::default(), Vec::new());
            for step in steps {
                match step {
                    Step::Extend(bytes) => {
                        buffer.extend_from_slice(&bytes);
                        vector.extend_from_slice(&bytes);
                    }
                    Step::Room(byte, used) => {
                        *buffer.room() = [byte; 80];
                        buffer.advance(used);
                        vector.resize(vector.len() + used, byte);
                    }
                    Step::Truncate(length) => {
                        buffer.truncate(length);
                        vector.truncate(length);
                    }
                    Step::CopyWithin(from, to, place) => {
                        let to = to.min(vector.len());
                        let range = from.min(to)..to;
                        let place = place.min(range.start);
                        buffer.copy_within(range.clone(), place);
                        vector.copy_within(range, place);
                    }
                    Step::Shrink(bytes) => buffer.shrink_to(bytes),
                    Step::Clear => {
                        buffer.clear();
                        vector.clear();
                    }
                }
                prop_assert_eq!(&*buffer, vector.as_slice());
            }
        }
    }
}
