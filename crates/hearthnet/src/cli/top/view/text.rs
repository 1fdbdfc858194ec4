//! Texts fitted to columns.

use ratatui::text::Span;

use crate::cli::top::tables::Tone;

/// Returns the number of columns of a text.
pub(super) fn width(text: &str) -> usize {
    Span::raw(text).width()
}

/// Returns a text of at most `columns`. If some of it is cut off, it ends in an ellipsis.
pub(super) fn fit(text: &str, columns: usize, ascii: bool) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut head = String::new();
    for letter in text.chars() {
        head.push(letter);
        if width(&head) + 1 > columns {
            head.pop();
            break;
        }
    }
    if columns > 0 {
        head.push(if ascii { '~' } else { '…' });
    }
    head
}

/// Returns a text of at most `columns`. If some of it is cut out, an ellipsis is between its beginning and its end.
pub(super) fn fit_ends(text: &str, columns: usize, ascii: bool) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut end = String::new();
    for letter in text.chars().rev() {
        end.insert(0, letter);
        // The end of a chain of causes is the first one, and says the most.
        if width(&end) > columns * 3 / 5 {
            end.remove(0);
            break;
        }
    }
    fit(text, columns - width(&end), ascii) + &end
}

/// Returns `text` with blanks up to `columns`, which are in front of a number.
pub(super) fn pad(text: String, columns: usize, is_number: bool) -> String {
    let blanks = " ".repeat(columns.saturating_sub(width(&text)));
    if is_number { blanks + &text } else { text + &blanks }
}

/// Returns the lines of a text, broken between words, and within words that are longer than a line.
pub(super) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = &mut lines[0..].last_mut().expect("there is a first line");
        if !line.is_empty() && width(line) + 1 + width(word) > columns {
            lines.push(String::new());
        } else if !line.is_empty() {
            line.push(' ');
        }
        for letter in word.chars() {
            let line = lines.last_mut().expect("there is a first line");
            line.push(letter);
            if width(line) > columns && line.chars().count() > 1 {
                line.pop();
                lines.push(letter.to_string());
            }
        }
    }
    lines
}

/// Part of a line that is shown as a whole or not at all.
pub(super) type Part = Vec<(Tone, String)>;

/// Returns the parts that fit into `columns`, with `gap` between them. The first one is cut if it has no room.
pub(super) fn join(parts: Vec<Part>, columns: usize, gap: usize, ascii: bool) -> Part {
    let mut line: Part = Vec::new();
    let mut used = 0;
    for part in parts {
        let needed: usize = part.iter().map(|(_, text)| width(text)).sum();
        if needed == 0 {
            continue;
        }
        if line.is_empty() {
            for (tone, text) in part {
                let text = fit(&text, columns - used, ascii);
                used += width(&text);
                line.push((tone, text));
            }
        } else if used + gap + needed <= columns {
            line.push((Tone::Plain, " ".repeat(gap)));
            line.extend(part);
            used += gap + needed;
        }
    }
    line
}

/// Returns a bar for each value, the last ones if there are more than `columns`. The highest one has full height. A
/// value that is missing has a blank.
pub(super) fn sparkline(
    values: impl DoubleEndedIterator<Item = Option<f64>>,
    columns: usize,
    ascii: bool,
) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    const ASCII_BARS: [char; 8] = ['_', '.', '-', ':', '=', '+', '*', '#'];
    let bars = if ascii { ASCII_BARS } else { BARS };
    let mut values: Vec<_> = values.rev().take(columns).collect();
    values.reverse();
    let highest = values.iter().flatten().fold(0.0_f64, |highest, value| highest.max(*value));
    let bar = |value: &Option<f64>| match value {
        None => ' ',
        // The lowest bar is 0, so that a single call is seen.
        Some(value) if *value > 0.0 => bars[((value / highest * 7.0).ceil() as usize).clamp(1, 7)],
        Some(_) => bars[0],
    };
    values.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_by_columns() {
        assert_eq!(fit("größe", 5, false), "größe");
        assert_eq!(fit("größer", 5, false), "größ…");
        assert_eq!(fit("日本語", 6, false), "日本語");
        assert_eq!(fit("日本語x", 6, false), "日本…");
        assert_eq!(fit("日本語", 4, true), "日~");
        assert_eq!(fit_ends("connect http://host:1: refused", 20, true), "connect~t:1: refused");
        assert_eq!(fit_ends("connect", 7, true), "connect");
        for columns in 0..4 {
            assert!(width(&fit_ends("日本語 \u{1f600}e\u{301}\u{200d}", columns, false)) <= columns);
            assert!(width(&fit("日本語 \u{1f600}e\u{301}\u{200d}", columns, false)) <= columns);
        }
        assert_eq!(pad("7".into(), 3, true), "  7");
        assert_eq!(pad("日".into(), 3, false), "日 ");
    }

    #[test]
    fn lines_are_broken_between_words() {
        assert_eq!(wrap("run `hearthnet run` again", 10), ["run", "`hearthnet", "run` again"]);
        assert_eq!(wrap("0123456789abc de", 10), ["0123456789", "abc de"]);
        assert_eq!(wrap("日本語", 1), ["日", "本", "語"]);
        assert_eq!(wrap("", 10), [""]);
    }

    #[test]
    fn parts_that_do_not_fit_are_left_out() {
        let part = |text: &str| vec![(Tone::Plain, text.to_owned())];
        let joined = |columns| -> String {
            let line = join(vec![part("abc"), part(""), part("defgh"), part("i")], columns, 2, true);
            line.into_iter().map(|(_, text)| text).collect()
        };
        assert_eq!(joined(20), "abc  defgh  i");
        assert_eq!(joined(9), "abc  i");
        assert_eq!(joined(2), "a~");
        assert_eq!(joined(0), "");
    }

    #[test]
    fn a_sparkline_has_the_last_values() {
        let values = [9.0, 0.0, 0.1, 5.0, 10.0].map(Some);
        assert_eq!(sparkline(values.into_iter(), 4, false), "▁▂▅█");
        assert_eq!(sparkline([Some(0.0), None, Some(1.0)].into_iter(), 9, true), "_ #");
        assert_eq!(sparkline(values.into_iter(), 0, true), "");
        assert_eq!(sparkline([Some(f64::INFINITY), Some(1.0)].into_iter(), 9, true).len(), 2);
    }
}
