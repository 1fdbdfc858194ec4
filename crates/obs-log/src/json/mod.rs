//! A `Record` as one line of JSON (L2).
//!
//! The line grows in one buffer that its thread keeps, so that nothing is allocated once the buffer has its size.
//! Users' code (`Display`, `Debug`, `Serialize`) runs while it is written, with no lock held; a panic in there
//! becomes a placeholder in that one value (L7). Of what is longer than a line can be only that is kept which a cut
//! leaves of it, and the rest is counted: so no value takes more memory than [`Buffer`] holds (L8).

pub(crate) mod bounded;
pub(crate) mod cache;
pub(crate) mod catch;
mod copy;
pub(crate) mod escape;
mod fields;
pub(crate) mod float;
pub(crate) mod line_buf;
pub(crate) mod serialize;
pub(crate) mod timestamp;
pub(crate) mod trace_id;
pub(crate) mod truncate;

use std::fmt::Write as _;

use log::kv::{self, Key, Value, VisitSource, VisitValue};
use log::{Level, Record};

use crate::api::secret::{REDACTED, Redactor};
use crate::json::cache::keys::KeyCache;
use crate::json::cache::names::{Found, NameCache};
use crate::json::catch::caught;
use crate::json::copy::{Ready, put};
use crate::json::escape::{Escaped, write_string};
use crate::json::fields::{Place, Places};
use crate::json::float::may_be_single;
use crate::json::line_buf::Buffer;
use crate::json::serialize::Nested;
use crate::json::timestamp::Stamper;

/// The longest line, its newline included, in bytes. A longer one has its longest values cut until it fits.
pub const MAX_LINE_BYTES: usize = 128 << 10;

/// More fields than a line has room for, each with a name of its own: `,"":1`. Whoever brings more has a line that is
/// dropped.
const MOST_FIELDS: usize = MAX_LINE_BYTES / 5;

/// A line that is longer while it is made gets rid of what a cut would take away. Behind it is room for the most that
/// one more field can keep.
const LONG: usize = line_buf::WHOLE - MAX_LINE_BYTES;

/// What a value reads when the code that writes it panicked.
pub(crate) const PANICKED: &str = "[panicked while formatting]";

/// The buffers of one thread.
#[derive(Debug, Default)]
pub(crate) struct Encoder {
    line: Buffer,
    places: Places,
    /// Of each value so many bytes are kept; less than [`MAX_LINE_BYTES`] if the line has to be cut, and 0 if that is
    /// not enough.
    cap: usize,
    /// So many places are noted, the message's included, before somebody looks whether there may be more; 0 if there
    /// may not.
    most_places: usize,
    stamper: Stamper,
    pub(crate) names: NameCache,
    ready_keys: KeyCache,
    nested: Nested,
}

impl Encoder {
    /// The line of `record`, newline included; `None` if it is too long even with its values cut.
    pub(crate) fn encode(&mut self, nanos: i64, record: &Record<'_>, redact: &Redactor) -> Option<&[u8]> {
        let name = self.names.find(record.target());
        self.encode_as(name, nanos, record, redact)
    }

    /// The same under another name than the record's.
    pub(crate) fn encode_as(
        &mut self,
        name: Found,
        nanos: i64,
        record: &Record<'_>,
        redact: &Redactor,
    ) -> Option<&[u8]> {
        self.clear();
        self.line.extend_from_slice(self.stamper.head(nanos));
        write_level(&mut self.line, record.level());
        self.write_message(name, record);
        trace_id::write(&mut self.line);
        self.write_fields(record, redact);
        self.line.extend_from_slice(b"}\n");
        if self.line.len() > MAX_LINE_BYTES || self.cap < MAX_LINE_BYTES {
            self.shortened()
        } else {
            Some(&self.line)
        }
    }

    /// The line with its values cut, if it fits then. What it took is given back at once: this thread may never log again.
    #[cold]
    fn shortened(&mut self) -> Option<&[u8]> {
        self.cap = truncate::cap(&self.line, &self.places, self.cap);
        self.line = match self.cap {
            0 => Buffer::default(),
            cap => truncate::cut(&self.line, &self.places, cap),
        };
        self.places = Places::default();
        self.nested.shrink();
        self.ready_keys.shrink();
        (self.cap > 0).then_some(&self.line)
    }

