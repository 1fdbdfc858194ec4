//! The formats of the page: the choice between them, and what is written in each.

mod accept;
pub(crate) mod format;
pub(crate) mod protobuf;
pub(crate) mod text;
