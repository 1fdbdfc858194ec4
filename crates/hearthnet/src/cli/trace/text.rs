//! Escapes for text of peers, and numbers for people.

use crate::cli::visible;

/// Returns `text` with unsafe characters as escapes. With `ascii`, characters beyond ASCII become escapes too.
pub(crate) fn visible(text: &str, ascii: bool) -> String {
    if ascii { visible::visible_ascii(text) } else { visible::visible(text) }
}

/// Returns `text` with at most `limit` characters. If some are cut off, the last one is `…`, or `~` in ASCII.
pub(crate) fn shortened(text: &str, limit: usize, ascii: bool) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let head = text.chars().take(limit.saturating_sub(1));
    head.chain([if ascii { '~' } else { '…' }]).take(limit).collect()
}

/// Breaks `text` into lines of at most `width` characters, between words where possible.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in text.split_whitespace() {
        let mut word: Vec<char> = word.chars().collect();
        let used = line.chars().count();
        if used > 0 && used + 1 + word.len() > width {
            lines.push(std::mem::take(&mut line));
        } else if used > 0 {
            line.push(' ');
        }
        // A word that is longer than a line is broken.
        while word.len() > width {
            lines.push(word.drain(..width).collect());
        }
        line.extend(word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// Formats a duration: `0.1 ms`, `4.2 ms`, `412 ms`, `30.02 s`, `12 min`.
pub(crate) fn duration(ms: f64) -> String {
    match ms {
        ..99.95 => format!("{:.1} ms", ms.max(0.0)),
        ..999.5 => format!("{ms:.0} ms"),
        ..100_000.0 => format!("{:.2} s", ms / 1e3),
        ..6_000_000.0 => format!("{:.0} s", ms / 1e3),
        _ => format!("{:.0} min", ms / 60e3),
    }
}

/// Formats an age: `2 s ago`, `5 min ago`, `3 h ago`, `2 d ago`.
pub(crate) fn age(ms: i64) -> String {
    let seconds = ms.max(0) / 1_000;
    match seconds {
        ..60 => format!("{seconds} s ago"),
        60..3_600 => format!("{} min ago", seconds / 60),
        3_600..86_400 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_shortened_by_characters() {
        assert_eq!(shortened("größe", 5, false), "größe");
        assert_eq!(shortened("größer", 5, false), "größ…");
        assert_eq!(shortened("groesser", 5, true), "groe~");
        assert_eq!(shortened("ab", 0, true), "");
    }

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrapped("one two  three", 7), ["one two", "three"]);
        assert_eq!(wrapped("one abcdefghij k", 4), ["one", "abcd", "efgh", "ij k"]);
        assert_eq!(wrapped("größer", 5), ["größe", "r"]);
        assert!(wrapped(" ", 5).is_empty());
        assert_eq!(wrapped("a b", usize::MAX), ["a b"]);
    }

    #[test]
    fn durations_and_ages_have_fitting_units() {
        let cases = [
            (-1.0, "0.0 ms"),
            (0.1, "0.1 ms"),
            (4.2, "4.2 ms"),
            (99.96, "100 ms"),
            (999.9, "1.00 s"),
            (30_020.0, "30.02 s"),
            (200_000.0, "200 s"),
            (7_200_000.0, "120 min"),
        ];
        for (ms, expected) in cases {
            assert_eq!(duration(ms), expected);
        }
        for (ms, expected) in [
            (-5, "0 s ago"),
            (2_000, "2 s ago"),
            (120_000, "2 min ago"),
            (7_200_000, "2 h ago"),
            (200_000_000, "2 d ago"),
        ] {
            assert_eq!(age(ms), expected);
        }
    }
}
