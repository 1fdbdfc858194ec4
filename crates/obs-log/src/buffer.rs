//! Bytes that grow at their end.

use std::io;
use std::ops::{Deref, Range};

/// A `Vec<u8>` whose memory behind its end may be written to: so a few short texts are put there side by side, each in
/// a fixed number of bytes, and the end is moved once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Buffer {
    /// All of it is initialised; the first `length` count.
    bytes: Vec<u8>,
    length: usize,
}

impl Buffer {
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.length = 0;
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
        self.grow(more.len());
        self.extend_from_slice(more);
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
        self.grow(N);
        self.room()
    }

    /// Makes so many bytes more count.
    #[inline]
    pub(crate) fn advance(&mut self, bytes: usize) {
        self.length = (self.length + bytes).min(self.bytes.len());
    }

    pub(crate) fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }

    /// Puts `new` in the place of these bytes.
    pub(crate) fn replace(&mut self, range: Range<usize>, new: &[u8]) {
        self.bytes.truncate(self.length);
        self.bytes.splice(range, new.iter().copied());
        self.length = self.bytes.len();
    }

    /// Copies these bytes to `to`, over what is there.
    pub(crate) fn copy_within(&mut self, range: Range<usize>, to: usize) {
        self.bytes.copy_within(range, to);
    }

    /// Makes room for so many bytes more.
    fn grow(&mut self, bytes: usize) {
        self.bytes.resize((self.length + bytes).max(self.bytes.len() * 2).max(256), 0);
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
        Replace(usize, usize, Vec<u8>),
        Shrink(usize),
        Clear,
    }

    fn any_step() -> impl Strategy<Value = Step> {
        let bytes = || prop::collection::vec(any::<u8>(), 0..300);
        prop_oneof![
            bytes().prop_map(Step::Extend),
            (any::<u8>(), 0..=80_usize).prop_map(|(byte, used)| Step::Room(byte, used)),
            (0..500_usize).prop_map(Step::Truncate),
            (0..500_usize, 0..500_usize, bytes()).prop_map(|(a, b, new)| Step::Replace(a, b, new)),
            (0..500_usize).prop_map(Step::Shrink),
            Just(Step::Clear),
        ]
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
                    Step::Replace(from, to, new) => {
                        let to = to.min(vector.len());
                        let range = from.min(to)..to;
                        buffer.replace(range.clone(), &new);
                        vector.splice(range, new);
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
