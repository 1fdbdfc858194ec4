//! Bytes and text of a line: its buffer, escapes, and shortened forms.

pub(crate) mod copy;
pub(crate) mod display;
pub(crate) mod escape;
pub(crate) mod line_buf;
pub(crate) mod truncate;
