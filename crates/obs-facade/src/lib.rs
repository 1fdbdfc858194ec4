//! Logging, metrics, tracing and a doctor for the modules of a HearthNet node, behind one dependency.
//!
//! # In a module
//!
//! ```
//! use obs_facade::{Logger, exception, info, metrics, trace, warn_limited};
//!
//! static LOG: Logger = Logger::new(module_path!()); // reads as "hearthnet.bus.router"
//! # struct Request { capability: &'static str }
//! # struct Entry { node: &'static str, quarantined: bool }
//! # type BusError = std::io::Error;
//! # fn pick(_: &Request) -> Result<Entry, BusError> { Ok(Entry { node: "7H4G-Y9KL", quarantined: true }) }
//! # async fn forward(_: &Request, _: &Entry) -> Result<u32, BusError> { Err(BusError::other("peer is gone")) }
//!
//! pub async fn route(req: Request) -> Result<u32, BusError> {
//!     let entry = pick(&req)?;
//!     info!(logger: LOG, capability = req.capability, to:% = entry.node, ms = 12; "routed");
//!     if entry.quarantined {
//!         warn_limited!(logger: LOG, "peer_quarantined", node:% = entry.node; "peer is quarantined"); // once a second
//!     }
//!     let answer = trace::span("forward").field("to", entry.node).wrap(forward(&req, &entry)).await;
//!     if let Err(err) = &answer {
//!         exception!(logger: LOG, err, capability = req.capability; "forwarding failed");
//!     }
//!     answer
//! }
//! # let obs = obs_facade::testing::Capture::new();
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! #     let _ = obs.scope(route(Request { capability: "llm.chat" })).await;
//! # });
//! # obs.logs().single("routed").field("capability", "llm.chat").field("to", "7H4G-Y9KL").field("ms", 12);
//! # obs.logs().single("forwarding failed").field("level", "error");
//! ```
//!
//! # At the start of a node
//!
#![cfg_attr(feature = "http", doc = "```no_run")]
#![cfg_attr(not(feature = "http"), doc = "```ignore")]
//! # use std::sync::Arc;
//! # use obs_facade::{ObservabilityConfig, doctor::CapabilityBus};
//! # struct Config { observability: ObservabilityConfig }
//! # fn start(config: Config, node: Arc<dyn CapabilityBus>, my_router: fn() -> axum::Router) -> Result<(), obs_facade::Error> {
//! let guard = obs_facade::configure(&config.observability)?; // flushes when it is dropped
//! let checkup = obs_facade::http::Checkup::new(obs_facade::doctor::Config::default(), node.clone()); // `GET /doctor`
//! let mine = my_router().layer(obs_facade::http::layer()); // observes these routes, and not `/metrics`
//! let app = obs_facade::http::router(node).merge(checkup.router()).merge(mine);
//! # Ok(())
//! # }
//! ```
//!
//! # Names that callers send
//!
//! The capability of a call is text from the network. A program that calls [`offer`] gives the capabilities it names a value
//! of the `capability` label and a place among the kept traces, and no other name gets one.
//!
//! In a program that never calls [`offer`], the first names that are seen get the places: up to 256 series a family, or the
//! cap that the configuration sets. Later names are counted together under `__overflow__`. Totals stay exact and memory
//! bounded, but made-up names of calls that end as `not_found` take places as well, and a real capability that is first
//! called afterwards reads `__overflow__`. So call [`offer`] wherever strangers can call.
//!
//! # Modules and items
//!
//! | | |
//! |---|---|
//! | [`guide`] | where to start by task: lines, spans, samples, requests, third parties |
//! | [`configure`], [`Guard`], [`ObservabilityConfig`] | set-up of all four, live and idempotent |
//! | [`Logger`], [`info!`], [`exception!`], [`warn_limited!`], [`log`] | structured JSON log, crate `obs-log` |
//! | [`metrics`] | typed families and the Prometheus page, crate `obs-metrics` |
//! | [`trace`](mod@trace) | traces and spans, crate `obs-trace` |
//! | [`doctor`] | diagnostics, crate `obs-doctor` |
//! | `console` | the console: data of a running node for its page; feature `console` |
//! | `history` | reading of the history, crate `obs-history`; feature `history` |
//! | `problems` | errors of the process, grouped by their cause; feature `history` |
//! | [`counted_elsewhere`] | lines about a failure that its trace counts already, so that it is one problem |
//! | [`offer`] | declares the capabilities that keep a label value of their own in a flood of made-up names |
//! | [`testing`] | capture of one test's lines, samples and traces |
//! | `tracing` | bridge for the `tracing` crate, crate `obs-tracing`; feature `tracing` |
//! | `http` | axum router, layer for bus calls and any route, layer for requests to other servers; feature `http` |
//!
//! # Features
//!
//! - `compress` (off): compression of the log files of finished days, `log_compress`.
//! - `console` (off): the module `console`, with `history`, `http` and the reader of the log files.
//! - `history` (off): the metrics of each minute and the last traces on disk, `history`.
//! - `http` (off): the module `http` and the families of the tokio runtime.
//! - `reqwest` (off): `http::client::send` for requests of `reqwest`, with `http`.
//! - `otlp` (off): export of traces, metrics and lines to the OpenTelemetry collector that `otlp_endpoint` names.
//! - `tracing` (off): the module `tracing`. Events of the `tracing` crate are lines of the log, and its spans are spans of the
//!   current trace.
//! - `tracing-layer` (off): `tracing::layer`, for a program that has a stack of `tracing-subscriber`. See [`configure`].
//! - `tls` (off): `https` addresses in the doctor's checks, for the collector and for the hook of problems.