    fn clear(&mut self) {
        self.line.clear();
        self.line.shrink_to(MAX_LINE_BYTES);
        self.places.clear();
        self.cap = MAX_LINE_BYTES;
        self.most_places = MOST_FIELDS + 1;
    }

    /// And the logger's name before it.
    #[inline]
    fn write_message(&mut self, name: Found, record: &Record<'_>) {
        let head = self.names.json(name);
        let start = self.line.len() + head.len();
        write_text(&mut self.line, head, record.args());
        let end = self.line.len();
        let start = start.min(end);
        self.places.add_message(Place::new(start, start, end));
        if end > LONG {
            self.settle();
        }
    }

    /// Makes room for what comes. What this leaves out would be cut away at the end, too, as a line only grows.
    #[cold]
    fn settle(&mut self) {
        self.places.add_missing(self.line.missing());
        self.places.keep(&mut self.line, usize::MAX);
        self.cap = truncate::cap(&self.line, &self.places, self.cap);
        self.places.keep(&mut self.line, self.cap);
        if self.cap == 0 {
            self.most_places = 0;
        }
    }

    /// There are as many places as a line has room for. Those that are replaced do not count; `false` without them.
    #[cold]
    fn make_room(&mut self) -> bool {
        if self.most_places > 0 && self.places.fields() <= MOST_FIELDS {
            self.places.keep(&mut self.line, usize::MAX);
            return true;
        }
        (self.cap, self.most_places) = (0, 0);
        false
    }

    /// Stops where the source itself returns an error or panics: what it gave until then is in the line.
    fn write_fields(&mut self, record: &Record<'_>, redact: &Redactor) {
        let start = self.line.len();
        let fields = record.key_values();
        let visited = caught(|| {
            let _ = fields.visit(&mut FieldVisitor { encoder: self, redact });
        });
        if visited.is_none() {
            let whole = self.places.iter().next_back().map_or(start, |last| last.value().end.max(start));
            self.line.truncate(whole);
        }
        self.places.compact(&mut self.line);
    }
}

/// Appends the level.
#[inline]
fn write_level(line: &mut Buffer, level: Level) {
    // Each by itself, so that each is a copy of a known length.
    match level {
        Level::Error => line.extend_from_slice(b",\"level\":\"error\""),
        Level::Warn => line.extend_from_slice(b",\"level\":\"warning\""),
        Level::Info => line.extend_from_slice(b",\"level\":\"info\""),
        Level::Debug => line.extend_from_slice(b",\"level\":\"debug\""),
        Level::Trace => line.extend_from_slice(b",\"level\":\"trace\""),
    }
}

/// Appends `head` and then `text` as a JSON string. What a `Display` wrote before it panicked stays.
#[inline]
fn write_text(line: &mut Buffer, head: &Ready, text: &std::fmt::Arguments<'_>) {
    if let Some(text) = text.as_str() {
        return write_string(line, head, text);
    }
    head.write(line);
    line.push(b'"');
    let written = caught(|| {
        // An error that a `Display` returns ends its text there.
        let _ = Escaped(line).write_fmt(*text);
    });
    if written.is_none() {
        line.extend_from_slice(PANICKED.as_bytes());
    }
    line.push(b'"');
}

struct FieldVisitor<'a> {
    encoder: &'a mut Encoder,
    redact: &'a Redactor,
}

impl<'kvs> VisitSource<'kvs> for FieldVisitor<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        if self.encoder.places.len() > self.encoder.most_places && !self.encoder.make_room() {
            return Err(kv::Error::msg("more than a line has room for"));
        }
        let Encoder { line, places, nested, ready_keys, .. } = &mut *self.encoder;
        let start = line.len();
        let key = ready_keys.ready(&key, self.redact);
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
        places.add(line, Place::new(start, value_start, end), bit);
        if end > LONG {
            self.encoder.settle();
        }
        Ok(())
    }
}

/// Writes a key and its value.
struct ValueVisitor<'a> {
    line: &'a mut Buffer,
    key: &'a Ready,
    /// The value that is being visited.
    value: &'a Value<'a>,
    nested: &'a mut Nested,
    redact: &'a Redactor,
}

