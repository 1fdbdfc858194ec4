//! The part of the answer of `/trace/recent` that is shown.

use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Debug, Deserialize)]
pub(super) struct RecentTraces {
    pub(super) traces: Vec<Trace>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Trace {
    pub(super) trace_id: String,
    pub(super) capability: String,
    pub(super) started_at: String,
    pub(super) duration_ms: f64,
    pub(super) status: String,
    pub(super) spans: Vec<Span>,
    pub(super) dropped_spans: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Span {
    pub(super) name: String,
    /// Index of the enclosing span.
    pub(super) parent: Option<usize>,
    /// Time since the start of the trace.
    pub(super) start_ms: f64,
    pub(super) duration_ms: f64,
    pub(super) fields: Map<String, Value>,
}