mod config;
mod configure;
#[cfg(feature = "console")]
pub mod console;
mod console_access;
mod counted;
mod error;
pub mod guide;
#[cfg(feature = "http")]
pub mod http;
#[cfg(any(feature = "history", feature = "otlp"))]
mod last_guard;
mod log_console;
mod offer;
#[cfg(feature = "otlp")]
mod otlp;
mod seams;
pub mod testing;

pub use config::{ObservabilityConfig, OtlpCompression, OtlpTemporality};
pub use configure::{Guard, check_places, configure};
pub use console_access::ConsoleAccess;
pub use counted::counted_elsewhere;
pub use error::{Error, ErrorKind};
pub use log_console::LogConsole;
#[cfg(feature = "otlp")]
pub use obs_otlp::Stats as OtlpStats;
pub use offer::offer;
#[cfg(feature = "otlp")]
pub use otlp::{
    ExportStatus, log_stats as log_export_stats, metric_stats as metric_export_stats, statuses as exports,
    trace_stats as export_stats,
};
#[cfg(feature = "history")]
pub use seams::history::stats as history_stats;
#[cfg(feature = "history")]
pub use seams::problems::problems;
#[cfg(feature = "history")]
pub use seams::trace_history::stats as trace_history_stats;

pub use obs_doctor as doctor;
#[cfg(feature = "history")]
pub use obs_history as history;
pub use obs_log as log;
pub use obs_metrics as metrics;
pub use obs_trace as trace;
#[cfg(feature = "tracing")]
pub use obs_tracing as tracing;

pub use obs_log::{
    ErrorValue, Exception, FieldValue, Logger, RateLimited, Secret, debug, error, error_limited, exception,
    get_logger, info, info_limited, log_enabled, trace, warn, warn_limited,
};

/// Compiles and runs the snippets of the READMEs.
#[cfg(doctest)]
mod readme {
    #[doc = include_str!("../README.md")]
    struct OfThisCrate;
    #[doc = include_str!("../../../README.md")]
    struct OfTheWorkspace;
    // The README of obs-metrics is tested here because its snippets use axum and hyper.
    #[doc = include_str!("../../obs-metrics/README.md")]
    struct OfMetrics;
}
