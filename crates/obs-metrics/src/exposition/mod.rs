//! The formats of the page: the choice between them, and what is written in each.

pub(crate) mod accept;
#[expect(clippy::module_inception, reason = "joined with `format` next")]
pub(crate) mod exposition;
pub(crate) mod format;
pub(crate) mod protobuf;
pub(crate) mod text;
