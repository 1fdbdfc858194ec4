//! Copies of short texts without a call to `memcpy`.
//!
//! Most pieces of a line are so short that the call would cost more than the copy. Pieces that follow each other are
//! appended in one step where possible, because each append has to wait for the length that the one before has stored.

use crate::json::text::line_buf::LineBuf;

/// Texts of at most this many bytes are copied with a copy of this fixed size.
const SHORT: usize = 48;
/// Bytes for a short text followed by 16 bytes in quotes.
const ROOM: usize = SHORT + 18;

/// Text that is encoded once and copied often.
#[derive(Debug)]
pub(crate) struct CopyText {
    /// The text, if it is short, padded with quotes.
    short: [u8; SHORT],
    length: usize,
    /// The text, whatever its length.
    long: LineBuf,
}

impl Default for CopyText {
    fn default() -> CopyText {
        CopyText { short: [b'"'; SHORT], length: 0, long: LineBuf::default() }
    }
}

impl CopyText {
    /// Replaces the text by what `write` appends.
    pub(crate) fn set(&mut self, write: impl FnOnce(&mut LineBuf)) {
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

    /// Appends the text.
    #[inline]
    pub(crate) fn write(&self, out: &mut LineBuf) {
        if self.length > SHORT {
            return out.extend_from_slice(&self.long);
        }
        // A copy of fixed size, which the compiler turns into a few vector moves. The length says how much of it counts.
        *out.room() = self.short;
        out.advance(self.length);
    }

    /// Appends the text and then the first `length` bytes of `tail`.
    #[inline]
    pub(crate) fn write_with<const N: usize>(&self, out: &mut LineBuf, tail: [u8; N], length: usize) {
        let room: &mut [u8; ROOM] = out.room();
        if self.length > SHORT || self.length + N > ROOM {
            out.extend_from_slice(&self.long);
            return out.extend_from_slice(&tail[..length]);
        }
        room[..SHORT].copy_from_slice(&self.short);
        room[self.length..self.length + N].copy_from_slice(&tail);
        out.advance(self.length + length);
    }

    /// Appends the text and then `text` in quotes.
    #[inline]
    pub(crate) fn write_with_quoted<const N: usize>(&self, out: &mut LineBuf, text: Ends<'_, N>) {
        let begin = self.length + 1;
        let end = begin + text.length;
        let room: &mut [u8; ROOM] = out.room();
        if self.length >= SHORT || end >= ROOM {
            out.extend_from_slice(&self.long);
            out.push(b'"');
            text.write(out);
            return out.push(b'"');
        }
        // The opening quote is part of the padding.
        room[..SHORT].copy_from_slice(&self.short);
        room[begin..begin + N].copy_from_slice(text.first);
        room[end - N..end].copy_from_slice(text.last);
        room[end] = b'"';
        out.advance(end + 1);
    }
}

/// First and last `N` bytes of a text of `N` to `2 * N` bytes. Together they cover it, possibly overlapping, so two copies
/// of fixed size are enough.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends<'a, const N: usize> {
    pub(crate) first: &'a [u8; N],
    pub(crate) last: &'a [u8; N],
    length: usize,
}

impl<'a, const N: usize> Ends<'a, N> {
    /// Returns `None` if the two ends do not cover `bytes`.
    #[inline]
    pub(crate) fn of(bytes: &'a [u8]) -> Option<Ends<'a, N>> {
        let ends = Ends { first: bytes.first_chunk()?, last: bytes.last_chunk()?, length: bytes.len() };
        (ends.length <= 2 * N).then_some(ends)
    }

    /// Appends the text.
    #[inline]
    pub(crate) fn write(self, out: &mut LineBuf) {
        let Some(rest) = self.length.checked_sub(N) else { return };
        let room: &mut [u8; 32] = out.room();
        room[..N].copy_from_slice(self.first);
        room[rest..rest + N].copy_from_slice(self.last);
        out.advance(self.length);
    }
}

/// Appends `bytes`.
#[inline]
pub(crate) fn put(out: &mut LineBuf, bytes: &[u8]) {
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
    fn texts_of_every_length_are_copied_unchanged() {
        let bytes: Vec<u8> = (0..100).collect();
        let mut ready = CopyText::default();
        for length in (0..100).chain((0..100).rev()) {
            let text = &bytes[..length];
            let mut out = LineBuf::default();
            out.extend_from_slice(b"before");
            put(&mut out, text);
            ready.set(|ready| ready.extend_from_slice(text));
            ready.write(&mut out);
            assert_eq!(*out, [b"before", text, text].concat());
            assert_eq!((ready.as_bytes(), ready.len()), (text, length));
        }
    }

    #[test]
    fn a_text_appended_together_with_another_is_unchanged() {
        let mut ready = CopyText::default();
        for head in 0..100 {
            let head = vec![b'h'; head];
            ready.set(|ready| ready.extend_from_slice(&head));
            for length in 4..=16_u8 {
                let text: Vec<u8> = (b'a'..b'a' + length).collect();
                let mut out = LineBuf::default();
                out.extend_from_slice(b"before");
                match (Ends::<4>::of(&text), Ends::<8>::of(&text)) {
                    (_, Some(text)) => ready.write_with_quoted(&mut out, text),
                    (Some(text), _) => ready.write_with_quoted(&mut out, text),
                    (None, None) => unreachable!("one of the two covers the text"),
                }
                assert_eq!(*out, [b"before", &head[..], b"\"", &text, b"\""].concat());
            }
            let mut out = LineBuf::default();
            out.extend_from_slice(b"before");
            ready.write_with(&mut out, *b"12345", 3);
            assert_eq!(*out, [b"before", &head[..], b"123"].concat());
        }
    }
}
