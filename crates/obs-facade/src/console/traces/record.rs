//! A record of a trace in the forms of the API.

use obs_console::api::{Span, Trace, TraceSummary};
use obs_trace::{ActiveTrace, SpanRecord, Status, TraceRecord, Value};
use serde_json::Map;

use crate::console::clock;

/// Status of a trace that runs and has not failed so far.
const ACTIVE: &str = "active";

/// Returns the trace as a list shows it.
pub(super) fn summary(record: &TraceRecord) -> TraceSummary {
    let has_failed = matches!(record.status(), Status::Failed(_) | Status::Panic);
    TraceSummary {
        trace_id: record.trace_id().to_string(),
        // A caller may name anything.
        capability: obs_doctor::redact(record.capability()),
        started_at: clock::text(record.started_at()),
        duration_ms: clock::ms(record.duration()),
        status: record.status().as_str().to_owned(),
        spans: u32::try_from(record.span_count()).unwrap_or(u32::MAX),
        cause: if has_failed { cause(&record.spans()) } else { None },
        before_restart: record.is_restored(),
    }
}

/// Returns the cause of a failure: that of the innermost span that has one, which is the last of them to begin.
fn cause(spans: &[SpanRecord]) -> Option<String> {
    spans
        .iter()
        .rev()
        .find_map(|span| span.field("cause"))
        .map(|cause| obs_doctor::redact(&cause.to_string()))
}

/// Returns the trace with its spans.
pub(super) fn whole(record: &TraceRecord) -> Trace {
    let spans = record.spans();
    let root = record.span_id().to_string();
    let shown = spans.iter().map(|span| Span {
        name: span.name().to_owned(),
        span_id: span.span_id().to_string(),
        parent_span_id: Some(match span.parent().and_then(|parent| spans.get(parent)) {
            Some(parent) => parent.span_id().to_string(),
            None => root.clone(),
        }),
        offset_ms: clock::ms(span.start()),
        duration_ms: clock::ms(span.duration()),
        status: span.field("error").map_or_else(|| "ok".to_owned(), Value::to_string),
        fields: span.fields().iter().map(|(key, value)| ((*key).to_owned(), json(value))).collect(),
    });
    Trace {
        // A caller may name anything.
        capability: obs_doctor::redact(record.capability()),
        started_at: clock::text(record.started_at()),
        duration_ms: clock::ms(record.duration()),
        status: record.status().as_str().to_owned(),
        span_id: Some(root.clone()),
        parent_span_id: record.parent_span_id().map(|id| id.to_string()),
        fields: Map::new(),
        spans: shown.collect(),
        dropped_spans: record.dropped_spans(),
    }
}

fn json(value: &Value) -> serde_json::Value {
    match value.as_str() {
        Some(text) => obs_doctor::redact(text).into(),
        None => serde_json::to_value(value).unwrap_or_default(),
    }
}

/// Hides what looks like a secret in the fields of a span, whose texts are not nested.
fn hidden(mut fields: Map<String, serde_json::Value>) -> Map<String, serde_json::Value> {
    for (_, value) in &mut fields {
        if let serde_json::Value::String(text) = value {
            *text = obs_doctor::redact(text);
        }
    }
    fields
}

/// Trace that runs, as its JSON shows it.
pub(super) struct Running(serde_json::Value);

impl Running {
    pub(super) fn of(active: &ActiveTrace) -> Running {
        Running(serde_json::to_value(active).unwrap_or_default())
    }

    fn text(&self, key: &str) -> String {
        obs_doctor::redact(self.0[key].as_str().unwrap_or_default())
    }

    pub(super) fn status(&self) -> String {
        match self.text("status") {
            status if status == "ok" => ACTIVE.to_owned(),
            failed => failed,
        }
    }

    pub(super) fn elapsed_ms(&self) -> f64 {
        self.0["elapsed_ms"].as_f64().unwrap_or_default()
    }

    fn spans(&self) -> &[serde_json::Value] {
        self.0["spans"].as_array().map(Vec::as_slice).unwrap_or_default()
    }

    pub(super) fn summary(&self) -> TraceSummary {
        TraceSummary {
            trace_id: self.text("trace_id"),
            capability: self.text("capability"),
            started_at: self.text("started_at"),
            duration_ms: self.elapsed_ms(),
            status: self.status(),
            spans: u32::try_from(self.spans().len()).unwrap_or(u32::MAX),
            cause: None,
            before_restart: false,
        }
    }

    /// Returns the trace with the spans that have ended so far. They have no IDs yet, so their positions stand for them.
    pub(super) fn whole(&self) -> Trace {
        let id = |at: u64| format!("active-{at}");
        let spans = self.spans().iter().enumerate().map(|(at, span)| Span {
            name: span["name"].as_str().unwrap_or_default().to_owned(),
            span_id: id(at as u64),
            parent_span_id: span["parent"].as_u64().map(id),
            offset_ms: span["start_ms"].as_f64().unwrap_or_default(),
            duration_ms: span["duration_ms"].as_f64().unwrap_or_default(),
            status: span["fields"]["error"].as_str().unwrap_or("ok").to_owned(),
            fields: hidden(span["fields"].as_object().cloned().unwrap_or_default()),
        });
        Trace {
            capability: self.text("capability"),
            started_at: self.text("started_at"),
            duration_ms: self.elapsed_ms(),
            status: self.status(),
            span_id: None,
            parent_span_id: None,
            fields: Map::new(),
            spans: spans.collect(),
            dropped_spans: 0,
        }
    }
}
