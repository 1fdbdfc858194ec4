//! Metric families.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Window;

/// All metric families of the node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Families {
    /// Families by name.
    pub families: Vec<Family>,
}

/// A metric family.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Family {
    /// Name.
    pub name: String,
    /// `counter`, `gauge`, `histogram` or `summary`.
    pub kind: String,
    /// Help text.
    pub help: String,
    /// Series. Their number is bounded.
    pub samples: Vec<Sample>,
    /// Number of series that were left out.
    #[cfg_attr(test, ts(type = "number"))]
    pub left_out: u64,
    /// Whether the history keeps the family.
    pub in_history: bool,
}

/// A series with its present value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Sample {
    /// Labels.
    #[cfg_attr(test, ts(type = "Record<string, string>"))]
    pub labels: BTreeMap<String, String>,
    /// Value of a counter or gauge; sum of a histogram.
    pub value: f64,
    /// Number and quantiles of a histogram or summary.
    pub quantiles: Option<Quantiles>,
    /// A trace of one of the newest observations.
    pub exemplar: Option<Exemplar>,
}

/// Number and quantiles of a histogram's observations.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Quantiles {
    /// Number of observations.
    #[cfg_attr(test, ts(type = "number"))]
    pub count: u64,
    /// Median.
    pub p50: Option<f64>,
    /// 95th percentile.
    pub p95: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
}

/// Trace of an observation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Exemplar {
    /// Trace ID.
    pub trace_id: String,
    /// Observed value.
    pub value: f64,
}

/// Query of the points of a family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesQuery {
    /// Name of the family.
    pub family: String,
    /// Labels that a series must have.
    pub labels: Vec<(String, String)>,
    /// Window of time.
    pub window: Window,
}

/// Points of a family over time, summed over the matching series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Series {
    /// Window of the points.
    pub window: Window,
    /// Length of a step in seconds.
    pub step_seconds: u32,
    /// Points, oldest first.
    pub points: Vec<SeriesPoint>,
}

/// Point of a family.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct SeriesPoint {
    /// Begin of the step in seconds since 1970.
    #[cfg_attr(test, ts(type = "number"))]
    pub t: u64,
    /// Growth of a counter, last value of a gauge, number of a histogram's observations.
    pub value: f64,
    /// Quantiles of a histogram.
    pub quantiles: Option<Quantiles>,
}
