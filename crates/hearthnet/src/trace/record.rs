//! The part of the answers of `/trace/recent` and `/trace/active` that is shown.

use obs_facade::trace::TraceId;
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Debug, Deserialize)]
pub(crate) struct Traces {
    pub(crate) traces: Vec<Trace>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Trace {
    pub(crate) trace_id: String,
    pub(crate) capability: String,
    pub(crate) started_at: String,
    #[serde(alias = "elapsed_ms")]
    pub(crate) duration_ms: f64,
    pub(crate) status: String,
    pub(crate) spans: Vec<Span>,
    #[serde(default)]
    pub(crate) dropped_spans: u64,
    /// Whether an earlier run of the node made it.
    #[serde(default)]
    pub(crate) restored: bool,
    /// ID of the trace's root span, which a node of an earlier version does not tell.
    #[serde(default)]
    pub(crate) span_id: Option<String>,
    /// Span of the caller.
    #[serde(default)]
    pub(crate) parent_span_id: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Span {
    pub(crate) name: String,
    /// Index of the enclosing span.
    pub(crate) parent: Option<usize>,
    /// Time since the start of the trace.
    pub(crate) start_ms: f64,
    pub(crate) duration_ms: f64,
    pub(crate) fields: Map<String, Value>,
    #[serde(default)]
    pub(crate) span_id: Option<String>,
}

/// Status that is shown of a trace that runs.
pub(crate) const RUNNING: &str = "running";

/// Maximum number of spans of a trace that are shown. A node keeps no more of its own traces.
const MAX_SPANS: usize = 128;
/// Maximum number of fields of a span that are shown.
const MAX_FIELDS: usize = 32;

impl Trace {
    pub(crate) fn id(&self) -> Option<TraceId> {
        self.trace_id.parse().ok()
    }

    /// Returns the beginning of the trace in milliseconds since the Unix epoch.
    pub(crate) fn started_ms(&self) -> Option<f64> {
        let started = chrono::DateTime::parse_from_rfc3339(&self.started_at).ok()?;
        Some(started.timestamp_micros() as f64 / 1e3)
    }

    pub(crate) fn has_failed(&self) -> bool {
        !matches!(self.status.as_str(), "ok" | "cancelled" | RUNNING)
    }

    /// Marks a trace that has not ended. Until then a trace without a failure has the status `ok`, which reads as if it
    /// had ended.
    pub(crate) fn runs(mut self) -> Trace {
        if self.status == "ok" {
            self.status = RUNNING.to_owned();
        }
        self
    }

    /// Returns the trace with bounded spans and fields. The trace of another node has no bounds that this one knows.
    pub(crate) fn bounded(mut self) -> Trace {
        let extra = self.spans.len().saturating_sub(MAX_SPANS);
        self.spans.truncate(MAX_SPANS);
        self.dropped_spans = self.dropped_spans.saturating_add(extra as u64);
        for span in &mut self.spans {
            let names: Vec<String> = span.fields.keys().skip(MAX_FIELDS).cloned().collect();
            names.iter().for_each(|name| drop(span.fields.remove(name)));
        }
        self
    }
}
