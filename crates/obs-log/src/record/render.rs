//! Rendering of records as lines, by the writer.

use super::site::KnownSites;
use super::{HEAD_BYTES, TAG, is_record, kind};
use crate::journal::arena::Arena;
use crate::json::text::copy::{CopyText, put};
use crate::json::text::escape::{escape, write_bytes, write_string};
use crate::json::text::line_buf::LineBuf;
use crate::json::timestamp::Stamper;
use crate::json::value::{push_float, write_boolean, write_signed, write_unsigned};

/// Renderer of records, with what it knows of their sites.
#[derive(Debug, Default)]
pub(crate) struct Renderer {
    sites: KnownSites,
    stamper: Stamper,
    /// Key of a message, which stands in the texts of its site.
    no_key: CopyText,
}

impl Renderer {
    /// Returns a renderer for the records that another process has left in `arena`.
    pub(crate) fn for_left(arena: &Arena) -> Renderer {
        Renderer { sites: KnownSites::left_in(arena), ..Renderer::default() }
    }

    /// Appends a line that waits in these bytes: a record, or the line itself. A damaged record appends nothing.
    #[inline]
    pub(crate) fn append(&mut self, nanos: i64, bytes: &[u8], out: &mut LineBuf) {
        if !is_record(bytes) {
            return out.extend_from_slice(bytes);
        }
        let start = out.len();
        if self.render(nanos, bytes, out).is_none() {
            out.truncate(start);
        }
    }

    #[inline]
    fn render(&mut self, nanos: i64, record: &[u8], out: &mut LineBuf) -> Option<()> {
        let (head, mut rest) = record.split_first_chunk::<HEAD_BYTES>()?;
        let [TAG, trace_id, low, high] = *head else { return None };
        let site = self.sites.get(u16::from_le_bytes([low, high]))?;
        let stamp = self.stamper.head(nanos);
        *out.room() = *stamp;
        out.advance(stamp.len());
        site.write_head(out);
        let id;
        (id, rest) = rest.split_at_checked(usize::from(trace_id).saturating_sub(1))?;
        if site.lacks_message {
            rest = value(&self.no_key, rest, out)?;
        }
        if trace_id > 0 {
            out.extend_from_slice(b",\"trace_id\":\"");
            escape(out, std::str::from_utf8(id).ok()?);
            out.push(b'"');
        }
        for key in &site.keys {
            rest = value(key, rest, out)?;
        }
        *out.room() = *b"}\n";
        out.advance(2);
        Some(())
    }
}

/// Appends a field. Returns the bytes behind its value.
#[inline]
fn value<'a>(key: &CopyText, bytes: &'a [u8], out: &mut LineBuf) -> Option<&'a [u8]> {
    let (kind, rest) = bytes.split_first()?;
    match *kind {
        kind::TEXT => {
            let (length, rest) = rest.split_first()?;
            let (text, rest) = rest.split_at_checked(usize::from(*length))?;
            write_bytes(out, key, text)?;
            Some(rest)
        }
        kind::UNSIGNED => {
            let (value, rest) = rest.split_first_chunk()?;
            write_unsigned(out, key, u64::from_le_bytes(*value));
            Some(rest)
        }
        kind::FALSE | kind::TRUE => {
            write_boolean(out, key, *kind == kind::TRUE);
            Some(rest)
        }
        kind::SIGNED => {
            let (value, rest) = rest.split_first_chunk()?;
            write_signed(out, key, i64::from_le_bytes(*value));
            Some(rest)
        }
        kind::FLOAT => {
            let (value, rest) = rest.split_first_chunk()?;
            push_float(out, key, f64::from_le_bytes(*value));
            Some(rest)
        }
        kind::LONG_TEXT => {
            let (length, rest) = rest.split_first_chunk()?;
            let (text, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
            write_string(out, key, std::str::from_utf8(text).ok()?);
            Some(rest)
        }
        kind::NULL => {
            key.write_with(out, *b"null", 4);
            Some(rest)
        }
        kind::JSON => {
            key.write(out);
            json(rest, out)
        }
        _ => None,
    }
}

/// Appends JSON. Returns the bytes behind it.
fn json<'a>(bytes: &'a [u8], out: &mut LineBuf) -> Option<&'a [u8]> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (json, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
    put(out, json);
    Some(rest)
}
