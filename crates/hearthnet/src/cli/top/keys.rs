//! Keys from the bytes of a terminal.

/// Maximum length of a sequence. A longer one comes from no key.
const MAX_SEQUENCE: usize = 32;

const ESCAPE: u8 = 0x1b;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Char(char),
    Ctrl(char),
    Enter,
    Escape,
    Tab,
    BackTab,
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    Home,
    End,
    F1,
}

/// Reader of keys. It keeps the beginning of a sequence until the rest arrives.
#[derive(Debug, Default)]
pub(super) struct Keys {
    pending: Vec<u8>,
}

impl Keys {
    /// Returns the keys that are complete with `bytes`. Bytes of unknown keys are skipped.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<Key> {
        self.pending.extend_from_slice(bytes);
        let (mut keys, mut rest) = (Vec::new(), &*self.pending);
        while let Some((key, length)) = first(rest) {
            keys.extend(key);
            rest = &rest[length..];
        }
        let rest = if rest.len() > MAX_SEQUENCE { Vec::new() } else { rest.to_vec() };
        self.pending = rest;
        keys
    }

    /// Returns whether a sequence has begun.
    pub(super) fn is_waiting(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Ends the sequence that has begun, because nothing follows. An escape alone is a key.
    pub(super) fn end(&mut self) -> Option<Key> {
        let pending = std::mem::take(&mut self.pending);
        (pending == [ESCAPE]).then_some(Key::Escape)
    }
}

/// Returns the first key and the number of its bytes; `None` if the bytes are the beginning of a sequence. The key is
/// `None` if the bytes mean none.
fn first(bytes: &[u8]) -> Option<(Option<Key>, usize)> {
    Some(match bytes {
        [] | [ESCAPE] => return None,
        [ESCAPE, b'[', rest @ ..] => return control_sequence(rest).map(|(key, length)| (key, length + 2)),
        [ESCAPE, b'O', rest @ ..] => (by_letter(*rest.first()?), 3),
        [ESCAPE, ESCAPE, ..] => (Some(Key::Escape), 1),
        // A letter with Alt.
        [ESCAPE, ..] => (None, 2),
        [b'\t', ..] => (Some(Key::Tab), 1),
        [b'\r' | b'\n', ..] => (Some(Key::Enter), 1),
        [byte @ 1..=26, ..] => (Some(Key::Ctrl(char::from(byte - 1 + b'a'))), 1),
        [byte @ b' '..=b'~', ..] => (Some(Key::Char(char::from(*byte))), 1),
        _ => (None, 1),
    })
}

/// Reads parameters and the final byte of a control sequence (ECMA-48).
fn control_sequence(bytes: &[u8]) -> Option<(Option<Key>, usize)> {
    // The console of Linux sends `ESC [ [ A` for F1.
    if let [b'[', rest @ ..] = bytes {
        return Some((rest.first()?.eq(&b'A').then_some(Key::F1), 2));
    }
    let end = bytes.iter().position(|byte| !matches!(byte, b' '..=b'?'))?;
    let key = match (bytes[end], &bytes[..end]) {
        (b'~', b"1" | b"7") => Some(Key::Home),
        (b'~', b"4" | b"8") => Some(Key::End),
        (b'~', b"5") => Some(Key::PageUp),
        (b'~', b"6") => Some(Key::PageDown),
        (b'~', b"11") => Some(Key::F1),
        (letter, _) => by_letter(letter),
    };
    Some((key, end + 1))
}

fn by_letter(letter: u8) -> Option<Key> {
    Some(match letter {
        b'A' => Key::Up,
        b'B' => Key::Down,
        b'C' => Key::Right,
        b'D' => Key::Left,
        b'F' => Key::End,
        b'H' => Key::Home,
        b'P' => Key::F1,
        b'Z' => Key::BackTab,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_terminals_are_read() {
        #[track_caller]
        fn check(bytes: &[u8], expected: &[Key]) {
            assert_eq!(Keys::default().feed(bytes), expected, "{bytes:?}");
            // One byte at a time, as over a slow line.
            let mut keys = Keys::default();
            let single: Vec<Key> = bytes.iter().flat_map(|byte| keys.feed(&[*byte])).collect();
            assert_eq!(single, expected, "{bytes:?}");
        }
        check(b"qJ?", &[Key::Char('q'), Key::Char('J'), Key::Char('?')]);
        check(b"\t\r\n\x03\x1a", &[Key::Tab, Key::Enter, Key::Enter, Key::Ctrl('c'), Key::Ctrl('z')]);
        check(b"\x1b[A\x1bOB\x1b[C\x1b[D", &[Key::Up, Key::Down, Key::Right, Key::Left]);
        check(
            b"\x1b[5~\x1b[6~\x1b[1~\x1b[8~\x1b[H\x1bOF",
            &[Key::PageUp, Key::PageDown, Key::Home, Key::End, Key::Home, Key::End],
        );
        check(b"\x1b[Z\x1bOP\x1b[11~\x1b[[A", &[Key::BackTab, Key::F1, Key::F1, Key::F1]);
        // Shift-Up, Alt-x, a letter beyond ASCII, Delete and the answer of a terminal.
        check("\x1b[1;2A\x1bx\u{fc}\x7f\x1b[3~\x1b[?62;22cj".as_bytes(), &[Key::Up, Key::Char('j')]);
    }

    #[test]
    fn an_escape_alone_is_a_key_once_nothing_follows() {
        let mut keys = Keys::default();
        assert_eq!(keys.feed(b"\x1b"), []);
        assert!(keys.is_waiting());
        assert_eq!(keys.end(), Some(Key::Escape));
        assert_eq!(keys.feed(b"\x1b["), []);
        assert_eq!(keys.end(), None, "half a sequence is no key");
        assert!(!keys.is_waiting());
        assert_eq!(keys.feed(b"\x1b\x1b"), [Key::Escape]);
    }

    #[test]
    fn an_endless_sequence_is_forgotten() {
        let mut keys = Keys::default();
        for _ in 0..100 {
            keys.feed(b"\x1b[1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;");
            assert!(keys.pending.len() <= MAX_SEQUENCE);
        }
    }
}
