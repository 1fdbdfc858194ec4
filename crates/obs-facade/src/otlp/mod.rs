//! The export of traces that the configuration asks for.

mod environment;
mod export;
mod list;

pub(crate) use environment::Environment;
pub(crate) use export::{Guard, configure, stats};
pub(crate) use list::headers;
