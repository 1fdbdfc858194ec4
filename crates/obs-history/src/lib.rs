//! History of a node on disk, which outlives its process.
//!
//! [`History`] keeps the metrics of a process: once a minute, the growth of its counters, the observations of its histograms
//! and the extremes of its gauges go to a SQLite file, which holds the last two weeks. Durations are kept as native buckets,
//! so that any span of time has true quantiles. `docs/history.md` has the tables and queries for them.
//!
//! ```
//! use std::time::{Duration, SystemTime};
//! use obs_history::{Config, History, Reader, Value};
//!
//! # let place = tempfile::tempdir()?;
//! # let folder = place.path().join("history");
//! let history = History::open(Config::new(&folder).days(14))?; // a thread of its own writes once a minute
//! obs_metrics::standard::observe_request_duration("llm.chat", Duration::from_millis(120));
//! drop(history); // writes the minute that has begun
//!
//! let now = SystemTime::now();
//! for row in Reader::open(&folder)?.range(now - Duration::from_secs(7200), now)?.rows {
//!     if let Value::Histogram { buckets, .. } = row.value {
//!         assert!((buckets.quantile(0.5).unwrap() - 0.12).abs() < 0.02);
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! No caller waits for the disk: a record costs what it costs without a history, and a file that cannot be opened or written is
//! logged once and tried again.

mod error;
mod minutes;
pub mod problems;
#[cfg(test)]
mod tests;
mod traces;

pub use error::{Error, ErrorKind};
pub use minutes::{
    Cause, Config, History, Line, Point, Range, Reader, Row, Run, Series, Stats, Steps, Value,
};
pub use traces::{TraceHistory, TraceHistoryStats};

/// Compiles and runs the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
