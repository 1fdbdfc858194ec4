//! Formats of the page.
//!
//! This room writes names, labels and numbers. It knows no family and no cell: the caller passes what is written.

mod accept;
pub(crate) mod exemplar;
pub(crate) mod format;
pub(crate) mod kind;
pub(crate) mod native;
pub(crate) mod protobuf;
pub(crate) mod text;
