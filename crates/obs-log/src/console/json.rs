//! Form of a line for programs that collect stderr.

use std::fmt;
use std::sync::Arc;

use log::Record;

use crate::backtrace::{self, Draft, Unresolved};
use crate::config::redactor::Redactor;
use crate::json::Encoder;

/// Maximum length of a line in bytes. journald splits a line at `LineMax=`, which is 48 KiB by default. A backtrace may
/// make a line longer.
const MAX_LINE_BYTES: usize = 48 << 10;

/// Beginning of every line in this form. Text begins with a time or with a colour.
const LINE_START: &[u8] = b"{\"ts\":\"";

/// Encodes the line of `record`, and finds the draft of its backtrace.
pub(super) fn encode(
    encoder: &mut Encoder,
    name: &str,
    nanos: i64,
    record: &Record<'_>,
    redact: &Redactor,
    trace: Option<&Arc<Unresolved>>,
) -> (Vec<u8>, Option<Draft>) {
    let slot = encoder.names.find(name);
    let with_draft = trace.and_then(|trace| backtrace::encode(encoder, slot, nanos, record, redact, trace));
    if let Some((line, draft)) = with_draft
        && line.len() <= MAX_LINE_BYTES
    {
        return (line, draft);
    }
    let whole = encoder.encode_within(MAX_LINE_BYTES, slot, nanos, record, redact);
    let line = whole.or_else(|_| {
        // The values are too many or too long to be cut one by one.
        let without_fields = stand_in(record, *record.args());
        encoder.encode_within(MAX_LINE_BYTES, slot, nanos, &without_fields, redact)
    });
    let line = line.or_else(|_| {
        let constant = stand_in(record, format_args!("message too long for the console"));
        encoder.encode_within(MAX_LINE_BYTES, slot, nanos, &constant, redact)
    });
    (line.unwrap_or_default(), None)
}

/// Returns the record that stands for one that is too long.
fn stand_in<'a>(record: &Record<'_>, message: fmt::Arguments<'a>) -> Record<'a> {
    static FIELDS: &[(&str, &str)] =
        &[("left_out", "fields too long for the console; the day file has them")];
    Record::builder().level(record.level()).key_values(&FIELDS).args(message).build()
}

pub(super) fn is_json(line: &[u8]) -> bool {
    line.starts_with(LINE_START)
}

#[cfg(test)]
mod tests {
    use super::*;
    use log::Level;
    use log::kv::Value;

    const MOMENT: i64 = 1_779_783_262_281_000_000;

    fn encoded(message: &str, fields: &[(&str, Value<'_>)]) -> serde_json::Value {
        let mut record = Record::builder();
        record.level(Level::Warn).target("hearthnet.bus").key_values(&fields);
        let message = format_args!("{message}");
        let record = record.args(message).build();
        let redact = Redactor::new(&["password".to_owned()]);
        let (line, draft) = encode(&mut Encoder::default(), record.target(), MOMENT, &record, &redact, None);
        assert!(draft.is_none() && is_json(&line) && line.len() <= MAX_LINE_BYTES, "{}", line.len());
        assert!(line.ends_with(b"}\n"));
        serde_json::from_slice(&line).unwrap()
    }

    #[test]
    fn a_line_has_the_fields_of_the_day_file() {
        let line = encoded("\u{1b}[31mred", &[("node", Value::from("7H4G")), ("password", Value::from("x"))]);
        let expected = serde_json::json!({
            "ts": "2026-05-26T08:14:22.281Z", "level": "warning", "logger": "hearthnet.bus",
            "msg": "\u{1b}[31mred", "node": "7H4G", "password": "[redacted]"
        });
        assert_eq!(line, expected);
    }

    #[test]
    fn the_longest_values_of_a_long_line_are_cut() {
        let long = "ü".repeat(MAX_LINE_BYTES / 2);
        let line = encoded("long", &[("text", Value::from(long.as_str())), ("short", Value::from(1))]);
        assert_eq!((&line["msg"], &line["short"]), (&"long".into(), &1.into()));
        assert!(line["text"].as_str().unwrap().ends_with(" bytes cut]"));
    }

    #[test]
    fn a_line_with_too_much_in_it_keeps_its_message() {
        let names: Vec<_> = (0..4000).map(|number| format!("field_number_{number:04}")).collect();
        let many: Vec<_> = names.iter().map(|name| (name.as_str(), Value::from(1))).collect();
        let long = "x".repeat(200 << 10);
        for (message, fields, shown) in [
            ("many", &many[..], "many"),
            ("long", &[("text", Value::from(long.as_str()))], "long"),
            (&long, &[], "message too long for the console"),
        ] {
            let line = encoded(message, fields);
            assert_eq!(line["msg"], shown);
            assert_eq!(line["left_out"], "fields too long for the console; the day file has them");
        }
    }
}
