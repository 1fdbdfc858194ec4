//! Records: lines in the form in which they wait for the writer, before they are rendered.
//!
//! ```text
//! tag, length of the trace ID and one (0 without one), number of the site (2 bytes)
//! trace ID
//! message, a value like a field's, unless it is part of the site
//! of each field: kind, then its value
//! ```
//!
//! A site is a place in the program that logs: its level, logger name, message and keys. It is registered once. A line that is
//! unusual waits rendered. The two are told apart by their first byte, because a rendered line begins with `{`.

pub(crate) mod encode;
pub(crate) mod event;
pub(crate) mod identity;
pub(crate) mod render;
pub(crate) mod site;
pub(crate) mod source;
pub(crate) mod values;

/// First byte of a record.
pub(crate) const TAG: u8 = 1;

/// Bytes before the trace ID.
const HEAD_BYTES: usize = 4;

/// Longest record in bytes. The line of a longer one is rendered by its caller.
const MAX_BYTES: usize = 1 << 10;

/// Greatest number of fields of a record.
const MAX_FIELDS: usize = 12;

/// Kind of a value. The first ones have no bytes behind them.
mod kind {
    pub(super) const NULL: u8 = 0;
    pub(super) const FALSE: u8 = 1;
    pub(super) const TRUE: u8 = 2;
    /// 8 bytes.
    pub(super) const UNSIGNED: u8 = 3;
    /// 8 bytes.
    pub(super) const SIGNED: u8 = 4;
    /// 8 bytes.
    pub(super) const FLOAT: u8 = 5;
    /// A byte for the length, and the text.
    pub(super) const TEXT: u8 = 6;
    /// Two bytes for the length, and JSON.
    pub(super) const JSON: u8 = 7;
    /// Two bytes for the length, and the text.
    pub(super) const LONG_TEXT: u8 = 8;
}

/// Whether these bytes of a chunk are a record.
#[inline]
pub(crate) fn is_record(bytes: &[u8]) -> bool {
    bytes.first() == Some(&TAG)
}

#[cfg(test)]
mod tests;
