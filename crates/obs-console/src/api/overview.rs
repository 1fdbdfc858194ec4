//! State of the node and its calls.

use serde::{Deserialize, Serialize};

use super::Window;

/// State of the node and its calls in a window of time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Overview {
    /// The node.
    pub node: Node,
    /// Instant of this answer.
    pub now: String,
    /// Whether all is well: the worst severity of the remarks.
    pub severity: Severity,
    /// Remarks on what is not well, the worst first. Empty when all is well. Those of a window of the past are about the window.
    pub remarks: Vec<Remark>,
    /// Window of the calls. It can be shorter than the one that was asked for.
    pub window: Window,
    /// Length of a point in seconds.
    pub step_seconds: u32,
    /// Calls by capability, those with most calls first.
    pub capabilities: Vec<Capability>,
    /// Gauges: streams, peers, memory, processor, disk, emergency mode, lost lines and traces.
    pub gauges: Vec<Gauge>,
    /// Runs of the node in the window. The boundary of two runs is a restart.
    pub runs: Vec<Run>,
    /// Number of problems that are open now, whatever the window.
    pub problems_open: u32,
    /// Reason for which there is no history, or for which it stopped.
    pub history_missing: Option<String>,
}

/// The node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Node {
    /// ID of the node.
    pub id: String,
    /// Name of the machine or the node.
    pub name: String,
    /// Version of the program.
    pub version: String,
    /// Start of the process.
    pub started_at: String,
    /// Age of the process in seconds.
    #[cfg_attr(test, ts(type = "number"))]
    pub uptime_seconds: u64,
}

/// Severity of a remark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename_all = "snake_case"))]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// All is well.
    Well,
    /// A person should look at it.
    Attention,
    /// Something does not work.
    Broken,
}

/// One thing that is not well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Remark {
    /// Severity.
    pub severity: Severity,
    /// One sentence.
    pub text: String,
    /// Address within the page that shows more, such as `traces?status=failed&capability=llm.chat`.
    pub link: Option<String>,
}

/// Calls of one capability in the window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Capability {
    /// Name.
    pub capability: String,
    /// Number of calls.
    #[cfg_attr(test, ts(type = "number"))]
    pub calls: u64,
    /// Number of failed calls.
    #[cfg_attr(test, ts(type = "number"))]
    pub errors: u64,
    /// Failed calls by code, the most frequent first.
    pub codes: Vec<CodeCount>,
    /// Calls that run now. 0 in a window of the past.
    #[cfg_attr(test, ts(type = "number"))]
    pub in_flight: u64,
    /// Calls a second.
    pub rate: f64,
    /// Median of the duration.
    pub p50_ms: Option<f64>,
    /// 95th percentile of the duration.
    pub p95_ms: Option<f64>,
    /// 99th percentile of the duration.
    pub p99_ms: Option<f64>,
    /// Points of the chart, oldest first. A step without calls has no point.
    pub points: Vec<Point>,
}

/// Number of calls that failed with a code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct CodeCount {
    /// Error code.
    pub code: String,
    /// Number of calls.
    #[cfg_attr(test, ts(type = "number"))]
    pub calls: u64,
}

/// Calls in one step of a chart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Point {
    /// Begin of the step in seconds since 1970.
    #[cfg_attr(test, ts(type = "number"))]
    pub t: u64,
    /// Number of calls.
    #[cfg_attr(test, ts(type = "number"))]
    pub calls: u64,
    /// Number of failed calls.
    #[cfg_attr(test, ts(type = "number"))]
    pub errors: u64,
    /// Median of the duration.
    pub p50_ms: Option<f64>,
    /// 95th percentile of the duration.
    pub p95_ms: Option<f64>,
    /// 99th percentile of the duration.
    pub p99_ms: Option<f64>,
}

/// A gauge with its course over the window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Gauge {
    /// Name for people, such as `Memory`.
    pub title: String,
    /// Name of the metric family.
    pub family: String,
    /// Unit: `bytes`, `percent`, `seconds`, `count` or `flag`.
    pub unit: String,
    /// Value at the end of the window: the last point, or the value of now in a window that reaches the present.
    pub value: Option<f64>,
    /// Pairs of time and value, oldest first.
    #[cfg_attr(test, ts(type = "Array<[number, number]>"))]
    pub points: Vec<(u64, f64)>,
}

/// A run of the node's process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Run {
    /// First second, since 1970.
    #[cfg_attr(test, ts(type = "number"))]
    pub since: u64,
    /// Last second that is known, since 1970.
    #[cfg_attr(test, ts(type = "number"))]
    pub until: u64,
    /// Version of the program.
    pub version: String,
    /// End of the run, such as `stopped` or `killed`. `None` for the present run.
    pub ended: Option<String>,
}
