//! Encoder of a `Record` as one line of JSON.
//!
//! The line grows in one buffer of its thread, so that nothing is allocated once the buffer has its size. A user's code
//! (`Display`, `Debug`, `Serialize`) runs while the line is written, with no lock held. If it panics, a placeholder takes
//! its place in that one value. Bytes of a very long line that a cut would remove anyway are dropped early and counted, so
//! no value takes more memory than a [`LineBuf`] holds.

pub(crate) mod cache;
pub(crate) mod catch;
pub(crate) mod event;
mod fields;
pub(crate) mod float;
pub(crate) mod joined;
pub(crate) mod serialize;
pub(crate) mod text;
pub(crate) mod timestamp;
pub(crate) mod trace_id;
pub(crate) mod value;

use std::fmt;

use log::kv::{self, Key, Value, VisitSource};
use log::{Level, Record};

use self::cache::keys::KeyCache;
use self::cache::names::{NameCache, NameSlot};
use self::catch::caught;
use self::fields::{FieldSpan, FieldSpans};
use self::serialize::Nested;
use self::text::escape::{write_string, write_text};
use self::text::line_buf::LineBuf;
use self::timestamp::Stamper;
use self::trace_id::TraceIds;
use self::value::ValueVisitor;
use crate::config::redactor::{REDACTED, Redactor};
use crate::limits::MAX_LINE_BYTES;

/// Upper bound of the fields that a line has room for if each has a name of its own: `,"":1` takes five bytes. A line with
/// more fields is dropped.
const MAX_FIELDS: usize = MAX_LINE_BYTES / 5;

/// Length in bytes beyond which a line that is being made drops what a cut would remove. The rest of the buffer has room for
/// as much of one more field as a cut can keep.
const LONG_BYTES: usize = text::line_buf::INTACT_BYTES - MAX_LINE_BYTES;

/// Encoder of one thread, with its buffers.
#[derive(Debug, Default)]
pub(crate) struct Encoder {
    line: LineBuf,
    spans: FieldSpans,
    /// Number of bytes that are kept of each value. Less than [`MAX_LINE_BYTES`] if the line has to be cut, and 0 if that
    /// is not enough.
    cap: usize,
    /// Number of spans, the message included, up to which a field is added without a check for room. 0 if there is none.
    max_spans: usize,
    /// Length of the line of an event where its fields begin. 0 until its message is written.
    fields_at: usize,
    stamper: Stamper,
    pub(crate) names: NameCache,
    pub(crate) keys: KeyCache,
    pub(crate) nested: Nested,
    pub(crate) trace_ids: TraceIds,
}

impl Encoder {
    /// Encodes `record`. Returns the line with its newline, or `None` if it is too long even with its values cut.
    pub(crate) fn encode(&mut self, nanos: i64, record: &Record<'_>, redact: &Redactor) -> Option<&[u8]> {
        let name = self.names.find(record.target());
        self.encode_as(name, nanos, record, redact)
    }

    /// Encodes `record` under another logger name than its own.
    pub(crate) fn encode_as(
        &mut self,
        name: NameSlot,
        nanos: i64,
        record: &Record<'_>,
        redact: &Redactor,
    ) -> Option<&[u8]> {
        self.begin(nanos, record.level());
        self.write_message(name, record.args());
        self.trace_ids.write(&mut self.line);
        self.write_fields(record, redact);
        self.finish()
    }

    /// Begins a line with its time and level.
    #[inline]
    fn begin(&mut self, nanos: i64, level: Level) {
        self.clear();
        self.line.extend_from_slice(self.stamper.head(nanos));
        write_level(&mut self.line, level);
    }

    /// Returns the line with its newline, or `None` if it is too long even with its values cut.
    #[inline]
    fn finish(&mut self) -> Option<&[u8]> {
        self.line.extend_from_slice(b"}\n");
        if self.line.len() > MAX_LINE_BYTES || self.cap < MAX_LINE_BYTES {
            self.shortened()
        } else {
            Some(&self.line)
        }
    }

    /// Encodes `record` in at most `limit` bytes. The error is the length of a line that does not fit with its values cut.
    pub(crate) fn encode_within(
        &mut self,
        limit: usize,
        name: NameSlot,
        nanos: i64,
        record: &Record<'_>,
        redact: &Redactor,
    ) -> Result<Vec<u8>, usize> {
        let Some(line) = self.encode_as(name, nanos, record, redact) else { return Err(MAX_LINE_BYTES) };
        let length = line.len();
        if length <= limit {
            return Ok(line.to_vec());
        }
        match self.spans.cap_within(limit, &self.line, self.cap) {
            0 => Err(length),
            cap => Ok(self.spans.cut(&self.line, cap).to_vec()),
        }
    }

