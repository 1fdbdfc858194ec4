//! Text that is safe to show on a terminal.

use std::fmt;

/// Length in bytes at which a line is cut. Longer lines fill a screen and say no more.
pub(super) const MAX_LINE_BYTES: usize = 16 << 10;

/// Writer that appends text with unsafe characters as escapes.
pub(super) struct Visible<'a>(pub(super) &'a mut String);

impl fmt::Write for Visible<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        show_text(self.0, text);
        Ok(())
    }
}

/// Appends `text` with unsafe characters as escapes. Stops at the length at which a line is cut.
pub(super) fn show_text(line: &mut String, text: &str) {
    for letter in text.chars() {
        if line.len() > MAX_LINE_BYTES {
            return;
        }
        if is_unsafe(letter) {
            line.extend(letter.escape_default());
        } else {
            line.push(letter);
        }
    }
}

/// Whether a terminal may obey the character instead of showing it, or shows nothing for it: control characters (C0, DEL, C1),
/// those that change the direction of text, line and paragraph separators, and invisible ones. The zero width joiner and the
/// variation selectors are left, because emoji are made of them.
pub(super) fn is_unsafe(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200c}' | '\u{200e}' | '\u{200f}'
                | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
#[path = "../../../../tests/support/terminal_unsafe.rs"]
mod terminal_unsafe;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unsafe_character_is_escaped() {
        for &letter in terminal_unsafe::UNSAFE {
            let mut line = String::new();
            show_text(&mut line, &format!("a{letter}b"));
            assert_eq!(line, format!("a{}b", letter.escape_default()));
        }
    }

    #[test]
    fn other_characters_are_shown_as_they_are() {
        let text = "ünïcode ¿ \u{a0} 日本語 🙂 👩\u{200d}🚀 ❤\u{fe0f} \u{2027} \u{202f} \u{205f} \u{e0100}";
        let mut line = String::new();
        show_text(&mut line, text);
        assert_eq!(line, text);
    }
}
