//! Export of traces, metrics and lines to the OpenTelemetry collector that the configuration names.

mod environment;
mod export;
mod list;
pub(crate) mod logs;
pub(crate) mod metrics;
mod scope;

pub(crate) use environment::{Environment, OfSignal};
pub use export::{ExportStatus, log_stats, metric_stats, statuses, trace_stats};
pub(crate) use export::{Settings, configure};
pub(crate) use list::headers;
