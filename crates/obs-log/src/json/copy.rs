//! Short texts, copied without a call: most pieces of a line are shorter than the call of `memcpy` takes long. And in
//! one go where it can be: each piece that is appended waits for the length that the one before has stored.

use crate::json::line_buf::Buffer;

/// A text of at most this length is copied in a fixed number of bytes.
const SHORT: usize = 48;
/// Room for a short text and, in quotes, 16 bytes more.
const ROOM: usize = SHORT + 18;

/// A text that is made once and copied often.
#[derive(Debug)]
pub(crate) struct Ready {
    /// Filled up with quotes.
    short: [u8; SHORT],
    length: usize,
    /// What is longer.
    long: Buffer,
}

impl Default for Ready {
    fn default() -> Ready {
        Ready { short: [b'"'; SHORT], length: 0, long: Buffer::default() }
    }
}

impl Ready {
    /// Makes it what `write` appends.
    pub(crate) fn set(&mut self, write: impl FnOnce(&mut Buffer)) {
        self.long.clear();
        self.long.shrink_to(SHORT);
        write(&mut self.long);
        self.length = self.long.len();
        self.short = [b'"'; SHORT];
        if let Some(short) = self.short.get_mut(..self.length) {
            short.copy_from_slice(&self.long);
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.long
    }

    pub(crate) fn len(&self) -> usize {
        self.length
    }

    #[inline]
    pub(crate) fn write(&self, out: &mut Buffer) {
        if self.length > SHORT {
            return out.extend_from_slice(&self.long);
        }
        *out.room() = self.short;
        out.advance(self.length);
    }

    /// Appends it and then the first `length` bytes of `tail`.
    #[inline]
    pub(crate) fn write_with<const N: usize>(&self, out: &mut Buffer, tail: [u8; N], length: usize) {
        let room: &mut [u8; ROOM] = out.room();
        if self.length > SHORT || self.length + N > ROOM {
            out.extend_from_slice(&self.long);
            return out.extend_from_slice(&tail[..length]);
        }
        room[..SHORT].copy_from_slice(&self.short);
        room[self.length..self.length + N].copy_from_slice(&tail);
        out.advance(self.length + length);
    }

    /// Appends it and then, in quotes, a text.
    #[inline]
    pub(crate) fn write_with_quoted<const N: usize>(&self, out: &mut Buffer, text: Ends<'_, N>) {
        let begin = self.length + 1;
        let end = begin + text.length;
        let room: &mut [u8; ROOM] = out.room();
        if self.length >= SHORT || end >= ROOM {
            out.extend_from_slice(&self.long);
            out.push(b'"');
            text.write(out);
            return out.push(b'"');
        }
        // The first quote is one of those that it is filled up with.
        room[..SHORT].copy_from_slice(&self.short);
        room[begin..begin + N].copy_from_slice(text.first);
        room[end - N..end].copy_from_slice(text.last);
        room[end] = b'"';
        out.advance(end + 1);
    }
}

/// The first and the last `N` bytes of a text that they cover.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends<'a, const N: usize> {
    pub(crate) first: &'a [u8; N],
    pub(crate) last: &'a [u8; N],
    length: usize,
}

impl<'a, const N: usize> Ends<'a, N> {
    /// `None` where they do not cover it.
    #[inline]
    pub(crate) fn of(bytes: &'a [u8]) -> Option<Ends<'a, N>> {
        let ends = Ends { first: bytes.first_chunk()?, last: bytes.last_chunk()?, length: bytes.len() };
        (ends.length <= 2 * N).then_some(ends)
    }

    /// Appends the text.
    #[inline]
    pub(crate) fn write(self, out: &mut Buffer) {
        let Some(rest) = self.length.checked_sub(N) else { return };
        let room: &mut [u8; 32] = out.room();
        room[..N].copy_from_slice(self.first);
        room[rest..rest + N].copy_from_slice(self.last);
        out.advance(self.length);
    }
}

/// Appends `bytes`.
#[inline]
pub(crate) fn put(out: &mut Buffer, bytes: &[u8]) {
    if let Some(text) = Ends::<8>::of(bytes) {
        text.write(out);
    } else if let Some(text) = Ends::<4>::of(bytes) {
        text.write(out);
    } else if let Some(text) = Ends::<16>::of(bytes) {
        text.write(out);
    } else if bytes.len() < 4 {
        bytes.iter().for_each(|&byte| out.push(byte));
    } else {
        out.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_every_length_come_out_as_they_went_in() {
        let bytes: Vec<u8> = (0..100).collect();
        let mut ready = Ready::default();
        for length in (0..100).chain((0..100).rev()) {
            let text = &bytes[..length];
            let mut out = Buffer::default();
            out.extend_from_slice(b"before");
            put(&mut out, text);
            ready.set(|ready| ready.extend_from_slice(text));
            ready.write(&mut out);
            assert_eq!(*out, [b"before", text, text].concat());
            assert_eq!((ready.as_bytes(), ready.len()), (text, length));
        }
    }

    #[test]
    fn what_follows_a_text_in_one_go_is_the_same() {
        let mut ready = Ready::default();
        for head in 0..100 {
            let head = vec![b'h'; head];
            ready.set(|ready| ready.extend_from_slice(&head));
            for length in 4..=16_u8 {
                let text: Vec<u8> = (b'a'..b'a' + length).collect();
                let mut out = Buffer::default();
                out.extend_from_slice(b"before");
                match (Ends::<4>::of(&text), Ends::<8>::of(&text)) {
                    (_, Some(text)) => ready.write_with_quoted(&mut out, text),
                    (Some(text), _) => ready.write_with_quoted(&mut out, text),
                    (None, None) => unreachable!("one of the two covers it"),
                }
                assert_eq!(*out, [b"before", &head[..], b"\"", &text, b"\""].concat());
            }
            let mut out = Buffer::default();
            out.extend_from_slice(b"before");
            ready.write_with(&mut out, *b"12345", 3);
            assert_eq!(*out, [b"before", &head[..], b"123"].concat());
        }
    }
}
