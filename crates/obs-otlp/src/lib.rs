//! Export to an OpenTelemetry collector by OTLP/HTTP with protobuf: transport, queue and messages of traces, metrics and logs.
//!
//! The crate knows no trace, family or line. A program gives it [`Item`]s and a function that encodes a batch of them, or a
//! [`Feed`] that is asked for items when it is time to send.
//!
//! ```
//! use std::time::Duration;
//! use obs_otlp::{Config, Exporter, Item, Signal};
//!
//! struct Line(Vec<u8>);
//!
//! impl Item for Line {
//!     fn bytes(&self) -> usize {
//!         self.0.len()
//!     }
//! }
//!
//! let config = Config::new(Signal::Logs, "http://127.0.0.1:4318").resource("service.name", "my-program");
//! let exporter = Exporter::start(&config, |lines: &[Line]| lines.iter().flat_map(|line| line.0.clone()).collect())?;
//! exporter.offer(Line(Vec::new()));
//! exporter.shutdown(Duration::from_millis(10));
//! assert_eq!(exporter.stats().offered, 1);
//! # Ok::<(), obs_otlp::Error>(())
//! ```
//!
//! # Effect on the program
//! The queue is bounded in number and in bytes, and no thread waits for it. One thread for each signal, outside every runtime,
//! sends batches: a collector that refuses one signal does not hold up another one. Each request is bounded in time and its
//! response in bytes. A request is repeated only after 429, 502, 503, 504 or a broken connection, with growing delays and not
//! before `Retry-After`. Items that find no room or are given up are counted in [`Stats`].
//!
//! The log gets a line when requests begin to fail, and one when they succeed again. There are at most ten such lines a minute.
//!
//! # Proxies
//! Requests go to the collector directly, unless `ALL_PROXY`, `HTTPS_PROXY` or `HTTP_PROXY` names a proxy. Addresses in
//! `NO_PROXY` are asked directly then too.

mod collector;
mod config;
mod endpoint;
mod error;
mod export;
mod frame;
mod headers;
pub mod message;
mod signal;

pub use config::{Compression, Config};
pub use error::{Error, ErrorKind};
pub use export::{Exporter, Feed, Item, Offer, Settled, Stats};
pub use frame::Envelope;
pub use signal::Signal;
