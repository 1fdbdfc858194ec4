//! Encoder of an event of another crate, which shows its message and its fields in one visit.
//!
//! A [`Record`](log::Record) has its fields behind `log`'s own visitor, which asks each value for its kind. An event knows
//! the kinds when it shows its values, so it writes texts and numbers at once.

use std::fmt;

use log::Level;
use log::kv::{Key, Value, VisitSource};

use super::cache::names::NameSlot;
use super::catch::caught;
use super::fields::FieldSpan;
use super::text::copy::CopyText;
use super::text::escape::write_string;
use super::text::line_buf::LineBuf;
use super::value::{write_boolean, write_signed, write_unsigned};
use super::{Encoder, FieldVisitor, LONG_BYTES};
use crate::config::redactor::{REDACTED, Redactor};

/// Event that shows itself to a visitor.
pub(crate) trait ShowEvent {
    /// Calls `take` once with the message.
    fn message(&self, take: &mut dyn FnMut(fmt::Arguments<'_>));

    /// Shows the message and the fields. The message may come at any place, or not at all.
    fn show(&self, line: EventVisitor<'_>);
}

impl Encoder {
    /// Encodes an event.
    pub(crate) fn encode_event(
        &mut self,
        name: NameSlot,
        nanos: i64,
        level: Level,
        event: &impl ShowEvent,
        redact: &Redactor,
    ) -> Option<&[u8]> {
        self.begin(nanos, level);
        self.fields_at = 0;
        let mut visitor = EventVisitor { encoder: self, redact, name, event };
        // A panic of a value is caught where the value is written. This one is for the event's own code.
        let visited = caught(|| event.show(visitor.again()));
        if visitor.encoder.fields_at == 0 {
            visitor.begin_fields();
        }
        self.end_fields(self.fields_at, visited.is_none());
        self.finish()
    }
}

/// Visitor that writes the parts of an event to a line. The message is the line's own: it is written once, before all fields.
pub(crate) struct EventVisitor<'a> {
    encoder: &'a mut Encoder,
    redact: &'a Redactor,
    name: NameSlot,
    event: &'a dyn ShowEvent,
}

impl EventVisitor<'_> {
    /// Returns the visitor for a shorter time.
    fn again(&mut self) -> EventVisitor<'_> {
        EventVisitor { encoder: self.encoder, redact: self.redact, name: self.name, event: self.event }
    }

    /// Writes the message, unless it has been written.
    #[inline]
    pub(crate) fn message(&mut self, message: &fmt::Arguments<'_>) {
        if self.encoder.fields_at == 0 {
            self.encoder.write_message(self.name, message);
            self.encoder.trace_ids.write(&mut self.encoder.line);
            self.encoder.fields_at = self.encoder.line.len();
        }
    }

    /// Writes the message before a field, or after an event that has shown none.
    #[cold]
    fn begin_fields(&mut self) {
        let event = self.event;
        _ = caught(|| event.message(&mut |message| self.message(&message)));
        // An event that has shown no message has an empty one.
        self.message(&format_args!(""));
    }

    #[inline]
    pub(crate) fn text(&mut self, key: &'static str, value: &str) {
        self.write(key, |line, key| write_string(line, key, value));
    }

    #[inline]
    pub(crate) fn unsigned(&mut self, key: &'static str, value: u64) {
        self.write(key, |line, key| write_unsigned(line, key, value));
    }

    #[inline]
    pub(crate) fn signed(&mut self, key: &'static str, value: i64) {
        self.write(key, |line, key| write_signed(line, key, value));
    }

    #[inline]
    pub(crate) fn boolean(&mut self, key: &'static str, value: bool) {
        self.write(key, |line, key| write_boolean(line, key, value));
    }

    /// Writes a value of any kind.
    pub(crate) fn pair(&mut self, key: Key<'_>, value: Value<'_>) {
        if self.encoder.fields_at == 0 {
            self.begin_fields();
        }
        // An error says that there is no room for more fields, which holds for the next one too.
        _ = FieldVisitor { encoder: self.encoder, redact: self.redact }.visit_pair(key, value);
    }

