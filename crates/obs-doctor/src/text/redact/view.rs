//! Text without its escapes, with the place of each byte in the original.

/// Decoded text.
pub(super) struct View {
    pub(super) bytes: Vec<u8>,
    /// Start of each byte in the original, and the length of the original.
    places: Vec<usize>,
}

impl View {
    /// Decodes percent signs (`%2F`), and the escapes of JSON and of programs (`\"`, `\u0041`, `\n`). Returns `None` if there
    /// are none.
    pub(super) fn decoded(text: &[u8]) -> Option<View> {
        if !text.iter().any(|byte| matches!(byte, b'%' | b'\\')) {
            return None;
        }
        let mut view =
            View { bytes: Vec::with_capacity(text.len()), places: Vec::with_capacity(text.len() + 1) };
        let (mut at, mut has_escape) = (0, false);
        while at < text.len() {
            let (plain, length) = escape(&text[at..]);
            match plain {
                Some(Plain::Byte(byte)) => view.push(&[byte], at),
                Some(Plain::Char(c)) => view.push(c.encode_utf8(&mut [0; 4]).as_bytes(), at),
                None => view.push(&text[at..=at], at),
            }
            has_escape |= plain.is_some();
            at += length;
        }
        view.places.push(text.len());
        has_escape.then_some(view)
    }

    /// Decodes once more.
    pub(super) fn again(&self) -> Option<View> {
        let mut view = View::decoded(&self.bytes)?;
        for place in &mut view.places {
            *place = self.places[*place];
        }
        Some(view)
    }

    /// Returns the place in the original.
    pub(super) fn place(&self, at: usize) -> usize {
        self.places[at.min(self.places.len() - 1)]
    }

    fn push(&mut self, bytes: &[u8], at: usize) {
        self.bytes.extend_from_slice(bytes);
        self.places.resize(self.bytes.len(), at);
    }
}

#[derive(Clone, Copy)]
enum Plain {
    Byte(u8),
    Char(char),
}

/// Returns the meaning of the escape at the start of `text`, and its length. Without an escape the length is 1.
fn escape(text: &[u8]) -> (Option<Plain>, usize) {
    let none = (None, 1);
    match text {
        [b'%', rest @ ..] => hex(rest, 2).map_or(none, |byte| (Some(Plain::Byte(byte as u8)), 3)),
        [b'\\', b'u', b'{', ..] => none,
        [b'\\', b'u', rest @ ..] => {
            let c = hex(rest, 4).map(|code| char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            c.map_or(none, |c| (Some(Plain::Char(c)), 6))
        }
        [b'\\', b'x', rest @ ..] => hex(rest, 2).map_or(none, |byte| (Some(Plain::Byte(byte as u8)), 4)),
        [b'\\', b'n', ..] => (Some(Plain::Byte(b'\n')), 2),
        [b'\\', b'r', ..] => (Some(Plain::Byte(b'\r')), 2),
        [b'\\', b't', ..] => (Some(Plain::Byte(b'\t')), 2),
        [b'\\', same @ (b'"' | b'\'' | b'/' | b'\\'), ..] => (Some(Plain::Byte(*same)), 2),
        _ => none,
    }
}

fn hex(text: &[u8], digits: usize) -> Option<u32> {
    let digits = text.get(..digits)?;
    digits.iter().try_fold(0, |code, digit| Some(code << 4 | char::from(*digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_knows_its_place() {
        let text = br"a%41\u00e9\nb\\%2541";
        let view = View::decoded(text).unwrap();
        assert_eq!(view.bytes, "aA\u{e9}\nb\\%41".as_bytes());
        let at = view.bytes.iter().position(|byte| *byte == b'b').unwrap();
        assert_eq!(text[view.place(at)], b'b');
        assert_eq!(view.place(view.bytes.len()), text.len());
        let again = view.again().unwrap();
        assert_eq!(again.bytes, "aA\u{e9}\nb\\A".as_bytes());
        assert_eq!(again.place(again.bytes.len() - 1), text.len() - 5);
        assert!(View::decoded(b"100 % plain").is_none());
    }
}
