//! Escapes for text inside a JSON string.
//!
//! `"`, `\` and every control character are escaped: C0, DEL and C1 (U+0080 to U+009F, which some terminals obey).

use std::fmt::{self, Write as _};

use crate::json::catch::{PANICKED, caught};
use crate::json::text::copy::{CopyText, Ends, put};
use crate::json::text::line_buf::LineBuf;

/// Appends `head` and then `text` as a JSON string.
#[inline]
pub(crate) fn write_string(out: &mut LineBuf, head: &CopyText, text: &str) {
    let bytes = text.as_bytes();
    if let Some(short) = Ends::<8>::of(bytes) {
        if eights_are_clean(short) {
            return head.write_with_quoted(out, short);
        }
    } else if let Some(short) = Ends::<4>::of(bytes)
        && fours_are_clean(short)
    {
        return head.write_with_quoted(out, short);
    }
    write_any_string(out, head, text);
}

/// Does the same for bytes. `None` if they are no text.
#[inline]
pub(crate) fn write_bytes(out: &mut LineBuf, head: &CopyText, bytes: &[u8]) -> Option<()> {
    // Clean bytes are ASCII.
    if let Some(short) = Ends::<8>::of(bytes) {
        if suspects_of(short) == 0 {
            head.write_with_quoted(out, short);
            return Some(());
        }
    } else if let Some(short) = Ends::<4>::of(bytes) {
        let [first, last] = [*short.first, *short.last].map(|word| u64::from(u32::from_ne_bytes(word)));
        if suspects(first | last << 32) & TOPS == 0 {
            head.write_with_quoted(out, short);
            return Some(());
        }
    }
    write_any_string(out, head, std::str::from_utf8(bytes).ok()?);
    Some(())
}

#[inline]
fn suspects_of(text: Ends<'_, 8>) -> u64 {
    let [first, last] = [*text.first, *text.last].map(u64::from_ne_bytes);
    (suspects(first) | suspects(last)) & TOPS
}

fn write_any_string(out: &mut LineBuf, head: &CopyText, text: &str) {
    head.write(out);
    out.push(b'"');
    escape(out, text);
    out.push(b'"');
}

/// Appends `head` and then `text` as a JSON string. If a `Display` panics, the text before that stays.
#[inline]
pub(crate) fn write_text(out: &mut LineBuf, head: &CopyText, text: &fmt::Arguments<'_>) {
    if let Some(text) = text.as_str() {
        return write_string(out, head, text);
    }
    head.write(out);
    out.push(b'"');
    let written = caught(|| {
        // An error that a `Display` returns ends its text there.
        let _ = Escaped(out).write_fmt(*text);
    });
    if written.is_none() {
        out.extend_from_slice(PANICKED.as_bytes());
    }
    out.push(b'"');
}

/// Appends `text`, escaped.
#[inline]
pub(crate) fn escape(out: &mut LineBuf, text: &str) {
    let bytes = text.as_bytes();
    if is_clean(bytes) {
        put(out, bytes);
    } else {
        escape_each(out, bytes);
    }
}

fn escape_each(out: &mut LineBuf, bytes: &[u8]) {
    let mut clean = 0;
    let mut at = 0;
    while let Some(found) = bytes[at..].iter().position(|&byte| needs_look(byte)) {
        at += found;
        // U+00A0 to U+00BF begin with 0xC2 as well and stay as they are.
        let next = bytes.get(at + 1).copied().unwrap_or(0);
        if bytes[at] == 0xc2 && next > 0x9f {
            at += 2;
            continue;
        }
        out.extend_from_slice(&bytes[clean..at]);
        at += write_escape(out, bytes[at], next);
        clean = at;
    }
    out.extend_from_slice(&bytes[clean..]);
}

