//! Values that write themselves: nested values by `Serialize`, others by `Debug` or `Display`.
//!
//! serde_json drives a [`Formatter`], so that the rules for a field hold at every depth: control characters are escaped,
//! integers beyond 2^53 are strings, hidden names are redacted. A value that repeats a key or contains raw JSON is rare. It
//! is read into a `serde_json::Value` first, in which the last value of a key counts. If it is longer than a line, it is left
//! out instead, because such a tree takes many times the memory of its text.

use std::fmt::Write as _;
use std::hash::{BuildHasher, RandomState};
use std::io;

use log::kv::Value;
use serde_json::ser::{CharEscape, Formatter, Serializer};

use crate::config::redactor::{REDACTED, Redactor};
use crate::json::float::shortest_f64;
use crate::json::text::escape::{Escaped, escape};
use crate::json::text::line_buf::LineBuf;
use crate::json::text::truncate::write_left_out;
use crate::limits::{MAX_EXACT_INTEGER, MAX_LINE_BYTES};

/// Length in bytes of the pieces in which a long text is escaped.
const PIECE_BYTES: usize = 4 << 10;

/// Buffers of a thread for nested values.
#[derive(Debug, Default)]
pub(crate) struct Nested {
    key: String,
    scratch: LineBuf,
    hasher: RandomState,
    /// Hashes of the keys of all open objects, innermost last.
    keys: Vec<u64>,
    /// Index in `keys` of the first key of each open object.
    objects: Vec<usize>,
}

impl Nested {
    /// Appends `value`. If its `Serialize` fails, appends a string that says so.
    pub(crate) fn write(&mut self, line: &mut LineBuf, value: &Value<'_>, redact: &Redactor) {
        let start = line.len();
        let written = match self.serialize(line, value, redact) {
            Ok(Written { is_clean: true, .. }) => return,
            Ok(Written { shown, unseen, .. }) if shown + unseen > MAX_LINE_BYTES => {
                line.truncate(start);
                return write_left_out(line, shown + unseen);
            }
            Ok(Written { has_f32, .. }) => {
                line.truncate(start);
                tree(value, has_f32).and_then(|tree| self.serialize(line, &tree, redact))
            }
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            line.truncate(start);
            line.extend_from_slice(b"\"[not serialisable: ");
            let _ = write!(Escaped(line), "{error}");
            line.extend_from_slice(b"]\"");
        }
    }

    /// Frees the memory of very long values.
    pub(crate) fn shrink(&mut self) {
        *self = Nested::default();
    }

    fn serialize<T: serde_core::Serialize>(
        &mut self,
        line: &mut LineBuf,
        value: &T,
        redact: &Redactor,
    ) -> serde_json::Result<Written> {
        self.key.clear();
        self.keys.clear();
        self.objects.clear();
        let mut written = Written { is_clean: true, has_f32: false, shown: 0, unseen: 0 };
        let form = LineFormatter { nested: self, redact, written: &mut written, in_key: false, hidden: 0 };
        value.serialize(&mut Serializer::with_formatter(line, form))?;
        Ok(written)
    }
}

/// Reads `value` into a tree. A tree holds each number as an `f64`, so an `f32` is passed by its text.
fn tree(value: &Value<'_>, has_f32: bool) -> serde_json::Result<serde_json::Value> {
    if has_f32 {
        serde_json::to_string(value).and_then(|text| serde_json::from_str(&text))
    } else {
        serde_json::to_value(value)
    }
}

/// Properties of a value, known once it is written.
struct Written {
    /// No key is repeated, and there is no raw JSON.
    is_clean: bool,
    /// Some number is of type `f32`.
    has_f32: bool,
    /// Length in bytes.
    shown: usize,
    /// Length in bytes of its hidden or raw parts.
    unseen: usize,
}

/// serde_json's formatter of one value.
struct LineFormatter<'a> {
    nested: &'a mut Nested,
    redact: &'a Redactor,
    written: &'a mut Written,
    in_key: bool,
    /// Depth inside a hidden value; 0 is outside.
    hidden: u32,
}

