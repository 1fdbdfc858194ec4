//! Traces.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::LogLine;

/// Query of traces.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TraceQuery {
    /// Capability.
    pub capability: Option<String>,
    /// Status: `ok`, an error code, or `failed` for all errors.
    pub status: Option<String>,
    /// Shortest duration.
    pub min_ms: Option<f64>,
    /// ID, its beginning, its end, or both with `…` between.
    pub id: Option<String>,
    /// First second, since 1970.
    pub since: Option<u64>,
    /// Second after the last one, since 1970.
    pub until: Option<u64>,
    /// Whether the slowest come first instead of the newest.
    pub slowest: bool,
    /// Whether running traces are listed instead of kept ones.
    pub active: bool,
    /// Maximum number of traces.
    pub n: usize,
}

/// Traces that match a query.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Traces {
    /// The traces in the order of the query.
    pub traces: Vec<TraceSummary>,
    /// Number of kept traces, matching or not.
    #[cfg_attr(test, ts(type = "number"))]
    pub kept: u64,
    /// Begin of the oldest kept trace.
    pub oldest: Option<String>,
}

/// A trace in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct TraceSummary {
    /// ID.
    pub trace_id: String,
    /// Capability or route.
    pub capability: String,
    /// Begin.
    pub started_at: String,
    /// Duration so far.
    pub duration_ms: f64,
    /// `ok`, an error code, or `active`.
    pub status: String,
    /// Number of spans.
    pub spans: u32,
    /// Cause of a failure.
    pub cause: Option<String>,
    /// Whether the trace ended before the present run of the node.
    pub before_restart: bool,
}

/// A trace with the parts of all nodes that are known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct TraceDetail {
    /// ID.
    pub trace_id: String,
    /// Parts; that of this node is the first.
    pub parts: Vec<TracePart>,
    /// Number of log lines of this trace on this node around its time. There is none if the log cannot be read.
    #[cfg_attr(test, ts(type = "number | null"))]
    pub lines: Option<u64>,
    /// Whether there may be more lines, because the search of the log was cut off.
    pub lines_cut_off: bool,
    /// The first of these lines, at most 200 and 256 KiB.
    #[cfg_attr(test, ts(type = "Array<Record<string, unknown>>"))]
    pub log: Vec<LogLine>,
}

/// Part of a trace on one node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct TracePart {
    /// Name or ID of the node.
    pub node: String,
    /// The trace of that node.
    pub trace: Option<Trace>,
    /// Reason for which there is no trace, such as `connection refused`.
    pub missing: Option<String>,
    /// Begin of this part in milliseconds after the begin of the first part. The clock of a peer is aligned by the client
    /// span that encloses it.
    pub offset_ms: f64,
    /// Correction of the peer's clock that the alignment needed.
    pub clock_correction_ms: f64,
}

/// A trace of one node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Trace {
    /// Capability or route.
    pub capability: String,
    /// Begin.
    pub started_at: String,
    /// Duration.
    pub duration_ms: f64,
    /// `ok`, an error code, or `active`.
    pub status: String,
    /// Span ID of the root.
    pub span_id: Option<String>,
    /// Span ID of the caller's span.
    pub parent_span_id: Option<String>,
    /// Fields of the root, as the log's line `done` has them: the address of the caller and others. None for a trace that
    /// runs, for that of a peer, and where the log has no such line.
    #[cfg_attr(test, ts(type = "Record<string, unknown>"))]
    pub fields: Map<String, Value>,
    /// Spans by begin.
    pub spans: Vec<Span>,
    /// Number of spans that were left out.
    #[cfg_attr(test, ts(type = "number"))]
    pub dropped_spans: u64,
}

/// A span.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Span {
    /// Name.
    pub name: String,
    /// Span ID.
    pub span_id: String,
    /// Span ID of the enclosing span, or of the root.
    pub parent_span_id: Option<String>,
    /// Begin in milliseconds after that of the trace.
    pub offset_ms: f64,
    /// Duration.
    pub duration_ms: f64,
    /// Status, such as `ok`, `cancelled` or an error code.
    pub status: String,
    /// Fields.
    #[cfg_attr(test, ts(type = "Record<string, unknown>"))]
    pub fields: Map<String, Value>,
}
