//! Text from peers, made safe to show.

use super::redact::redact;

/// Returns `text` as one line of at most `max` characters, with secrets hidden and terminal-unsafe characters escaped.
///
/// The text of a check may come from peers, and is shown in terminals.
pub(crate) fn clean(text: &str, max: usize) -> String {
    // Bounds the work on a hostile text of any length. The factor leaves room for secrets that become shorter.
    let head: String = text.chars().take(max * 4).collect();
    let mut out = String::new();
    for (count, c) in redact(&head).chars().enumerate() {
        if count >= max {
            out.push('…');
            break;
        }
        if is_terminal_unsafe(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// Returns whether a terminal could act on `c` or hide text by it: control characters (C0, DEL, C1), line and paragraph
/// separators, bidirectional controls, and characters without a width of their own.
pub(crate) fn is_terminal_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
#[path = "../../../../tests/support/terminal_unsafe.rs"]
mod terminal_unsafe;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_terminal_unsafe_character_is_escaped() {
        for &c in terminal_unsafe::UNSAFE {
            let shown = clean(&format!("a{c}b"), 100);
            assert_eq!(shown, format!("a{}b", c.escape_unicode()), "U+{:04X}", u32::from(c));
        }
    }

    #[test]
    fn clean_escapes_and_bounds() {
        assert_eq!(clean("a\u{1b}[31mb\nc\u{202e}d", 100), "a\\u{1b}[31mb\\u{a}c\\u{202e}d");
        assert_eq!(clean(&"x".repeat(1000), 10), format!("{}…", "x".repeat(10)));
    }

    proptest::proptest! {
        #[test]
        fn clean_never_leaves_a_control_character_or_panics(text in ".{0,200}") {
            proptest::prop_assert!(!clean(&text, 400).chars().any(is_terminal_unsafe));
        }
    }
}
