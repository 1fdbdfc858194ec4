//! Export of traces to the OpenTelemetry collector that the configuration names.

mod environment;
mod export;
mod list;

pub(crate) use environment::Environment;
pub use export::stats;
pub(crate) use export::{Guard, configure};
pub(crate) use list::headers;
