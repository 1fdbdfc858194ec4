//! Prometheus metrics of HearthNet: typed families, a cap on series, exemplars that lead to traces, native histograms, and
//! one page in both text formats and in protobuf.
//!
//! # Recording
//!
//! Declare a family once. Its type has its kind and its number of labels. Keep the handle of a series that is recorded
//! often.
//!
//! ```
//! use std::sync::LazyLock;
//! use obs_metrics::{self as metrics, CounterFamily};
//!
//! static CALLS: LazyLock<CounterFamily<2>> =
//!     LazyLock::new(|| metrics::counter("rag_queries_total", "RAG queries answered.", ["corpus", "result"]));
//!
//! let hits = CALLS.with(["docs", "ok"]); // a handle to keep
//! hits.inc();
//! let _stream = metrics::standard::active_streams().with(["llm.chat"]).lease(); // +1 now, -1 on drop
//! ```
//!
//! Repeating a declaration returns the same family. If a declaration is invalid, its `try_` form returns an [`Error`]; the
//! short form logs the error once and returns a family that does nothing. Recording never fails, never panics and never
//! blocks.
//!
//! # The page
//!
//! ```
//! use obs_metrics::Format;
//!
//! let format = Format::negotiate(Some("application/openmetrics-text"));
//! let page = obs_metrics::render(format);
//! assert!(page.contains("# TYPE hearthnet_requests counter") && page.ends_with("# EOF\n"));
//! ```
//!
//! From the start, the page holds the [standard] families and those of the [process]. It also shows the families of
//! [collectors](Registry::collect_with) and, after [`configure`], what third-party crates record through the `metrics`
//! macros.
//!
//! A server calls [`Format::negotiate`] with the `Accept` header and sends what [`expose`] returns for the format. The README
//! of the crate has the handler for axum, hyper and actix-web. A
//! Prometheus that collects native histograms asks for protobuf; [`HistogramFamily::native`] makes a histogram native.
//!
//! Another program than a Prometheus server, such as an exporter or a history, reads values and not a page:
//! [`Registry::snapshot`] returns the counters, gauges and buckets, and [`NativeBuckets`] adds and subtracts them and has
//! their quantiles.
//!
//! A program that is no HearthNet node leaves the standard families out with [`Config::standard_families`].
//!
//! # Buckets
//!
//! [`buckets`] has lists of bounds by name, for durations, sizes and counts. [`HistogramFamily::native`] makes them unnecessary
//! where the server collects native histograms.
//!
//! # Text from peers
//!
//! Label values may be any text. They are escaped, so different values stay different. A value of more than 128 bytes is
//! shortened to its beginning and a hash. A family admits 256 series, or the number that [`Config::series_cap`] sets. In a
//! full family, the labels named by [`Family::untrusted`] (by default all) of a new series read `__overflow__`. If it names some
//! of the labels, an eighth of the series is kept for the other labels' values then, and all labels collapse when that is full
//! too. Totals stay exact, and `hearthnet_metrics_overflow_total{metric}` counts the look-ups. Values passed to [`Family::trust`] are always
//! admitted.
//!
//! # Series that end
//!
//! [`Family::remove`] removes a series from the page. [`Gauge::lease`] and [`GaugeFamily::owned`](Family::owned) do so on
//! drop. A held handle stays valid: its next write lists the series again.
//!
//! # Tests
//!
//! A test makes its own registry and enters it, so tests run side by side. [`testing::value`] reads a sample back;
//! [`testing::sum`] does so too and refuses a name that is not declared.
//!
//! ```
//! use obs_metrics::{Registry, testing};
//!
//! let registry = Registry::new();
//! let _scope = registry.enter(); // this thread records here from now on
//! obs_metrics::standard::requests_total().with(["llm.chat", "ok"]).inc();
//! assert_eq!(testing::value(&registry, "hearthnet_requests_total", &[("result", "ok")]), Some(1.0));
//! ```
//!
//! # Features
//!
//! None by default. `tokio` adds the `runtime` module, the families of a tokio runtime.

mod bridge;
pub mod buckets;
mod cell;
mod config;
mod desc;
mod error;
mod exposition;
mod family;
mod global;
mod registry;
mod report;
mod snapshot;
pub mod testing;

pub use cell::exemplar::{TraceIdSource, set_trace_id_source};
pub use cell::summary::QUANTILES;
pub use config::{Config, DEFAULT_SERIES_CAP};
pub use desc::DEFAULT_BUCKETS;
pub use error::{Error, ErrorKind};
pub use exposition::format::Format;
pub use exposition::kind::Kind;
pub use exposition::native::NativeBuckets;
pub use family::handle::Instrument;
pub use family::handle::counter::Counter;
pub use family::handle::gauge::Gauge;
pub use family::handle::histogram::Histogram;
pub use family::handle::lease::{Lease, OwnedGauge};
pub use family::handle::summary::Summary;
pub use family::label_value::{MAX_VALUE_BYTES, OVERFLOW};
pub use family::scope::Scope;
pub use family::{CounterFamily, Family, GaugeFamily, HistogramFamily, SummaryFamily};
#[cfg(feature = "tokio")]
pub use global::runtime;
pub use global::{
    collect_with, configure, counter, disabled, expose, gauge, histogram, process, render, standard, summary,
    try_counter, try_gauge, try_histogram, try_summary,
};
pub use registry::Registry;
pub use registry::collector::Samples;
pub use snapshot::{
    ExemplarSnapshot, FamilySnapshot, HistogramValue, SampleValue, SeriesSnapshot, SummaryValue,
};