    /// Returns the line with its values cut, if it fits then. Frees the extra memory at once, because this thread may never
    /// log again.
    #[cold]
    fn shortened(&mut self) -> Option<&[u8]> {
        self.cap = self.spans.cap(&self.line, self.cap);
        self.line = match self.cap {
            0 => LineBuf::default(),
            cap => self.spans.cut(&self.line, cap),
        };
        self.spans = FieldSpans::default();
        self.nested.shrink();
        self.keys.shrink();
        (self.cap > 0).then_some(&self.line)
    }

    fn clear(&mut self) {
        self.line.clear();
        self.line.shrink_to(MAX_LINE_BYTES);
        self.spans.clear();
        self.cap = MAX_LINE_BYTES;
        self.max_spans = MAX_FIELDS + 1;
    }

    /// Appends the logger's name and the message.
    #[inline]
    fn write_message(&mut self, name: NameSlot, message: &fmt::Arguments<'_>) {
        let head = self.names.json(name);
        let start = self.line.len() + head.len();
        write_text(&mut self.line, head, message);
        let end = self.line.len();
        // The end may lie before the computed start if the buffer is full.
        let start = start.min(end);
        self.spans.add_message(FieldSpan::new(start, start, end));
        if end > LONG_BYTES {
            self.drop_surplus();
        }
    }

    /// Drops what a cut at the end would remove. A line only grows, so the final cut removes at least as much.
    #[cold]
    fn drop_surplus(&mut self) {
        self.spans.add_missing(self.line.missing());
        self.spans.keep(&mut self.line, usize::MAX);
        self.cap = self.spans.cap(&self.line, self.cap);
        self.spans.keep(&mut self.line, self.cap);
        if self.cap == 0 {
            self.max_spans = 0;
        }
    }

    /// Removes replaced fields when there are as many spans as a line has room for. Returns `false` if that is not enough.
    #[cold]
    fn make_room(&mut self) -> bool {
        if self.max_spans > 0 && self.spans.fields() <= MAX_FIELDS {
            self.spans.keep(&mut self.line, usize::MAX);
            return true;
        }
        (self.cap, self.max_spans) = (0, 0);
        false
    }

    /// Appends the fields. If the source returns an error or panics, the fields before that stay in the line.
    fn write_fields(&mut self, record: &Record<'_>, redact: &Redactor) {
        let start = self.line.len();
        let fields = record.key_values();
        let visited = caught(|| {
            let _ = fields.visit(&mut FieldVisitor { encoder: self, redact });
        });
        self.end_fields(start, visited.is_none());
    }

    /// Leaves whole fields, each key once.
    #[inline]
    fn end_fields(&mut self, start: usize, is_torn: bool) {
        if is_torn {
            // Half a field may have been written.
            let whole = self.spans.end().map_or(start, |end| end.max(start));
            self.line.truncate(whole);
        }
        self.spans.compact(&mut self.line);
    }
}

/// Appends the level.
#[inline]
pub(crate) fn write_level(line: &mut LineBuf, level: Level) {
    // One call each, so that the compiler knows the length of each copy.
    match level {
        Level::Error => line.extend_from_slice(b",\"level\":\"error\""),
        Level::Warn => line.extend_from_slice(b",\"level\":\"warning\""),
        Level::Info => line.extend_from_slice(b",\"level\":\"info\""),
        Level::Debug => line.extend_from_slice(b",\"level\":\"debug\""),
        Level::Trace => line.extend_from_slice(b",\"level\":\"trace\""),
    }
}

struct FieldVisitor<'a> {
    encoder: &'a mut Encoder,
    redact: &'a Redactor,
}

impl<'kvs> VisitSource<'kvs> for FieldVisitor<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        if self.encoder.spans.len() > self.encoder.max_spans && !self.encoder.make_room() {
            return Err(kv::Error::msg("more fields than a line has room for"));
        }
        let Encoder { line, spans, nested, keys, .. } = &mut *self.encoder;
        let start = line.len();
        let key = keys.find(&key, self.redact);
        let (value_start, bit) = (start + key.json.len(), key.bit);
        if key.hidden {
            write_string(line, &key.json, REDACTED);
        } else {
            let visitor = ValueVisitor { line, key: &key.json, value: &value, nested, redact: self.redact };
            if value.visit(visitor).is_err() {
                line.truncate(start);
                return Ok(());
            }
        }
        let end = line.len();
        spans.add(line, FieldSpan::new(start, value_start, end), bit);
        if end > LONG_BYTES {
            self.encoder.drop_surplus();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
