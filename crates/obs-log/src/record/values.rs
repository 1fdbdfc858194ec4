//! Message and values of a record.
//!
//! A value whose kind is not simple is rendered here, because a user's code has to run on the caller's thread.

use std::fmt;

use log::kv::{self, Key, Value, VisitSource, VisitValue};

use super::{MAX_BYTES, kind};
use crate::config::redactor::Redactor;
use crate::json::cache::Address;
use crate::json::catch::caught;
use crate::json::serialize::Nested;
use crate::json::text::copy::{CopyText, Ends};
use crate::json::text::line_buf::LineBuf;
use crate::json::value::ValueVisitor;

/// Bytes of the longest value that is written in one step, with its kind and length.
const STEP: usize = 32;

/// Number of used bytes of a record that lacks a part. Nothing more fits, although the code that shows the parts may ignore
/// an error and go on.
const CUT: usize = usize::MAX / 2;

/// Buffers for values that are rendered here.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    no_key: CopyText,
    json: LineBuf,
}

impl Buffers {
    #[inline]
    pub(super) fn with<'a>(&'a mut self, nested: &'a mut Nested, redact: &'a Redactor) -> Rendering<'a> {
        Rendering { nested, no_key: &self.no_key, json: &mut self.json, redact }
    }
}

/// Buffers and rules for a value that is rendered here.
pub(super) struct Rendering<'a> {
    nested: &'a mut Nested,
    no_key: &'a CopyText,
    json: &'a mut LineBuf,
    redact: &'a Redactor,
}

/// Visitor that writes the message and the values of a record.
pub(crate) struct RecordVisitor<'a> {
    bytes: &'a mut [u8; MAX_BYTES],
    /// Number of bytes that are written, or [`CUT`].
    used: usize,
    /// Keys that are still to come.
    keys: &'a [Address],
    rendering: Rendering<'a>,
}

impl<'a> RecordVisitor<'a> {
    #[inline]
    pub(super) fn new(
        bytes: &'a mut [u8; MAX_BYTES],
        used: usize,
        keys: &'a [Address],
        rendering: Rendering<'a>,
    ) -> RecordVisitor<'a> {
        RecordVisitor { bytes, used, keys, rendering }
    }

    /// Notes that a part was not written, so that there is no record.
    pub(super) fn cut(&mut self) {
        self.used = CUT;
    }

    /// Whether a part was not written.
    #[inline]
    pub(super) fn is_cut(&self) -> bool {
        self.used > MAX_BYTES
    }

    /// Returns the number of bytes of the record, if its message and all of its values are there.
    #[inline]
    pub(crate) fn end(self) -> Option<usize> {
        (self.keys.is_empty() && !self.is_cut()).then_some(self.used)
    }

    /// Writes the message of a site whose lines have messages of their own.
    #[inline]
    pub(crate) fn message(&mut self, message: &fmt::Arguments<'_>) -> Result<(), kv::Error> {
        let head = self.used;
        self.put_length(kind::LONG_TEXT, 0)?;
        let start = self.used;
        let written = caught(|| fmt::write(&mut Text(self), *message));
        let Some(Ok(())) = written else { return Err(kv::Error::msg("too long, or a panic")) };
        // Known only now.
        let length = ((self.used - start) as u16).to_le_bytes();
        self.bytes[head + 1..start].copy_from_slice(&length);
        Ok(())
    }

    /// Notes the key of the value that is written next. The error says that it is not the one that comes next.
    #[inline]
    pub(super) fn key(&mut self, key: Option<Address>) -> Result<(), kv::Error> {
        match self.keys {
            [next, rest @ ..] if key == Some(*next) => self.keys = rest,
            _ => return Err(kv::Error::msg("another site")),
        }
        Ok(())
    }

    #[inline]
    pub(super) fn unsigned(&mut self, value: u64) -> Result<(), kv::Error> {
        self.word(kind::UNSIGNED, value)
    }

    #[inline]
    pub(super) fn signed(&mut self, value: i64) -> Result<(), kv::Error> {
        self.word(kind::SIGNED, value as u64)
    }

    #[inline]
    pub(super) fn boolean(&mut self, value: bool) -> Result<(), kv::Error> {
        self.step(1)?[0] = if value { kind::TRUE } else { kind::FALSE };
        Ok(())
    }

    #[inline]
    pub(super) fn text(&mut self, value: &str) -> Result<(), kv::Error> {
        let bytes = value.as_bytes();
        // The kind and the length are part of the step.
        let written = self.short(&[kind::TEXT, bytes.len() as u8], bytes);
        written.unwrap_or_else(|| self.long_text(bytes))
    }

    /// Writes `head` and a short text, without a call. `None` if the text is too short or too long for that.
    #[inline]
    fn short<const HEAD: usize>(&mut self, head: &[u8; HEAD], bytes: &[u8]) -> Option<Result<(), kv::Error>> {
        match Ends::<8>::of(bytes) {
            Some(ends) => Some(self.ends(head, ends, bytes.len())),
            None => Ends::<4>::of(bytes).map(|ends| self.ends(head, ends, bytes.len())),
        }
    }

    #[inline]
    fn ends<const HEAD: usize, const N: usize>(
        &mut self,
        head: &[u8; HEAD],
        ends: Ends<'_, N>,
        length: usize,
    ) -> Result<(), kv::Error> {
        let end = HEAD + length;
        let room = self.step(end)?;
        room[..HEAD].copy_from_slice(head);
        room[HEAD..HEAD + N].copy_from_slice(ends.first);
        room[end - N..end].copy_from_slice(ends.last);
        Ok(())
    }

    fn long_text(&mut self, text: &[u8]) -> Result<(), kv::Error> {
        match u8::try_from(text.len()) {
            Ok(length) => self.put(&[kind::TEXT, length])?,
            Err(_) => self.put_length(kind::LONG_TEXT, text.len())?,
        }
        self.put(text)
    }

    #[inline]
    fn step(&mut self, used: usize) -> Result<&mut [u8; STEP], kv::Error> {
        let at = self.used;
        self.used += used;
        let room = self.bytes.get_mut(at..).and_then(|rest| rest.first_chunk_mut());
        room.ok_or_else(|| kv::Error::msg("too long"))
    }

    #[inline]
    fn word(&mut self, kind: u8, word: u64) -> Result<(), kv::Error> {
        let room = self.step(9)?;
        room[0] = kind;
        room[1..9].copy_from_slice(&word.to_le_bytes());
        Ok(())
    }

    /// Writes the JSON that has been rendered.
    fn put_json(&mut self) -> Result<(), kv::Error> {
        // Taken out, because `put` borrows all of `self`.
        let json = std::mem::take(self.rendering.json);
        let put = self.put_length(kind::JSON, json.len()).and_then(|()| self.put(&json));
        *self.rendering.json = json;
        put
    }

    fn put_length(&mut self, kind: u8, length: usize) -> Result<(), kv::Error> {
        let [low, high] = u16::try_from(length).map_err(|_| kv::Error::msg("too long"))?.to_le_bytes();
        self.put(&[kind, low, high])
    }

    #[inline]
    fn put(&mut self, bytes: &[u8]) -> Result<(), kv::Error> {
        let room = self.bytes.get_mut(self.used..).and_then(|rest| rest.get_mut(..bytes.len()));
        room.ok_or_else(|| kv::Error::msg("too long"))?.copy_from_slice(bytes);
        self.used += bytes.len();
        Ok(())
    }
}

