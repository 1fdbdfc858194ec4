//! A line as the page gets it.

use std::fmt;

use obs_console::api::LogLine;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// Parses a line and hides what looks like a secret in its texts. `None` if it is no JSON object.
///
/// The log hides fields by their names when it writes. This is for messages and causes that hold one.
pub(super) fn shown(line: &[u8]) -> Option<LogLine> {
    let mut line = parse(line)?;
    line.iter_mut().for_each(|(_, value)| hide(value));
    Some(line)
}

/// Returns whether [`parse`] returns the line. It keeps nothing, because a search asks for each line that it counts.
pub(super) fn is_whole(line: &[u8]) -> bool {
    serde_json::from_slice::<Whole>(line).is_ok()
}

pub(super) fn parse(line: &[u8]) -> Option<LogLine> {
    serde_json::from_slice(line).ok()
}

fn hide(value: &mut Value) {
    // The parser bounds the depth.
    match value {
        Value::String(text) => {
            let hidden = obs_doctor::redact(text);
            if hidden != *text {
                *text = hidden;
            }
        }
        Value::Array(values) => values.iter_mut().for_each(hide),
        Value::Object(values) => values.values_mut().for_each(hide),
        _ => {}
    }
}

/// Object of JSON whose values are read and dropped. `serde::de::IgnoredAny` would take more: it does not look into texts, so
/// that bytes which are no text pass.
struct Whole;

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Whole, D::Error> {
        deserializer.deserialize_map(Read).map(|()| Whole)
    }
}

/// Value that is read and dropped.
struct Read;

impl<'de> DeserializeSeed<'de> for Read {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Read {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<(), A::Error> {
        while values.next_element_seed(Read)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while members.next_key_seed(Read)?.is_some() {
            members.next_value_seed(Read)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_whole_if_it_can_be_parsed() {
        const LINE: &str =
            r#"{"ts":"t","msg":"\"Gr\u00fc\u00dfe\"","n":[1,-2,3.5,null,true,{"a":"b"}],"e":{}}"#;
        let deep = format!(r#"{{"a":{}1{}}}"#, "[".repeat(200), "]".repeat(200));
        let changed =
            ["", "{}", "[1]", "1", "{}x", r#"{"a":1e999}"#, r#"{"a":"\ud800"}"#, r#"{"a":1,"a":2}"#, &deep];
        let cut = (0..=LINE.len()).map(|at| &LINE.as_bytes()[..at]);
        let not_text: [&[u8]; 2] = [b"{\"a\":\"\xff\"}", b"{\"\xff\":1}"];
        for line in changed.map(str::as_bytes).into_iter().chain(cut).chain(not_text) {
            let text = String::from_utf8_lossy(line);
            assert_eq!(is_whole(line), parse(line).is_some(), "{text}");
        }
        assert!(is_whole(LINE.as_bytes()));
    }
}
