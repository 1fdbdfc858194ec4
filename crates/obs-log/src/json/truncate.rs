//! A line that is too long: its longest values are cut.

use std::fmt::Write as _;

use crate::json::MAX_LINE_BYTES;
use crate::json::escape::Escaped;
use crate::json::fields::Places;
use crate::json::line_buf::Buffer;

/// The greatest length of values, `most` or less, with which the line fits; 0 if there is none.
pub(crate) fn cap(line: &[u8], places: &Places, most: usize) -> usize {
    let fixed = line.len() - places.iter().map(|place| place.value().len()).sum::<usize>();
    let fits = |cap: usize| {
        fixed + places.iter().map(|place| place.value_bytes().min(cap)).sum::<usize>() <= MAX_LINE_BYTES
    };
    let caps = std::iter::successors(Some(most), |cap| Some(cap / 8 * 7));
    caps.take_while(|cap| *cap >= 64).find(|cap| fits(*cap)).unwrap_or(0)
}

/// The line with its longest values shortened to `cap` bytes.
pub(crate) fn cut(line: &[u8], places: &Places, cap: usize) -> Buffer {
    let mut short = Buffer::default();
    let mut from = 0;
    for place in places.iter().filter(|place| place.value_bytes() > cap) {
        let value = place.value();
        short.extend_from_slice(&line[from..value.start]);
        write_shortened(&mut short, &line[value.clone()], place.missing(), cap);
        from = value.end;
    }
    short.extend_from_slice(&line[from..]);
    short
}

/// Appends a value in at most `cap` bytes, of which there are at least 64. A string keeps its beginning and says how
/// much is missing; a nested value becomes a string that says how long it was. Of `value`, which is longer than `cap`,
/// at least `cap` bytes are there, and `missing` more are not.
pub(crate) fn write_shortened(out: &mut Buffer, value: &[u8], missing: usize, cap: usize) {
    let length = value.len() + missing;
    if value.first() != Some(&b'"') {
        return write_left_out(out, length);
    }
    // 40 bytes are enough for the quotes and the note.
    let keep = clean_cut(&value[1..], cap - 40);
    out.extend_from_slice(&value[..=keep]);
    let _ = write!(Escaped(out), "[{} bytes cut]", length - 2 - keep);
    out.push(b'"');
}

/// Appends what stands for a nested value that is too long.
pub(crate) fn write_left_out(out: &mut Buffer, bytes: usize) {
    out.extend_from_slice(format!("\"[{bytes} bytes of JSON left out]\"").as_bytes());
}

/// The greatest position up to `limit` that splits neither a character nor an escape.
fn clean_cut(text: &[u8], limit: usize) -> usize {
    let mut cut = limit;
    while cut > 0 && text.get(cut).is_some_and(|byte| byte & 0xc0 == 0x80) {
        cut -= 1;
    }
    // An escape is at most six bytes: `\u00ff`. Walking from a known boundary tells whether one is split.
    let mut at = cut.saturating_sub(6);
    while at > 0 && text[at - 1] == b'\\' {
        at -= 1;
    }
    while at < cut {
        let width = match text[at] {
            b'\\' if text.get(at + 1) == Some(&b'u') => 6,
            b'\\' => 2,
            _ => 1,
        };
        if at + width > cut {
            return at;
        }
        at += width;
    }
    cut
}
