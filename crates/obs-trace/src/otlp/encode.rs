//! Completed traces as the spans of OTLP.

use prost::Message;

use super::config::Config;
use super::message::{
    AnyValue, ExportTraceServiceRequest, InstrumentationScope, KeyValue, Kind, Resource, ResourceSpans,
    ScopeSpans, Span, Status, code, flags, kind,
};
use crate::trace::ERROR;
use crate::{SpanRecord, TraceRecord, Value};

/// Makes requests; holds what is the same in all of them.
pub(super) struct Encoder {
    resource: Resource,
}

impl Encoder {
    pub(super) fn new(config: &Config) -> Encoder {
        let attributes = config.resource.iter().map(|(key, value)| text(key, value)).collect();
        Encoder { resource: Resource { attributes } }
    }

    /// The body of a request with these traces.
    pub(super) fn request<'a>(&self, traces: impl IntoIterator<Item = &'a TraceRecord>) -> Vec<u8> {
        let mut spans = Vec::new();
        traces.into_iter().for_each(|trace| push_trace(trace, &mut spans));
        let scope = InstrumentationScope {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let resource_spans = ResourceSpans {
            resource: Some(self.resource.clone()),
            scope_spans: vec![ScopeSpans { scope: Some(scope), spans }],
        };
        ExportTraceServiceRequest { resource_spans: vec![resource_spans] }.encode_to_vec()
    }
}

/// The trace itself as the root, and its spans below it.
fn push_trace(trace: &TraceRecord, spans: &mut Vec<Span>) {
    let records = trace.spans();
    spans.reserve(1 + records.len());
    spans.push(root(trace));
    spans.extend(records.iter().map(|span| {
        let parent = span.parent().map_or(trace.span_id(), |parent| records[parent].span_id());
        child(trace, span, parent)
    }));
}

fn root(trace: &TraceRecord) -> Span {
    let start = trace.started_unix_ns();
    let caller = trace.caller();
    let status = trace.status();
    let mut attributes = vec![
        text("hearthnet.capability", trace.capability()),
        text("hearthnet.trace_id", &trace.trace_id().to_string()),
        text("hearthnet.status", status.as_str()),
    ];
    if !status.is_ok() {
        attributes.push(text(ERROR_TYPE, status.as_str()));
    }
    if trace.dropped_spans() > 0 {
        attributes.push(attribute("hearthnet.dropped_spans", Kind::Int(trace.dropped_spans() as i64)));
    }
    let is_remote = if caller.is_some() { flags::IS_REMOTE } else { 0 };
    Span {
        trace_id: trace.trace_id().to_bytes().to_vec(),
        span_id: trace.span_id().to_vec(),
        trace_state: trace_state(trace),
        parent_span_id: caller.map_or_else(Vec::new, |caller| caller.span_id.to_vec()),
        name: trace.capability().to_owned(),
        kind: kind::SERVER,
        start_time_unix_nano: start,
        end_time_unix_nano: start + trace.duration().as_nanos() as u64,
        attributes,
        status: (!status.is_ok() && !status.is_callers_doing()).then(failed),
        flags: flags::of(trace.outgoing_flags()) | is_remote,
    }
}

fn child(trace: &TraceRecord, span: &SpanRecord, parent: [u8; 8]) -> Span {
    let start = trace.started_unix_ns() + span.start().as_nanos() as u64;
    Span {
        trace_id: trace.trace_id().to_bytes().to_vec(),
        span_id: span.span_id().to_vec(),
        trace_state: trace_state(trace),
        parent_span_id: parent.to_vec(),
        name: span.name().to_owned(),
        kind: if span.is_client { kind::CLIENT } else { kind::INTERNAL },
        start_time_unix_nano: start,
        end_time_unix_nano: start + span.duration().as_nanos() as u64,
        attributes: attributes(span),
        status: span.field(ERROR).map(|_| failed()),
        flags: flags::of(trace.outgoing_flags()),
    }
}

/// Without a message: it would only repeat `error.type`.
fn failed() -> Status {
    Status { message: String::new(), code: code::ERROR }
}

const ERROR_TYPE: &str = "error.type";
const PEER: &str = "hearthnet.peer";

fn attributes(span: &SpanRecord) -> Vec<KeyValue> {
    let mut attributes: Vec<KeyValue> = Vec::with_capacity(span.fields().len());
    for (key, value) in span.fields() {
        let (key, value) = match *key {
            ERROR => (ERROR_TYPE.to_owned(), Kind::String(value.to_string())),
            "to" => (PEER.to_owned(), any(value)),
            key if key.contains('.') => (key.to_owned(), any(value)),
            key => (format!("hearthnet.{key}"), any(value)),
        };
        // Two names of fields can become one key, which may stand once; the later one counts.
        let known = attributes.iter_mut().find(|attribute| attribute.key == key);
        match known {
            Some(known) => known.value = Some(AnyValue { value: Some(value) }),
            None => attributes.push(attribute(&key, value)),
        }
    }
    attributes
}

fn trace_state(trace: &TraceRecord) -> String {
    let state = trace.caller().and_then(|caller| caller.state.as_ref());
    state.map(ToString::to_string).unwrap_or_default()
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Kind::String(value.to_owned()))
}

fn attribute(key: &str, value: Kind) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }) }
}

fn any(value: &Value) -> Kind {
    match value.kind() {
        crate::value::Kind::Text(text) => Kind::String(text.to_string()),
        crate::value::Kind::Signed(number) => Kind::Int(*number),
        // OTLP has no unsigned numbers; one that is too large keeps its digits.
        crate::value::Kind::Unsigned(number) => {
            i64::try_from(*number).map_or_else(|_| Kind::String(number.to_string()), Kind::Int)
        }
        crate::value::Kind::Float(number) => Kind::Double(*number),
        crate::value::Kind::Bool(truth) => Kind::Bool(*truth),
    }
}
