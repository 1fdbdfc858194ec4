//! Prometheus metrics of HearthNet: typed families, series that hostile peers cannot multiply, exemplars that lead to
//! traces, one page in both text formats and in protobuf, which carries native histograms.
//!
//! # Count something
//!
//! A family is declared once, typed by its kind and its number of labels; its handles are there to hold.
//!
//! ```
//! use std::sync::LazyLock;
//! use obs_metrics::{self as metrics, CounterFamily};
//!
//! static CALLS: LazyLock<CounterFamily<2>> =
//!     LazyLock::new(|| metrics::counter("rag_queries_total", "RAG queries answered.", ["corpus", "result"]));
//!
//! let hits = CALLS.with(["docs", "ok"]); // keep it
//! hits.inc();
//! let _stream = metrics::standard::active_streams().with(["llm.chat"]).lease(); // +1 now, -1 on drop
//! ```
//!
//! Declaring the same family again returns it. A declaration that cannot be is a typed [`Error`] from the `try_` form; the
//! short form logs it once and returns a family that does nothing. Recording never fails, never panics, never blocks.
//!
//! # Show it
//!
//! ```
//! use obs_metrics::Format;
//!
//! let format = Format::negotiate(Some("application/openmetrics-text"));
//! let page = obs_metrics::render(format);
//! assert!(page.contains("# TYPE hearthnet_requests counter") && page.ends_with("# EOF\n"));
//! ```
//!
//! The page holds the [standard families](standard) of spec §4.2 from the start, those of the [process], whatever
//! [collectors](Registry::collect_with) read, and what third-party crates record through the `metrics` macros once
//! [`configure`] was called.
//!
//! [`Format::negotiate`] chooses the format that an `Accept` header prefers, and [`expose`] returns the page in it. A
//! Prometheus that collects native histograms asks for protobuf; [`HistogramFamily::native`] makes a histogram native.
//!
//! # Text from peers
//!
//! Label values may be any text: they are escaped so that no two read alike, and those of more than 128 bytes are cut to
//! their beginning and a hash. A family admits 256 series, or as many as [`Config::series_cap`] says. Beyond that the
//! labels named by [`Family::untrusted`] (all of them by default) read `__overflow__`: totals stay exact, and
//! `hearthnet_metrics_overflow_total{metric}` counts. Values given to [`Family::trust`] are admitted always.
//!
//! # Series that end
//!
//! [`Family::remove`] takes a series off the page, [`Gauge::lease`] and [`GaugeFamily::owned`](Family::owned) do so by
//! themselves. A handle that is held never dies: its next write brings the series back.
//!
//! # Tests
//!
//! ```
//! let registry = obs_metrics::Registry::new();
//! let _scope = registry.enter(); // this thread counts here from now on
//! obs_metrics::standard::requests_total().with(["llm.chat", "ok"]).inc();
//! assert_eq!(registry.value("hearthnet_requests_total", &[("result", "ok")]), Some(1.0));
//! ```
//!
//! # Features
//!
//! None by default. `tokio` adds the `runtime` module, the families of a tokio runtime.

mod bridge;
mod builtin;
mod cell;
mod config;
mod error;
mod exposition;
mod family;
mod registry;
mod report;

#[cfg(feature = "tokio")]
pub use builtin::runtime;
pub use builtin::{process, standard};
pub use cell::counter::Counter;
pub use cell::exemplar::{TraceIdSource, set_trace_id_source};
pub use cell::gauge::{Gauge, Lease, OwnedGauge};
pub use cell::histogram::Histogram;
pub use cell::summary::{QUANTILES, Summary};
pub use config::{Config, DEFAULT_SERIES_CAP};
pub use error::{Error, ErrorKind};
pub use exposition::format::Format;
pub use family::desc::{DEFAULT_BUCKETS, Kind};
pub use family::label_value::{MAX_VALUE_BYTES, OVERFLOW};
pub use family::{CounterFamily, Family, GaugeFamily, HistogramFamily, Instrument, SummaryFamily};
pub use registry::Registry;
pub use registry::collector::Samples;
pub use registry::global::{
    collect_with, configure, counter, disabled, expose, gauge, histogram, render, summary, try_counter,
    try_gauge, try_histogram, try_summary,
};
pub use registry::scope::Scope;
