//! Escapes for text that goes to a terminal.
//!
//! A terminal obeys control characters. Characters that change the direction of writing, and invisible ones, make a text look
//! like another one. Text of peers, files and names is shown with all of them as escapes.

use std::fmt::Write as _;

/// Returns `text` with every character that is unsafe on a terminal as an escape.
pub(crate) fn visible(text: &str) -> String {
    escaped(text, is_unsafe)
}

/// Appends `text` to `out`, with every unsafe character as an escape.
pub(crate) fn push_visible(out: &mut String, text: &str) {
    push_escaped(out, text, is_unsafe);
}

/// Returns `text` with every unsafe character as an escape, except line feeds and tabs.
pub(crate) fn visible_lines(text: &str) -> String {
    escaped(text, |letter| is_unsafe(letter) && !matches!(letter, '\n' | '\t'))
}

/// Returns `text` in ASCII: unsafe characters and all others beyond ASCII become escapes.
pub(crate) fn visible_ascii(text: &str) -> String {
    escaped(text, |letter| is_unsafe(letter) || !letter.is_ascii())
}

/// Returns equal JSON with unsafe characters as `\u` escapes, and a line feed at its end.
pub(crate) fn visible_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len() + 1);
    for letter in json.trim_end().chars() {
        match letter {
            // Between values these are white space. Within a string, JSON has them as escapes.
            '\n' | '\t' => out.push(letter),
            '\r' => {}
            unsafe_letter if is_unsafe(unsafe_letter) => {
                // JSON has two escapes for a character beyond the basic plane.
                for unit in unsafe_letter.encode_utf16(&mut [0; 2]) {
                    // Writing to a string does not fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
            safe => out.push(safe),
        }
    }
    out.push('\n');
    out
}

fn escaped(text: &str, is_escaped: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    push_escaped(&mut out, text, is_escaped);
    out
}

fn push_escaped(out: &mut String, text: &str, is_escaped: impl Fn(char) -> bool) {
    // Nearly every text of a log is so. Copying it takes a tenth of the time of a look at each character.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return out.push_str(text);
    }
    for letter in text.chars() {
        match is_escaped(letter) {
            true => out.extend(letter.escape_default()),
            false => out.push(letter),
        }
    }
}

/// Returns the first `head` characters of a trace ID and its last four, such as `01HXR3…K0JD`.
pub(crate) fn short_id(id: &str, head: usize, ellipsis: char) -> String {
    // IDs begin with the time. Those of one second differ at the end only.
    const TAIL: usize = 4;
    // In ASCII, a byte is a character.
    let id = visible_ascii(id);
    if id.len() <= head + TAIL {
        return id;
    }
    format!("{}{ellipsis}{}", &id[..head], &id[id.len() - TAIL..])
}

/// Returns whether `letter` is a control character (including DEL), a line or paragraph separator, changes the direction of
/// writing, or is invisible. The zero width joiner and the variation selectors are left, because emoji are made of them.
fn is_unsafe(letter: char) -> bool {
    // `is_control` is category Cc. U+2028 and U+2029 end a line for some programs, but are no controls.
    letter.is_control()
        || matches!(
            letter,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200c}' | '\u{200e}' | '\u{200f}'
                | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::terminal_unsafe::UNSAFE;

    #[test]
    fn unsafe_characters_become_escapes() {
        for letter in UNSAFE {
            let text = format!("a{letter}ü");
            assert_eq!(visible(&text), format!("a{}ü", letter.escape_default()), "{letter:?}");
            assert!(visible_ascii(&text).chars().all(|letter| letter.is_ascii_graphic()), "{letter:?}");
            assert!(!short_id(&text.repeat(9), 6, '…').contains(*letter), "{letter:?}");
        }
        assert_eq!(visible("a\tb\n"), "a\\tb\\n");
        assert_eq!(visible_lines("a\tb\r\n\u{1b}"), "a\tb\\r\n\\u{1b}");
        for whole in ["Grüße 日本 \u{1f600}", "👩\u{200d}🚀 ❤\u{fe0f}"] {
            assert_eq!(visible(whole), whole);
        }
    }

    #[test]
    fn json_with_escapes_means_the_same() {
        for letter in UNSAFE {
            let value = serde_json::json!({ "a": format!("ü{letter}\n"), letter.to_string(): 1 });
            let json = format!("{value:#}\r\n");
            // serde_json escapes controls below U+0020 only.
            let shown = visible_json(&json);
            assert!(!shown.contains(*letter), "{letter:?}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value, "{letter:?}");
        }
        assert_eq!(visible_json("{\n \"a\": \"ü\u{9b}\"}\n"), "{\n \"a\": \"ü\\u009b\"}\n");
    }

    #[test]
    fn ids_of_one_second_differ_at_their_ends() {
        let (a, b) = ("01M8A0G3D5K2VW2YF5NDMDVJVN", "01M8A0G3E348C4B0ZHM3A5BRTZ");
        assert_eq!((short_id(a, 6, '…'), short_id(b, 6, '…')), ("01M8A0…VJVN".into(), "01M8A0…BRTZ".into()));
        assert_eq!(short_id(a, 8, '~'), "01M8A0G3~VJVN");
        for whole in ["", "01M8A0VJVN"] {
            assert_eq!(short_id(whole, 6, '…'), whole);
        }
    }
}