/// Text that is formatted into a record.
struct Text<'a, 'b>(&'a mut RecordVisitor<'b>);

impl fmt::Write for Text<'_, '_> {
    #[inline]
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let bytes = text.as_bytes();
        let written = self.0.short(&[], bytes).unwrap_or_else(|| self.0.put(bytes));
        written.map_err(|_| {
            self.0.cut();
            fmt::Error
        })
    }
}

impl<'kvs> VisitSource<'kvs> for RecordVisitor<'_> {
    #[inline]
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        let is_next = self.key(key.to_static_str().map(Address::of));
        let written = is_next.and_then(|()| value.visit(Values { record: self, value: &value }));
        if written.is_err() {
            self.cut();
        }
        written
    }
}

/// Visitor that writes one value.
struct Values<'a, 'b> {
    record: &'a mut RecordVisitor<'b>,
    value: &'a Value<'a>,
}

impl Values<'_, '_> {
    /// Writes JSON that `write` renders here.
    fn json(
        &mut self,
        write: impl FnOnce(ValueVisitor<'_>) -> Result<(), kv::Error>,
    ) -> Result<(), kv::Error> {
        let Rendering { nested, no_key, json, redact } = &mut self.record.rendering;
        json.clear();
        // The value before may have been too long, or its code may have panicked.
        json.shrink_to(MAX_BYTES);
        write(ValueVisitor { line: json, key: no_key, value: self.value, nested, redact })?;
        self.record.put_json()
    }
}

impl<'v> VisitValue<'v> for Values<'_, '_> {
    fn visit_any(&mut self, value: Value<'_>) -> Result<(), kv::Error> {
        self.json(|mut visitor| visitor.visit_any(value))
    }

    fn visit_null(&mut self) -> Result<(), kv::Error> {
        self.record.step(1)?[0] = kind::NULL;
        Ok(())
    }

    fn visit_u64(&mut self, value: u64) -> Result<(), kv::Error> {
        self.record.unsigned(value)
    }

    fn visit_i64(&mut self, value: i64) -> Result<(), kv::Error> {
        self.record.signed(value)
    }

    fn visit_u128(&mut self, value: u128) -> Result<(), kv::Error> {
        self.json(|mut visitor| visitor.visit_u128(value))
    }

    fn visit_i128(&mut self, value: i128) -> Result<(), kv::Error> {
        self.json(|mut visitor| visitor.visit_i128(value))
    }

    fn visit_f64(&mut self, value: f64) -> Result<(), kv::Error> {
        // An `f32` behind a `Serialize` has zeros in the bits that only an `f64` has.
        if value.to_bits().trailing_zeros() >= 29 {
            return self.json(|mut visitor| visitor.visit_f64(value));
        }
        self.record.word(kind::FLOAT, value.to_bits())
    }

    fn visit_bool(&mut self, value: bool) -> Result<(), kv::Error> {
        self.record.boolean(value)
    }

    fn visit_str(&mut self, value: &str) -> Result<(), kv::Error> {
        self.record.text(value)
    }

    fn visit_char(&mut self, value: char) -> Result<(), kv::Error> {
        self.record.text(value.encode_utf8(&mut [0; 4]))
    }

    fn visit_error(&mut self, error: &(dyn std::error::Error + 'static)) -> Result<(), kv::Error> {
        self.json(|mut visitor| visitor.visit_error(error))
    }
}
