//! Text inside a JSON string.
//!
//! Escaped are `"`, `\`, and every control character: C0, DEL and C1 (U+0080 to U+009F, which some terminals obey).

use std::fmt;

/// Appends `text`, escaped.
pub(crate) fn escape(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    let mut clean = 0;
    let mut at = 0;
    while at < bytes.len() {
        at += clean_prefix(&bytes[at..]);
        let Some(&byte) = bytes.get(at) else { break };
        let next = bytes.get(at + 1).copied().unwrap_or(0);
        if byte == 0xc2 && next > 0x9f {
            at += 2;
            continue;
        }
        out.extend_from_slice(&bytes[clean..at]);
        at += write_escape(out, byte, next);
        clean = at;
    }
    out.extend_from_slice(&bytes[clean..]);
}

/// How many bytes at the front need no look. Blocks of 16 compile to a few vector instructions.
fn clean_prefix(bytes: &[u8]) -> usize {
    let blocks = bytes.chunks_exact(16);
    let mut clean = 0;
    for block in blocks {
        if block.iter().fold(false, |any, &byte| any | needs_look(byte)) {
            break;
        }
        clean += 16;
    }
    clean + bytes[clean..].iter().position(|&byte| needs_look(byte)).unwrap_or(bytes.len() - clean)
}

/// 0xC2 is the first byte of U+0080 to U+00BF, of which the first half are controls.
#[inline]
fn needs_look(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\') | (byte == 0x7f) | (byte == 0xc2)
}

/// Appends the escape of the character that begins with `byte`; returns how many bytes it had.
fn write_escape(out: &mut Vec<u8>, byte: u8, next: u8) -> usize {
    match byte {
        b'"' => out.extend_from_slice(b"\\\""),
        b'\\' => out.extend_from_slice(b"\\\\"),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        0xc2 => {
            write_hex(out, next);
            return 2;
        }
        _ => write_hex(out, byte),
    }
    1
}

fn write_hex(out: &mut Vec<u8>, code: u8) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.extend_from_slice(b"\\u00");
    out.extend_from_slice(&[HEX[usize::from(code >> 4)], HEX[usize::from(code & 15)]]);
}

/// Lets `write!` put a user's `Display` straight into the line.
pub(crate) struct Escaped<'a>(pub(crate) &'a mut Vec<u8>);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        escape(self.0, text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn quoted(text: &str) -> Vec<u8> {
        let mut out = vec![b'"'];
        escape(&mut out, text);
        out.push(b'"');
        out
    }

    #[test]
    fn escapes_what_ends_a_string_or_reaches_a_terminal() {
        let cases: [(&str, &str); 7] = [
            ("plain ünïcode ¿ \u{2028}", "plain ünïcode ¿ \u{2028}"),
            ("a\"b\\c", "a\\\"b\\\\c"),
            ("\n\r\t", "\\n\\r\\t"),
            ("\u{0}\u{1b}[31m", "\\u0000\\u001b[31m"),
            ("\u{7f}", "\\u007f"),
            ("\u{9b}31m\u{a0}", "\\u009b31m\u{a0}"),
            ("sixteen letters.\u{1}", "sixteen letters.\\u0001"),
        ];
        for (text, expected) in cases {
            assert_eq!(quoted(text), format!("\"{expected}\"").into_bytes(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn reads_back_as_the_same_text(text in any::<String>()) {
            let json = quoted(&text);
            prop_assert_eq!(serde_json::from_slice::<String>(&json).unwrap(), text);
            let shown = String::from_utf8(json).unwrap();
            prop_assert!(!shown.chars().any(char::is_control));
        }
    }
}
