//! Pattern of a message: its text with the parts that vary left out.

/// Maximum length in bytes of a pattern. Two messages that differ only after it are one pattern.
pub(super) const MAX_PATTERN_BYTES: usize = 200;

/// Maximum length in bytes of the part of a message that is read, so that a long message costs little.
pub(super) const MAX_READ_BYTES: usize = 1_024;

/// Text in the place of a part that varies.
const VARIES: &str = "…";

/// Shortest word that counts as random if it has both letters and digits, or both cases in its inside.
const RANDOM_BYTES: usize = 16;

/// Replaces `pattern` by the message without its numbers, addresses, paths, quoted texts, identifiers and values.
///
/// Words without a digit stay, because they tell one error from another. `sha256` reads `sha…`.
pub(super) fn write_pattern(pattern: &mut String, message: &str) {
    pattern.clear();
    let mut rest = start_of(message, MAX_READ_BYTES);
    while let Some(first) = rest.chars().next() {
        if pattern.len() >= MAX_PATTERN_BYTES {
            break;
        }
        rest = if let Some(after) = after_quoted(rest, pattern.chars().next_back()) {
            push_varying(pattern);
            after
        } else if first.is_whitespace() {
            // Several spaces read as one, so that alignment makes no difference.
            if !pattern.is_empty() && !pattern.ends_with(' ') {
                pattern.push(' ');
            }
            &rest[first.len_utf8()..]
        } else {
            let end = rest.find(|c: char| c.is_whitespace() || is_quote(c)).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end.max(first.len_utf8()));
            push_word(pattern, word);
            after
        };
    }
    pattern.truncate(start_of(pattern, MAX_PATTERN_BYTES).trim_end().len());
}

/// Returns the pattern of a message.
pub(super) fn pattern(message: &str) -> Box<str> {
    let mut pattern = String::new();
    write_pattern(&mut pattern, message);
    pattern.into()
}

fn is_quote(c: char) -> bool {
    matches!(c, '"' | '`' | '“' | '«')
}

/// Returns the text after a quoted part at the start of `text`. An apostrophe inside of a word opens no quotation.
fn after_quoted(text: &str, before: Option<char>) -> Option<&str> {
    let first = text.chars().next()?;
    let close = match first {
        '"' | '`' => first,
        '\'' if before.is_none_or(|c| !c.is_alphanumeric()) => '\'',
        '“' => '”',
        '«' => '»',
        _ => return None,
    };
    let inner = &text[first.len_utf8()..];
    let end = inner.find(close)?;
    Some(&inner[end + close.len_utf8()..])
}

/// Appends a word without the part of it that varies. Punctuation around the word stays.
fn push_word(pattern: &mut String, word: &str) {
    let inner = word.trim_start_matches(['(', '[', '{', '<']);
    pattern.push_str(&word[..word.len() - inner.len()]);
    let core = inner.trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']', '}', '>']);
    let after = &inner[core.len()..];
    match core.split_once('=') {
        Some((key, value)) if !key.is_empty() && !value.is_empty() => {
            push_plain(pattern, key);
            pattern.push('=');
            push_varying(pattern);
        }
        _ => push_plain(pattern, core),
    }
    pattern.push_str(after);
}

fn push_plain(pattern: &mut String, word: &str) {
    let digits = word.find(|c: char| c.is_ascii_digit());
    match digits {
        _ if is_place(word) || is_random(word) => push_varying(pattern),
        None => pattern.push_str(word),
        // A name with a number at its end: the name stays.
        Some(at)
            if at > 0 && word[at..].bytes().all(|byte| byte.is_ascii_digit()) && is_name(&word[..at]) =>
        {
            pattern.push_str(&word[..at]);
            push_varying(pattern);
        }
        Some(_) => push_varying(pattern),
    }
}

/// Whether a word is a path, an address or a URL.
fn is_place(word: &str) -> bool {
    word.starts_with(['/', '~', '\\'])
        || word.contains("://")
        || word.contains('@')
        || word.matches('/').count() > 1
}

/// Whether a word looks like a key or an identifier without a digit.
fn is_random(word: &str) -> bool {
    let inside = word.get(1..).unwrap_or_default();
    word.len() >= RANDOM_BYTES
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_+/".contains(&byte))
        && inside.bytes().filter(u8::is_ascii_uppercase).count() > 3
        && inside.bytes().any(|byte| byte.is_ascii_lowercase())
}

fn is_name(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphabetic() || b"-_.".contains(&byte))
}

/// Appends the mark once where several varying parts follow each other.
fn push_varying(pattern: &mut String) {
    if !pattern.trim_end().ends_with(VARIES) {
        pattern.push_str(VARIES);
    }
}

/// Returns the longest start of a text with at most `max` bytes.
pub(super) fn start_of(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_varies_is_left_out() {
        for (message, expected) in [
            ("connection refused", "connection refused"),
            ("connect http://127.0.0.1:11434: connection refused", "connect …: connection refused"),
            ("read 17 of 4096 bytes in 3.5ms", "read … of … bytes in …"),
            (
                "open /var/lib/x/7.db: permission denied (os error 13)",
                "open …: permission denied (os error …)",
            ),
            ("no peer named \"bob's box\" or 'eve'", "no peer named … or …"),
            ("can't open, don't know", "can't open, don't know"),
            ("trace 01HXR3F2M4C9T8Q0Z6V5K7B1AD ended", "trace … ended"),
            ("sha256 of worker12 differs", "sha… of worker… differs"),
            ("user=alice path=/x failed", "user=… path=… failed"),
            ("mail to ada@example.org bounced", "mail to … bounced"),
            ("key AbCdEfGhIjKlMnOpQrSt is unknown", "key … is unknown"),
            ("ids 1 2 3 4", "ids …"),
            ("  many \t spaces\n", "many spaces"),
            ("", ""),
            ("\"", "\""),
            ("é1 ü", "… ü"),
        ] {
            assert_eq!(&*pattern(message), expected, "{message:?}");
        }
    }

    #[test]
    fn a_pattern_is_bounded() {
        assert!(pattern(&"word ".repeat(10_000)).len() <= MAX_PATTERN_BYTES);
        assert!(pattern(&"ü".repeat(10_000)).len() <= MAX_PATTERN_BYTES);
    }

    proptest::proptest! {
        // Each case takes 10 ms without optimisation.
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

        #[test]
        fn any_text_has_a_bounded_pattern(message in ".{0,2000}") {
            let once = pattern(&message);
            proptest::prop_assert!(once.len() <= MAX_PATTERN_BYTES);
        }
    }
}
