//! Bytes that grow at their end, up to a bound.

use std::io;
use std::ops::{Deref, Range};

use crate::json::MAX_LINE_BYTES;

/// So many bytes are held at most: a line that is about to be cut, and the longest value that may still be of use.
pub(crate) const MOST: usize = WHOLE + (1 << 10);
/// So many bytes are held as they were appended; of what comes behind them only the number is known for sure.
pub(crate) const WHOLE: usize = 3 * MAX_LINE_BYTES;

/// A `Vec<u8>` whose memory behind its end may be written to: so a few short texts are put there side by side, each in
/// a fixed number of bytes, and the end is moved once.
///
/// It never holds more than [`MOST`] bytes. What does not find room is counted as missing, so that whatever a caller
/// brings costs no more memory than that.
#[derive(Clone, Debug, Default)]
pub(crate) struct Buffer {
    /// All of it is initialised; the first `length` count.
    bytes: Vec<u8>,
    length: usize,
    missing: usize,
}

impl Buffer {
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.length = 0;
        self.missing = 0;
    }

    /// How many bytes were appended that found no room.
    #[inline]
    pub(crate) fn missing(&self) -> usize {
        self.missing
    }

    /// Gives memory beyond `bytes` back, unless it is in use.
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
        // In this form the compiler needs no second look at the bounds.
        let room = self.bytes.get_mut(self.length..).and_then(|rest| rest.get_mut(..more.len()));
        let Some(room) = room else { return self.extend_grown(more) };
        room.copy_from_slice(more);
        self.length += more.len();
    }

    #[cold]
    fn extend_grown(&mut self, more: &[u8]) {
        let (held, rest) = more.split_at(more.len().min(MOST - self.length));
        self.missing += rest.len();
        self.grow(held.len());
        self.bytes[self.length..][..held.len()].copy_from_slice(held);
        self.length += held.len();
    }

    /// The next `N` bytes, whatever is in them; [`Buffer::advance`] makes them count.
    #[inline]
    pub(crate) fn room<const N: usize>(&mut self) -> &mut [u8; N] {
        match self.bytes.len().checked_sub(self.length) {
            Some(room) if room >= N => self.bytes[self.length..].first_chunk_mut().expect("there is room"),
            _ => self.grown_room(),
        }
    }

    #[cold]
    fn grown_room<const N: usize>(&mut self) -> &mut [u8; N] {
        // Full: the last bytes are given up for the next ones. There are as many as before, and those are missing.
        let given_up = (self.length + N).saturating_sub(MOST);
        self.length -= given_up;
        self.missing += given_up;
        self.grow(N);
        self.room()
    }

    /// Makes so many bytes more count.
    #[inline]
    pub(crate) fn advance(&mut self, bytes: usize) {
        self.length = (self.length + bytes).min(self.bytes.len());
    }

    /// What is missing was behind the end, too.
    pub(crate) fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
        self.missing = 0;
    }

    /// Copies these bytes to `to`, over what is there.
    pub(crate) fn copy_within(&mut self, range: Range<usize>, to: usize) {
        self.bytes.copy_within(range, to);
    }

    /// Makes room for so many bytes more.
    fn grow(&mut self, bytes: usize) {
        let wanted = (self.length + bytes).max(self.bytes.len() * 2).clamp(256, MOST);
        self.bytes.reserve_exact(wanted.saturating_sub(self.bytes.len()));
        self.bytes.resize(wanted.max(self.bytes.len()), 0);
    }
}

impl Deref for Buffer {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl io::Write for Buffer {
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
    fn l8_what_finds_no_room_is_counted() {
        let text: Vec<u8> = (0..=255).cycle().take(100).collect();
        for by_room in [true, false] {
            let mut buffer = Buffer::default();
            for _ in 0..2 * MOST / 70 {
                if by_room {
                    *buffer.room() = *text.first_chunk::<80>().unwrap();
                    buffer.advance(70);
                } else {
                    buffer.extend_from_slice(&text[..70]);
                }
            }
            assert_eq!(buffer.len() + buffer.missing(), 2 * MOST / 70 * 70);
            assert!(buffer.len() <= MOST && buffer.bytes.capacity() <= MOST);
            let expected = text[..70].iter().cycle();
            assert!(buffer[..WHOLE].iter().eq(expected.take(WHOLE)));
            buffer.truncate(3);
            assert_eq!((&*buffer, buffer.missing()), (&text[..3], 0));
        }
    }

    proptest! {
        #[test]
        fn it_holds_what_a_vector_would(steps in prop::collection::vec(any_step(), 0..40)) {
            let (mut buffer, mut vector) = (Buffer::default(), Vec::new());
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
