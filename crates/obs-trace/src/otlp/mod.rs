//! Export of completed traces to an OpenTelemetry collector, by OTLP/HTTP with protobuf.
//!
//! ```
//! use std::time::Duration;
//! use obs_trace::otlp::{Config, Exporter};
//!
//! let store = obs_trace::Store::default();
//! let config = Config::new("http://127.0.0.1:4318").resource("service.name", "hearthnet");
//! let exporter = Exporter::start(&store, &config)?;
//! // … traces that end in this store are exported …
//! exporter.shutdown(Duration::from_secs(1));
//! # Ok::<(), obs_trace::Error>(())
//! ```
//!
//! A trace becomes a span of the kind `server`. Its spans become children: `client` where
//! [`outgoing`](crate::outgoing) told another node their ID, else `internal`. Trace and span IDs are those that
//! `traceparent` carries, so the parts that several nodes export form one trace.
//!
//! # Conventions
//! Names follow OpenTelemetry's semantic conventions. The status of a span is unset unless the span failed. The status of
//! the root span is also unset when the caller made a mistake or went away. A failed span has `error.type`. A field without
//! a dot in its name is exported in the namespace `hearthnet`: `corpus` becomes `hearthnet.corpus`. The field `to`, the
//! called node, becomes `hearthnet.peer`, and `error` becomes `error.type`. Bodies are compressed with gzip.
//!
//! # Effect on the node
//! A trace that ends goes into a queue that is bounded in number and in bytes. No thread waits for the queue. One thread,
//! outside every runtime, sends batches. Each request is bounded in time and its response in bytes. A request is repeated
//! only after 429, 502, 503, 504 or a broken connection, with growing delays and not before `Retry-After`. Traces that find
//! no room or are given up are counted in [`Stats`].
//!
//! The log gets a line when requests begin to fail, and one when they succeed again, with the losses in between. The target
//! is `hearthnet.trace.otlp`. There are at most ten such lines a minute. The next line tells how many were left out.
//! Exporting makes no traces.

mod config;
mod encode;
mod exporter;
pub(crate) mod queue;
mod stats;

pub use config::Config;
pub use exporter::Exporter;
pub use obs_otlp::Compression;
pub use stats::Stats;

use crate::{Error, Store};

/// Starts the export of the store in force: that of the process, or the one that this thread has entered.
///
/// # Errors
/// The same as those of [`Exporter::start`].
///
/// ```
/// use obs_trace::otlp;
///
/// let exporter = otlp::start(&otlp::Config::new("http://127.0.0.1:4318"))?;
/// # Ok::<(), obs_trace::Error>(())
/// ```
pub fn start(config: &Config) -> Result<Exporter, Error> {
    Exporter::start(&Store::current(), config)
}
