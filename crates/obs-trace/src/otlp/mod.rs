//! Export of completed traces to an OpenTelemetry collector, by OTLP/HTTP with protobuf (T8).
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
//! A trace becomes a span of the kind `server` and its spans its children: `client` where
//! [`outgoing`](crate::outgoing) told another node of them, else `internal`. Trace and span IDs are
//! those that `traceparent` carries, so that the parts that several nodes export are one trace.
//!
//! # Conventions
//! Names follow OpenTelemetry's semantic conventions. The status of a span is unset unless it failed; that of the
//! trace itself is also unset when the caller made a mistake or went away. A span that failed has
//! `error.type`. A field whose name has no dot is exported in the namespace `hearthnet`: `corpus` as
//! `hearthnet.corpus`; `to`, the node that was called, is `hearthnet.peer`, and `error` is `error.type`.
//! Bodies are compressed with gzip.
//!
//! # It never harms the node
//! A trace that ends is put into a queue that is bounded in number and bytes, for which nobody waits; one
//! thread, apart from every runtime, sends what is in there in batches. Each request is bounded in time and
//! its answer in bytes. A request is made again only after 429, 502, 503, 504 or a broken connection, less
//! and less often, and no sooner than `Retry-After` says. What finds no room, and what is given up, is
//! counted in [`Stats`]. That requests begin to fail, and that they work again with what was lost meanwhile, is a log
//! line each, with the target `hearthnet.trace.otlp`; ten such lines a minute at most, of which the next one
//! counts what it left out. Exporting makes no traces.

mod backoff;
mod collector;
mod config;
mod encode;
mod exporter;
mod health;
mod message;
pub(crate) mod queue;
mod stats;
mod worker;

pub use config::{Compression, Config};
pub use exporter::Exporter;
pub use stats::Stats;

use crate::{Error, Store};

/// Exports the traces of the store in force: that of the process, or the one that this thread has entered.
///
/// # Errors
/// As [`Exporter::start`].
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
