//! Shortened forms of a value that is too long.

use std::fmt::Write as _;

use crate::json::text::escape::Escaped;
use crate::json::text::line_buf::LineBuf;

/// Bytes that the quotes and the note of a cut text take at most.
const NOTE_BYTES: usize = 40;

/// Appends a value in at most `cap` bytes, of which there are at least 64.
///
/// A string keeps its beginning and says how many bytes are missing. A nested value becomes a string with its length.
/// `value` has at least `cap` bytes, and `missing` more bytes of it were dropped before.
pub(crate) fn write_shortened(out: &mut LineBuf, value: &[u8], missing: usize, cap: usize) {
    let length = value.len() + missing;
    if value.first() != Some(&b'"') {
        return write_left_out(out, length);
    }
    let keep = clean_cut(&value[1..], cap - NOTE_BYTES);
    out.extend_from_slice(&value[..=keep]);
    let _ = write!(Escaped(out), "[{} bytes cut]", length - 2 - keep);
    out.push(b'"');
}

/// Appends the placeholder of a nested value that is too long.
pub(crate) fn write_left_out(out: &mut LineBuf, bytes: usize) {
    out.extend_from_slice(format!("\"[{bytes} bytes of JSON left out]\"").as_bytes());
}

/// Greatest position up to `limit` that splits neither a character nor an escape.
fn clean_cut(text: &[u8], limit: usize) -> usize {
    let mut cut = limit;
    while cut > 0 && text.get(cut).is_some_and(|byte| byte & 0xc0 == 0x80) {
        cut -= 1;
    }
    // An escape has at most six bytes: `\u00ff`. Walk from a position before it that is certainly a boundary.
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

#[cfg(test)]
mod tests {
    use crate::json::Encoder;
    use crate::json::tests::{encode_with, fields, line};
    use crate::limits::MAX_LINE_BYTES;
    use log::kv::Value;
    use serde::Serialize;

    #[test]
    fn a_line_that_is_too_long_is_cut_in_its_longest_values() {
        let long = "\u{1}ü\\\"".repeat(MAX_LINE_BYTES);
        let list = vec!["x"; MAX_LINE_BYTES];
        let all =
            [("short", "kept".into()), ("long", long.as_str().into()), ("list", Value::from_serde(&list))];
        let line = line(&long, &all);
        assert!(line.len() <= MAX_LINE_BYTES && line.len() > MAX_LINE_BYTES / 2, "{}", line.len());
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["short"], "kept");
        assert!(read["long"].as_str().unwrap().ends_with(" bytes cut]"));
        assert!(read["msg"].as_str().unwrap().starts_with("\u{1}ü\\\""));
        assert_eq!(read["list"], format!("[{} bytes of JSON left out]", 4 * MAX_LINE_BYTES + 1));
    }

    #[test]
    fn a_line_that_cannot_be_cut_is_refused() {
        let key = "k".repeat(MAX_LINE_BYTES);
        assert_eq!(encode_with(&mut Encoder::default(), format_args!("m"), &[(&key, 1.into())]), None);
    }

    /// Parts of a very long line are dropped early. The cut at the end must not show that.
    #[test]
    fn a_line_of_any_length_is_cut_as_if_it_were_held_whole() {
        let long = "\u{1}ü\\\"".repeat(MAX_LINE_BYTES / 4);
        let texts: Vec<_> = (0..40).map(|at| (format!("k{at}"), &long[..5 * (1 << (at % 15))])).collect();
        let numbers = vec![(); 200_000];
        let mut all: Vec<_> = texts.iter().map(|(key, text)| (key.as_str(), Value::from(*text))).collect();
        all.push(("nulls", Value::from_serde(&numbers)));
        all.push(("shown", Value::from_display(&long)));
        all.push(("same", Value::from_display(&long)));
        all.push(("same", 1.into()));
        all.push(("last", 2.into()));
        let line = line(&long, &all);
        assert!(line.len() <= MAX_LINE_BYTES && line.len() > MAX_LINE_BYTES / 2, "{}", line.len());
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read.as_object().unwrap().len(), 4 + all.len() - 1);
        assert_eq!(read["nulls"], "[1000001 bytes of JSON left out]");
        assert_eq!((&read["same"], &read["last"]), (&1.into(), &2.into()));
        let in_json = |text: &str| serde_json::to_string(text).unwrap().len() - 2;
        let given = [("msg", long.as_str()), ("shown", long.as_str())];
        for (key, given) in given.into_iter().chain(texts.iter().map(|(key, text)| (key.as_str(), *text))) {
            let text = read[key].as_str().unwrap();
            let Some((kept, note)) = text.rsplit_once('[') else {
                assert_eq!(text, given);
                continue;
            };
            assert!(given.starts_with(kept), "{key}");
            assert_eq!(note, format!("{} bytes cut]", in_json(given) - in_json(kept)), "{key}");
        }
    }

    /// The value is too long to be read into a tree. Hidden parts stay hidden.
    #[test]
    fn a_long_nested_value_that_repeats_a_key_is_left_out() {
        struct Repeats(&'static str);
        impl Serialize for Repeats {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_map([("k", "1"), (self.0, &"x".repeat(MAX_LINE_BYTES)), ("k", "3")])
            }
        }
        for (key, bytes) in [("text", MAX_LINE_BYTES + 27), ("password", MAX_LINE_BYTES + 43)] {
            let note = format!(",\"v\":\"[{bytes} bytes of JSON left out]\"");
            assert_eq!(fields(&[("v", Value::from_serde(&Repeats(key)))]), note);
        }
    }

    /// The position at which the room ends makes no difference.
    #[test]
    fn a_field_too_many_refuses_the_line_at_any_position() {
        let key = "k".repeat(MAX_LINE_BYTES - 200);
        let value = "v".repeat(4 * MAX_LINE_BYTES);
        let value = || Value::from(value.as_str());
        let lines: [&[(&str, Value<'_>)]; 4] = [
            &[("a", value()), (&key, value())],
            &[(&key, value()), ("a", value())],
            &[("a", value()), ("a", value()), ("b", value()), (&key, value())],
            &[(&key, value()), (&key, 1.into()), (&key, value()), (&key, 1.into())],
        ];
        let mut encoder = Encoder::default();
        let long =
            encode_with(&mut encoder, format_args!("m"), lines[3]).expect("its value is short in the end");
        assert!(long.ends_with("\":1}\n"));
        for fields in &lines[..3] {
            assert_eq!(encode_with(&mut encoder, format_args!("m"), fields), None);
            let next = encode_with(&mut encoder, format_args!("m"), &[("n", 1.into())]).unwrap();
            assert!(next.ends_with("\"msg\":\"m\",\"n\":1}\n"));
        }
    }
}