impl LineFormatter<'_> {
    /// Passes `text` on, unless it is inside a hidden value.
    fn put<W: io::Write + ?Sized>(&mut self, out: &mut W, text: &[u8]) -> io::Result<()> {
        if self.hidden > 0 {
            self.written.unseen += text.len();
            return Ok(());
        }
        self.written.shown += text.len();
        out.write_all(text)
    }

    fn escaped<W: io::Write + ?Sized>(&mut self, out: &mut W, text: &str) -> io::Result<()> {
        // Taken out, because `put` borrows all of `self`.
        let mut scratch = std::mem::take(&mut self.nested.scratch);
        scratch.clear();
        let put = if text.len() <= PIECE_BYTES {
            escape(&mut scratch, text);
            self.put(out, &scratch)
        } else {
            self.escaped_in_pieces(&mut scratch, out, text)
        };
        self.nested.scratch = scratch;
        put
    }

    #[cold]
    fn escaped_in_pieces<W: io::Write + ?Sized>(
        &mut self,
        scratch: &mut LineBuf,
        out: &mut W,
        text: &str,
    ) -> io::Result<()> {
        let mut rest = text;
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(rest.floor_char_boundary(PIECE_BYTES));
            scratch.clear();
            escape(scratch, piece);
            self.put(out, scratch)?;
            rest = behind;
        }
        Ok(())
    }

    /// Appends to the current key, up to the length of a line.
    fn add_to_key(&mut self, text: &str) {
        let room = MAX_LINE_BYTES.saturating_sub(self.nested.key.len());
        self.nested.key.push_str(&text[..text.floor_char_boundary(room)]);
    }

    fn integer<W: io::Write + ?Sized>(
        &mut self,
        out: &mut W,
        value: impl itoa::Integer,
        exact: bool,
    ) -> io::Result<()> {
        let mut buffer = itoa::Buffer::new();
        let text = buffer.format(value);
        if self.in_key {
            self.nested.key.push_str(text);
        }
        // A key is in quotes anyway.
        let quote: &[u8] = if exact || self.in_key { b"" } else { b"\"" };
        self.put(out, quote)?;
        self.put(out, text.as_bytes())?;
        self.put(out, quote)
    }
}

macro_rules! integers {
    ($($method:ident: $type:ty),*) => {$(
        fn $method<W: io::Write + ?Sized>(&mut self, out: &mut W, value: $type) -> io::Result<()> {
            let exact = i128::try_from(value).is_ok_and(|value| value.unsigned_abs() <= u128::from(MAX_EXACT_INTEGER));
            self.integer(out, value, exact)
        }
    )*};
}

impl Formatter for LineFormatter<'_> {
    integers!(write_i8: i8, write_i16: i16, write_i32: i32, write_i64: i64, write_i128: i128);
    integers!(write_u8: u8, write_u16: u16, write_u32: u32, write_u64: u64, write_u128: u128);

    fn write_f32<W: io::Write + ?Sized>(&mut self, out: &mut W, value: f32) -> io::Result<()> {
        self.written.has_f32 = true;
        self.write_f64(out, shortest_f64(value))
    }

    fn write_f64<W: io::Write + ?Sized>(&mut self, out: &mut W, value: f64) -> io::Result<()> {
        let mut buffer = zmij::Buffer::new();
        let text = buffer.format(value);
        if self.in_key {
            self.nested.key.push_str(text);
        }
        self.put(out, text.as_bytes())
    }

    fn write_null<W: io::Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.put(out, b"null")
    }

    fn write_bool<W: io::Write + ?Sized>(&mut self, out: &mut W, value: bool) -> io::Result<()> {
        self.put(out, if value { b"true" } else { b"false" })
    }

    fn write_number_str<W: io::Write + ?Sized>(&mut self, out: &mut W, value: &str) -> io::Result<()> {
        self.written.is_clean = false;
        self.put(out, value.as_bytes())
    }

    fn begin_string<W: io::Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.put(out, b"\"")
    }

    fn end_string<W: io::Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.put(out, b"\"")
    }

    fn write_string_fragment<W: io::Write + ?Sized>(&mut self, out: &mut W, text: &str) -> io::Result<()> {
        if self.in_key {
            self.add_to_key(text);
        }
        self.escaped(out, text)
    }

    fn write_char_escape<W: io::Write + ?Sized>(
        &mut self,
        out: &mut W,
        escaped: CharEscape,
    ) -> io::Result<()> {
        if self.in_key {
            self.add_to_key(char_of(&escaped).encode_utf8(&mut [0; 4]));
        }
        self.escaped(out, char_of(&escaped).encode_utf8(&mut [0; 4]))
    }

    fn begin_array<W: io::Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.put(out, b"[")
    }

    fn end_array<W: io::Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.put(out, b"]")
    }

    fn begin_array_value<W: io::Write + ?Sized>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.put(out, if first { b"" } else { b"," })
    }

    fn begin_object<W: io::Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.nested.objects.push(self.nested.keys.len());
        self.put(out, b"{")
    }

    fn end_object<W: io::Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        let start = self.nested.objects.pop().unwrap_or(0);
        let keys = &mut self.nested.keys[start..];
        // Equal hashes stand for a repeated key. A collision only costs the way through a tree.
        keys.sort_unstable();
        self.written.is_clean &= keys.windows(2).all(|pair| pair[0] != pair[1]);
        self.nested.keys.truncate(start);
        self.put(out, b"}")
    }

    fn begin_object_key<W: io::Write + ?Sized>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.nested.key.clear();
        self.in_key = true;
        self.put(out, if first { b"" } else { b"," })
    }

    fn end_object_key<W: io::Write + ?Sized>(&mut self, _out: &mut W) -> io::Result<()> {
        self.in_key = false;
        // Other keys do not show: they are hidden, or the value is left out.
        if self.hidden == 0 && self.written.shown <= MAX_LINE_BYTES {
            let hash = self.nested.hasher.hash_one(&self.nested.key);
            self.nested.keys.push(hash);
        }
        Ok(())
    }

    fn begin_object_value<W: io::Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
        self.put(out, b":")?;
        if self.hidden > 0 {
            self.hidden += 1;
        } else if self.redact.hides(&self.nested.key) {
            self.put(out, b"\"")?;
            self.put(out, REDACTED.as_bytes())?;
            self.put(out, b"\"")?;
            self.hidden = 1;
        }
        Ok(())
    }

    fn end_object_value<W: io::Write + ?Sized>(&mut self, _out: &mut W) -> io::Result<()> {
        self.hidden = self.hidden.saturating_sub(1);
        Ok(())
    }

    fn write_raw_fragment<W: io::Write + ?Sized>(&mut self, _out: &mut W, text: &str) -> io::Result<()> {
        self.written.unseen += text.len();
        // Raw JSON may contain line breaks and repeated keys.
        self.written.is_clean = false;
        Ok(())
    }
}