    // As `FieldVisitor::visit_pair`, for a value whose kind is known and whose code is not a user's.
    #[inline]
    fn write(&mut self, key: &'static str, write: impl FnOnce(&mut LineBuf, &CopyText)) {
        if self.encoder.fields_at == 0 {
            self.begin_fields();
        }
        if self.encoder.spans.len() > self.encoder.max_spans && !self.encoder.make_room() {
            return;
        }
        let Encoder { line, spans, keys, .. } = &mut *self.encoder;
        let start = line.len();
        let key = keys.find_static(key, self.redact);
        let (value_start, bit) = (start + key.json.len(), key.bit);
        if key.hidden {
            write_string(line, &key.json, REDACTED);
        } else {
            write(line, &key.json);
        }
        let end = line.len();
        spans.add(line, FieldSpan::new(start, value_start, end), bit);
        if end > LONG_BYTES {
            self.encoder.drop_surplus();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use log::Record;

    /// Parts of an event, in the order in which it shows them.
    #[derive(Clone, Copy)]
    enum Part {
        Message,
        Text(&'static str, &'static str),
        Unsigned(&'static str, u64),
        Signed(&'static str, i64),
        Boolean(&'static str, bool),
        Any(&'static str, f64),
        Panic,
    }

    struct Parts<'a>(&'a [Part]);

    impl ShowEvent for Parts<'_> {
        fn message(&self, take: &mut dyn FnMut(fmt::Arguments<'_>)) {
            take(format_args!("routed {}", 1));
        }

        fn show(&self, mut line: EventVisitor<'_>) {
            for part in self.0 {
                match *part {
                    Part::Message => line.message(&format_args!("routed {}", 1)),
                    Part::Text(key, value) => line.text(key, value),
                    Part::Unsigned(key, value) => line.unsigned(key, value),
                    Part::Signed(key, value) => line.signed(key, value),
                    Part::Boolean(key, value) => line.boolean(key, value),
                    Part::Any(key, value) => line.pair(Key::from_str_static(key), value.into()),
                    Part::Panic => panic!("in an event"),
                }
            }
        }
    }

    fn line_of(parts: &[Part]) -> String {
        let (mut encoder, redact) = (Encoder::default(), Redactor::new(&["secret".to_owned()]));
        let name = encoder.names.find("bus");
        let line = encoder.encode_event(name, 0, Level::Info, &Parts(parts), &redact);
        String::from_utf8(line.unwrap_or_default().to_vec()).unwrap()
    }

    #[test]
    fn an_event_has_the_line_of_a_record_wherever_its_message_comes() {
        use Part::*;
        let fields = [
            Text("to", "7H4G\n"),
            Unsigned("ms", 12_345),
            Signed("delta", -3),
            Boolean("ok", true),
            Any("load", 0.5),
            Text("secret", "key"),
            Text("msg", "not the message"),
            Unsigned("ms", 7),
        ];
        let values: Vec<(&str, Value<'_>)> = vec![
            ("to", "7H4G\n".into()),
            ("delta", (-3).into()),
            ("ok", true.into()),
            ("load", 0.5.into()),
            ("secret", "key".into()),
            ("msg", "not the message".into()),
            ("ms", 7.into()),
        ];
        let redact = Redactor::new(&["secret".to_owned()]);
        let mut record = Record::builder();
        record.target("bus").level(Level::Info).key_values(&values);
        let mut encoder = Encoder::default();
        let line = encoder.encode(0, &record.args(format_args!("routed {}", 1)).build(), &redact);
        let expected = String::from_utf8(line.unwrap().to_vec()).unwrap();
        for at in 0..=fields.len() {
            let mut parts = fields.to_vec();
            parts.insert(at, Message);
            assert_eq!(line_of(&parts), expected);
        }
        assert_eq!(line_of(&fields), expected, "an event that shows no message");
    }

    #[test]
    fn an_event_that_panics_keeps_its_message_and_whole_fields() {
        use Part::*;
        for parts in [&[Message, Boolean("ok", true), Panic][..], &[Boolean("ok", true), Panic, Message]] {
            assert!(line_of(parts).ends_with(",\"msg\":\"routed 1\",\"ok\":true}\n"), "{}", line_of(parts));
        }
        assert!(line_of(&[Panic]).ends_with(",\"msg\":\"routed 1\"}\n"));
        assert_eq!(line_of(&[]), line_of(&[Panic]));
    }

    #[test]
    fn repeated_keys_take_one_place_and_a_long_value_is_cut() {
        let parts = vec![Part::Boolean("a", true); 30_000];
        assert!(line_of(&parts).ends_with(",\"a\":true}\n"));
        let long: &'static str = "x".repeat(100_000).leak();
        assert!(
            line_of(&[Part::Text("long", long), Part::Boolean("ok", true)]).len()
                <= crate::limits::MAX_LINE_BYTES
        );
    }
}
