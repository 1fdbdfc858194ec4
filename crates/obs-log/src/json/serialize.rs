//! Values that write themselves: nested ones by `Serialize`, others by `Debug` or `Display`.
//!
//! serde_json drives a formatter of our own, so that what holds for a field holds at every depth: control
//! characters escaped, integers beyond 2^53 as strings, hidden names redacted. The rare value that repeats a key or
//! brings raw JSON is read into a `serde_json::Value` first, where the last one counts; unless it is longer than a line
//! can be: such a tree takes many times the memory of its text.

use std::fmt::Write as _;
use std::hash::{BuildHasher, RandomState};
use std::io;

use log::kv::Value;
use serde_json::ser::{CharEscape, Formatter, Serializer};

use crate::api::secret::{REDACTED, Redactor};
use crate::json::escape::{Escaped, escape};
use crate::json::float::as_shown;
use crate::json::line_buf::Buffer;
use crate::json::truncate;
use crate::json::{EXACT, MAX_LINE_BYTES};

/// Text is escaped in pieces of so many bytes at most.
const PIECE: usize = 4 << 10;

/// Buffers for writing nested values, kept by a thread.
#[derive(Debug, Default)]
pub(crate) struct Nested {
    key: String,
    scratch: Buffer,
    hasher: RandomState,
    /// Hashes of the keys of all objects that are open, innermost last.
    keys: Vec<u64>,
    /// Where each open object's keys begin.
    objects: Vec<usize>,
}

impl Nested {
    /// Appends `value`. One whose `Serialize` fails becomes a string that says so.
    pub(crate) fn write(&mut self, line: &mut Buffer, value: &Value<'_>, redact: &Redactor) {
        let start = line.len();
        let written = match self.serialize(line, value, redact) {
            Ok(Written { is_clean: true, .. }) => return,
            Ok(Written { shown, unseen, .. }) if shown + unseen > MAX_LINE_BYTES => {
                line.truncate(start);
                return truncate::write_left_out(line, shown + unseen);
            }
            Ok(Written { has_single, .. }) => {
                line.truncate(start);
                tree(value, has_single).and_then(|tree| self.serialize(line, &tree, redact))
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

    /// Gives back what very long values took.
    pub(crate) fn shrink(&mut self) {
        *self = Nested::default();
    }

    fn serialize<T: serde_core::Serialize>(
        &mut self,
        line: &mut Buffer,
        value: &T,
        redact: &Redactor,
    ) -> serde_json::Result<Written> {
        self.key.clear();
        self.keys.clear();
        self.objects.clear();
        let mut written = Written { is_clean: true, has_single: false, shown: 0, unseen: 0 };
        let form = Form { nested: self, redact, written: &mut written, in_key: false, hidden: 0 };
        value.serialize(&mut Serializer::with_formatter(line, form))?;
        Ok(written)
    }
}

/// Reads `value` into a tree. A tree holds each number as an `f64`, so an `f32` goes there by its text.
fn tree(value: &Value<'_>, has_single: bool) -> serde_json::Result<serde_json::Value> {
    if has_single {
        serde_json::to_string(value).and_then(|text| serde_json::from_str(&text))
    } else {
        serde_json::to_value(value)
    }
}

/// What is known of a value when it has been written.
struct Written {
    /// It has no repeated key and no raw JSON.
    is_clean: bool,
    /// It has a number of type `f32`.
    has_single: bool,
    /// How long it is.
    shown: usize,
    /// How long is what is hidden of it, or is raw.
    unseen: usize,
}

struct Form<'a> {
    nested: &'a mut Nested,
    redact: &'a Redactor,
    written: &'a mut Written,
    in_key: bool,
    /// How deep inside a hidden value we are; 0 is outside.
    hidden: u32,
}

impl Form<'_> {
    /// Hands `text` on to the key or the line, unless it is inside a hidden value.
    fn put<W: io::Write + ?Sized>(&mut self, out: &mut W, text: &[u8]) -> io::Result<()> {
        if self.hidden > 0 {
            self.written.unseen += text.len();
            return Ok(());
        }
        self.written.shown += text.len();
        out.write_all(text)
    }

    fn escaped<W: io::Write + ?Sized>(&mut self, out: &mut W, text: &str) -> io::Result<()> {
        let mut scratch = std::mem::take(&mut self.nested.scratch);
        scratch.clear();
        let put = if text.len() <= PIECE {
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
        scratch: &mut Buffer,
        out: &mut W,
        text: &str,
    ) -> io::Result<()> {
        let mut rest = text;
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(rest.floor_char_boundary(PIECE));
            scratch.clear();
            escape(scratch, piece);
            self.put(out, scratch)?;
            rest = behind;
        }
        Ok(())
    }

    /// Of a key that no line can hold only the beginning is kept.
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
        // A key is in quotes already.
        let quote: &[u8] = if exact || self.in_key { b"" } else { b"\"" };
        self.put(out, quote)?;
        self.put(out, text.as_bytes())?;
        self.put(out, quote)
    }
}

macro_rules! integers {
    ($($method:ident: $type:ty),*) => {$(
        fn $method<W: io::Write + ?Sized>(&mut self, out: &mut W, value: $type) -> io::Result<()> {
            let exact = i128::try_from(value).is_ok_and(|value| value.unsigned_abs() <= u128::from(EXACT));
            self.integer(out, value, exact)
        }
    )*};
}

impl Formatter for Form<'_> {
    integers!(write_i8: i8, write_i16: i16, write_i32: i32, write_i64: i64, write_i128: i128);
    integers!(write_u8: u8, write_u16: u16, write_u32: u32, write_u64: u64, write_u128: u128);

    fn write_f32<W: io::Write + ?Sized>(&mut self, out: &mut W, value: f32) -> io::Result<()> {
        self.written.has_single = true;
        self.write_f64(out, as_shown(value))
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
        // The others are not seen: they are hidden, or the value is left out.
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
        // Raw JSON may hold line breaks and repeated keys.
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