fn char_of(escaped: &CharEscape) -> char {
    match escaped {
        CharEscape::Quote => '"',
        CharEscape::ReverseSolidus => '\\',
        CharEscape::Solidus => '/',
        CharEscape::Backspace => '\u{8}',
        CharEscape::FormFeed => '\u{c}',
        CharEscape::LineFeed => '\n',
        CharEscape::CarriageReturn => '\r',
        CharEscape::Tab => '\t',
        CharEscape::AsciiControl(code) => char::from(*code),
    }
}

#[cfg(test)]
mod tests {
    use crate::json::tests::fields;
    use log::kv::Value;
    use serde::Serialize;
    use std::collections::BTreeMap;

    #[derive(Serialize)]
    struct Login {
        name: &'static str,
        big: u64,
        password: Vec<u8>,
        inner: BTreeMap<u64, f32>,
    }

    #[test]
    fn nested_values_stay_objects_and_follow_the_same_rules() {
        let value = Login {
            name: "q\"\u{7f}\u{9b}\n",
            big: u64::MAX,
            password: vec![1, 2],
            inner: BTreeMap::from([(1 << 60, 0.1)]),
        };
        assert_eq!(
            fields(&[("n", Value::from_serde(&value))]),
            ",\"n\":{\"name\":\"q\\\"\\u007f\\u009b\\n\",\"big\":\"18446744073709551615\",\"password\":\"[redacted]\",\
             \"inner\":{\"1152921504606846976\":0.1}}"
        );
    }

    /// Map that repeats a key, as `#[serde(flatten)]` can.
    struct Twice;

    impl Serialize for Twice {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_map([("k", 1), ("other", 2), ("k", 3)])
        }
    }

    struct Fails;

    impl Serialize for Fails {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use serde::ser::{Error, SerializeMap};
            let mut map = serializer.serialize_map(None)?;
            map.serialize_entry("half", "way")?;
            Err(S::Error::custom("no \"more\""))
        }
    }

    #[test]
    fn nested_values_may_repeat_keys_or_fail() {
        let (twice, list) = (Twice, [Twice, Twice]);
        assert_eq!(fields(&[("v", Value::from_serde(&twice))]), ",\"v\":{\"k\":3,\"other\":2}");
        assert_eq!(
            fields(&[("v", Value::from_serde(&list))]),
            ",\"v\":[{\"k\":3,\"other\":2},{\"k\":3,\"other\":2}]"
        );
        assert_eq!(
            fields(&[("v", Value::from_serde(&Fails))]),
            ",\"v\":\"[not serialisable: `serde` serialization failed: no \\\"more\\\"]\""
        );
    }
}