/// Whether no byte needs a look.
///
/// Most text is short and clean, and this test dominates the cost of a line. So it takes eight bytes at a time. The last
/// eight may overlap those before.
#[inline]
fn is_clean(bytes: &[u8]) -> bool {
    if let Some(text) = Ends::<8>::of(bytes) {
        return eights_are_clean(text);
    }
    if let Some(text) = Ends::<4>::of(bytes) {
        return fours_are_clean(text);
    }
    if let Some(last) = bytes.last_chunk::<8>() {
        let (words, _) = bytes.as_chunks::<8>();
        return words.iter().chain([last]).all(|word| word_is_clean(u64::from_ne_bytes(*word)));
    }
    !bytes.iter().any(|&byte| needs_look(byte))
}

#[inline]
fn eights_are_clean(text: Ends<'_, 8>) -> bool {
    let [first, last] = [*text.first, *text.last].map(u64::from_ne_bytes);
    (suspects(first) | suspects(last)) & TOPS == 0 || (word_is_clean(first) && word_is_clean(last))
}

#[inline]
fn fours_are_clean(text: Ends<'_, 4>) -> bool {
    let [first, last] = [*text.first, *text.last].map(|word| u64::from(u32::from_ne_bytes(word)));
    word_is_clean(first | last << 32)
}

/// Whether none of eight bytes needs a look.
#[inline]
fn word_is_clean(word: u64) -> bool {
    suspects(word) & TOPS == 0 || !word.to_ne_bytes().into_iter().any(needs_look)
}

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const TOPS: u64 = ONES << 7;

/// Word whose top bits mark bytes of `word` that may need a look. If any byte does, or is not ASCII, some top bit is set.
///
/// Adding 1 to 0x7f sets the top bit, and so does a subtraction below zero.
#[inline]
fn suspects(word: u64) -> u64 {
    let less = |word: u64, than: u64| word.wrapping_sub(ONES * than);
    let quote = less(word ^ (ONES * u64::from(b'"')), 1);
    let backslash = less(word ^ (ONES * u64::from(b'\\')), 1);
    word | word.wrapping_add(ONES) | less(word, 0x20) | quote | backslash
}

/// Whether the byte may have to be escaped. 0xC2 begins U+0080 to U+00BF, and the first half of those are controls.
#[inline]
fn needs_look(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\') | (byte == 0x7f) | (byte == 0xc2)
}

/// Appends the escape of the character that begins with `byte`. Returns the length of the character in bytes.
fn write_escape(out: &mut LineBuf, byte: u8, next: u8) -> usize {
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

fn write_hex(out: &mut LineBuf, code: u8) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.extend_from_slice(b"\\u00");
    out.extend_from_slice(&[HEX[usize::from(code >> 4)], HEX[usize::from(code & 15)]]);
}

/// Adapter that lets `write!` put a `Display` straight into the line, escaped.
pub(crate) struct Escaped<'a>(pub(crate) &'a mut LineBuf);

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
        let mut out = LineBuf::default();
        out.push(b'"');
        escape(&mut out, text);
        out.push(b'"');
        out.to_vec()
    }

    #[test]
    fn quotes_backslashes_and_control_characters_are_escaped() {
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

    #[test]
    fn bytes_tested_at_once_are_judged_like_single_ones() {
        for byte in 0..=255 {
            for length in 1..=40 {
                for place in 0..length {
                    let mut bytes = vec![b'a'; length];
                    bytes[place] = byte;
                    assert_eq!(is_clean(&bytes), !needs_look(byte), "{byte:#x} at {place} of {length}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_reads_back_unchanged(text in any::<String>()) {
            let json = quoted(&text);
            prop_assert_eq!(&serde_json::from_slice::<String>(&json).unwrap(), &text);
            let shown = String::from_utf8(json).unwrap();
            prop_assert!(!shown.chars().any(char::is_control));
            let mut out = LineBuf::default();
            write_string(&mut out, &CopyText::default(), &text);
            prop_assert_eq!(std::str::from_utf8(&out).unwrap(), shown);
        }
    }
}