impl<'v> VisitValue<'v> for ValueVisitor<'_> {
    /// A value that its own code writes: `Debug`, `Display` or `Serialize`.
    fn visit_any(&mut self, value: Value<'_>) -> Result<(), kv::Error> {
        self.key.write(self.line);
        let start = self.line.len();
        let written = caught(|| self.nested.write(self.line, &value, self.redact));
        if written.is_none() {
            self.line.truncate(start);
            self.line.push(b'"');
            self.line.extend_from_slice(PANICKED.as_bytes());
            self.line.push(b'"');
        }
        Ok(())
    }

    fn visit_null(&mut self) -> Result<(), kv::Error> {
        self.key.write_with(self.line, *b"null", 4);
        Ok(())
    }

    fn visit_u64(&mut self, value: u64) -> Result<(), kv::Error> {
        match small(value) {
            Some((digits, count)) => self.key.write_with(self.line, digits, count),
            None => push_integer(self.line, self.key, value, value <= EXACT),
        }
        Ok(())
    }

    fn visit_i64(&mut self, value: i64) -> Result<(), kv::Error> {
        if let Ok(value) = u64::try_from(value) {
            return self.visit_u64(value);
        }
        push_integer(self.line, self.key, value, value.unsigned_abs() <= EXACT);
        Ok(())
    }

    fn visit_u128(&mut self, value: u128) -> Result<(), kv::Error> {
        push_integer(self.line, self.key, value, value <= u128::from(EXACT));
        Ok(())
    }

    fn visit_i128(&mut self, value: i128) -> Result<(), kv::Error> {
        push_integer(self.line, self.key, value, value.unsigned_abs() <= u128::from(EXACT));
        Ok(())
    }

    fn visit_f64(&mut self, value: f64) -> Result<(), kv::Error> {
        let start = self.line.len();
        let length = push_float(self.line, self.key, value);
        if may_be_single(value, length) {
            self.line.truncate(start);
            return self.visit_any(self.value.clone());
        }
        Ok(())
    }

    fn visit_bool(&mut self, value: bool) -> Result<(), kv::Error> {
        let text = if value { b"true " } else { b"false" };
        self.key.write_with(self.line, *text, if value { 4 } else { 5 });
        Ok(())
    }

    fn visit_str(&mut self, value: &str) -> Result<(), kv::Error> {
        write_string(self.line, self.key, value);
        Ok(())
    }

    fn visit_char(&mut self, value: char) -> Result<(), kv::Error> {
        write_string(self.line, self.key, value.encode_utf8(&mut [0; 4]));
        Ok(())
    }

    fn visit_error(&mut self, error: &(dyn std::error::Error + 'static)) -> Result<(), kv::Error> {
        write_text(self.line, self.key, &format_args!("{error}"));
        Ok(())
    }
}

/// Up to here an integer is the same in every reader of JSON, also in those that hold numbers as doubles.
pub(crate) const EXACT: u64 = 1 << 53;

/// The digits of a number that has at most four, and how many they are. Most numbers in a log are small.
#[inline]
fn small(value: u64) -> Option<([u8; 4], usize)> {
    let value = u32::try_from(value).ok().filter(|value| *value < 10_000)?;
    let digits =
        [value / 1000, value / 100 % 10, value / 10 % 10, value % 10].map(|digit| b'0' + digit as u8);
    let zeros = usize::from(value < 1000) + usize::from(value < 100) + usize::from(value < 10);
    Some(((u32::from_le_bytes(digits) >> (8 * zeros)).to_le_bytes(), 4 - zeros))
}

/// A key and an integer; as a string when a reader could round it.
fn push_integer(line: &mut Buffer, key: &Ready, value: impl itoa::Integer, exact: bool) {
    key.write(line);
    let mut buffer = itoa::Buffer::new();
    let text = buffer.format(value).as_bytes();
    if exact {
        put(line, text);
    } else {
        line.push(b'"');
        put(line, text);
        line.push(b'"');
    }
}

/// A key and the shortest text that reads back as `value`; `"NaN"`, `"Infinity"` and `"-Infinity"` as strings, because JSON
/// has no numbers for them. Returns how long a number's text is.
fn push_float(line: &mut Buffer, key: &Ready, value: f64) -> usize {
    key.write(line);
    let text: &str = match value {
        _ if value.is_finite() => {
            let mut buffer = zmij::Buffer::new();
            let text = buffer.format_finite(value).as_bytes();
            put(line, text);
            return text.len();
        }
        _ if value.is_nan() => "\"NaN\"",
        _ if value > 0.0 => "\"Infinity\"",
        _ => "\"-Infinity\"",
    };
    line.extend_from_slice(text.as_bytes());
    0
}

#[cfg(test)]
mod tests;
