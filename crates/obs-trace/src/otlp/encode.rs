//! Encoder of completed traces as OTLP spans.

use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint};

use super::config::Config;
use super::message::{
    AnyValue, InstrumentationScope, KeyValue, Kind, Resource, Span, Status, code, flags, kind,
};
use crate::record::ERROR_FIELD;
use crate::{SpanId, SpanRecord, TraceRecord, Value};

/// Encoder of requests. Holds the encoded parts that all requests have in common.
///
/// Spans are encoded one by one, and the enclosing messages are written by hand. A tree of all spans of a request would be
/// walked once for each level to compute its lengths.
pub(super) struct Encoder {
    /// `ResourceSpans.resource`
    resource: Vec<u8>,
    /// `ScopeSpans.scope`
    scope: Vec<u8>,
}

/// Field numbers of `ExportTraceServiceRequest`, `ResourceSpans` and `ScopeSpans`.
mod field {
    pub(super) const RESOURCE_SPANS: u32 = 1;
    pub(super) const RESOURCE: u32 = 1;
    pub(super) const SCOPE_SPANS: u32 = 2;
    pub(super) const SCOPE: u32 = 1;
    pub(super) const SPANS: u32 = 2;
}

impl Encoder {
    pub(super) fn new(config: &Config) -> Encoder {
        let attributes = config.resource.iter().map(|(key, value)| text(key, value)).collect();
        let scope = InstrumentationScope {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let mut encoder = Encoder { resource: Vec::new(), scope: Vec::new() };
        push(field::RESOURCE, &Resource { attributes }, &mut encoder.resource);
        push(field::SCOPE, &scope, &mut encoder.scope);
        encoder
    }

    /// Returns the body of a request with these traces.
    pub(super) fn request<'a>(&self, traces: impl IntoIterator<Item = &'a TraceRecord>) -> Vec<u8> {
        let mut spans = Vec::new();
        traces.into_iter().for_each(|trace| push_trace(trace, &mut spans));
        let scope_spans = self.scope.len() + spans.len();
        // One byte for the key of `SCOPE_SPANS`.
        let resource_spans = self.resource.len() + 1 + encoded_len_varint(scope_spans as u64) + scope_spans;
        // 16 bytes are more than the key and length of `RESOURCE_SPANS`.
        let mut body = Vec::with_capacity(resource_spans + 16);
        begin(field::RESOURCE_SPANS, resource_spans, &mut body);
        body.extend_from_slice(&self.resource);
        begin(field::SCOPE_SPANS, scope_spans, &mut body);
        body.extend_from_slice(&self.scope);
        body.extend_from_slice(&spans);
        body
    }
}

/// Writes the key and length of a message.
fn begin(field: u32, length: usize, body: &mut Vec<u8>) {
    encode_key(field, WireType::LengthDelimited, body);
    encode_varint(length as u64, body);
}

fn push(field: u32, message: &impl Message, body: &mut Vec<u8>) {
    begin(field, message.encoded_len(), body);
    message.encode_raw(body);
}

/// Writes the trace as the root span, followed by its spans.
fn push_trace(trace: &TraceRecord, body: &mut Vec<u8>) {
    let records = trace.spans();
    push(field::SPANS, &root(trace), body);
    for span in &records {
        let parent = span.parent().map_or(trace.span_id(), |parent| records[parent].span_id());
        push(field::SPANS, &child(trace, span, parent), body);
    }
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
    // Not OTLP's `dropped_*` fields: those count attributes, events and links.
    if trace.dropped_spans() > 0 {
        attributes.push(attribute("hearthnet.dropped_spans", Kind::Int(trace.dropped_spans() as i64)));
    }
    let is_remote = if caller.is_some() { flags::IS_REMOTE } else { 0 };
    Span {
        trace_id: trace.trace_id().to_bytes().to_vec(),
        span_id: trace.span_id().to_bytes().to_vec(),
        trace_state: trace_state(trace),
        parent_span_id: caller.map_or_else(Vec::new, |caller| caller.span_id.to_bytes().to_vec()),
        name: trace.capability().to_owned(),
        kind: kind::SERVER,
        start_time_unix_nano: start,
        end_time_unix_nano: start + trace.duration().as_nanos() as u64,
        attributes,
        status: (!status.is_ok() && !status.is_callers_fault()).then(failed),
        flags: flags::of(trace.outgoing_flags()) | is_remote,
    }
}

fn child(trace: &TraceRecord, span: &SpanRecord, parent: SpanId) -> Span {
    let start = trace.started_unix_ns() + span.start().as_nanos() as u64;
    Span {
        trace_id: trace.trace_id().to_bytes().to_vec(),
        span_id: span.span_id().to_bytes().to_vec(),
        trace_state: trace_state(trace),
        parent_span_id: parent.to_bytes().to_vec(),
        name: span.name().to_owned(),
        kind: if span.is_client() { kind::CLIENT } else { kind::INTERNAL },
        start_time_unix_nano: start,
        end_time_unix_nano: start + span.duration().as_nanos() as u64,
        attributes: attributes(span),
        status: span.field(ERROR_FIELD).map(|_| failed()),
        flags: flags::of(trace.outgoing_flags()),
    }
}

/// Returns the status of a failed span. It has no message, which would only repeat `error.type`.
fn failed() -> Status {
    Status { message: String::new(), code: code::ERROR }
}

const ERROR_TYPE: &str = "error.type";
const PEER: &str = "hearthnet.peer";

fn attributes(span: &SpanRecord) -> Vec<KeyValue> {
    let mut attributes: Vec<KeyValue> = Vec::with_capacity(span.fields().len());
    for (key, value) in span.fields() {
        let (key, value) = match *key {
            ERROR_FIELD => (ERROR_TYPE.to_owned(), Kind::String(value.to_string())),
            "to" => (PEER.to_owned(), any(value)),
            key if key.contains('.') => (key.to_owned(), any(value)),
            key => (format!("hearthnet.{key}"), any(value)),
        };
        // Two fields can map to one key, which must be unique. The later field counts.
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
        crate::record::Kind::Text(text) => Kind::String(text.to_string()),
        crate::record::Kind::Signed(number) => Kind::Int(*number),
        // OTLP has no unsigned numbers. A number that is too large becomes text.
        crate::record::Kind::Unsigned(number) => {
            i64::try_from(*number).map_or_else(|_| Kind::String(number.to_string()), Kind::Int)
        }
        crate::record::Kind::Float(number) => Kind::Double(*number),
        crate::record::Kind::Bool(truth) => Kind::Bool(*truth),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::super::message::ExportTraceServiceRequest;
    use super::*;
    use crate::propagation::{RANDOM, SAMPLED, TraceState};
    use crate::{Remote, Store, Trace, TraceId, new_trace, new_trace_from};

    /// Returns the spans of a request with this trace, as a collector decodes them.
    fn spans(trace: &TraceRecord) -> Vec<Span> {
        let body = Encoder::new(&Config::new("http://c")).request([trace]);
        let mut request = ExportTraceServiceRequest::decode(body.as_slice()).unwrap();
        request.resource_spans.remove(0).scope_spans.remove(0).spans
    }

    fn texts(span: &Span) -> BTreeMap<String, String> {
        let text = |value: &KeyValue| match value.value.as_ref().and_then(|value| value.value.as_ref()) {
            Some(Kind::String(text)) => text.clone(),
            other => format!("{other:?}"),
        };
        let texts: BTreeMap<_, _> = span.attributes.iter().map(|one| (one.key.clone(), text(one))).collect();
        assert_eq!(texts.len(), span.attributes.len(), "keys are unique");
        texts
    }

    fn ended(end: impl FnOnce(&Trace) -> Option<Arc<TraceRecord>>) -> Arc<TraceRecord> {
        let store = Store::default();
        let _scope = store.enter();
        end(&new_trace("llm.chat")).unwrap()
    }

    #[test]
    fn the_status_of_a_server_span_is_an_error_only_for_faults_of_this_node() {
        let failed = |code: &'static str| {
            ended(|trace| {
                trace.fail(code);
                trace.finish()
            })
        };
        let ok = ended(Trace::finish);
        let of = |record: &TraceRecord| {
            let root = spans(record).remove(0);
            (
                root.status.clone().map(|status| (status.code, status.message)),
                texts(&root).remove("error.type"),
            )
        };
        assert_eq!(of(&ok), (None, None));
        for code in [
            "bad_request",
            "schema_mismatch",
            "invalid_signature",
            "unauthorized",
            "revoked",
            "not_found",
            "expired",
            "rate_limited",
            "capacity_exceeded",
        ] {
            assert_eq!(of(&failed(code)), (None, Some(code.to_owned())));
        }
        assert_eq!(of(&ended(Trace::cancel)), (None, Some("cancelled".to_owned())));
        let error = Some((code::ERROR, String::new()));
        for code in ["timeout", "internal_error", "partition", "not_implemented", "anything_else"] {
            assert_eq!(of(&failed(code)), (error.clone(), Some(code.to_owned())));
        }
    }

    #[test]
    fn fields_are_in_a_namespace_and_errors_are_types() {
        let record = ended(|trace| {
            trace.enter(|| {
                let fields = crate::span("forward")
                    .field("to", "7H4G")
                    .field("hearthnet.same_community", true)
                    .field("gen_ai.request.model", "tiny");
                fields
                    .field("same_community", false)
                    .field("error", "timeout")
                    .run(|| drop(crate::outgoing()));
                crate::span("search").field("corpus", "docs").run(|| ());
            });
            trace.finish()
        });
        let spans = spans(&record);
        let forward = &spans[1];
        let expected = [
            ("error.type", "timeout"),
            ("gen_ai.request.model", "tiny"),
            ("hearthnet.peer", "7H4G"),
            ("hearthnet.same_community", "Some(Bool(false))"),
        ];
        let expected: BTreeMap<_, _> =
            expected.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        assert_eq!(texts(forward), expected);
        assert_eq!((forward.kind, forward.status.as_ref().unwrap().code), (kind::CLIENT, code::ERROR));
        let search = &spans[2];
        assert_eq!((search.kind, &search.status), (kind::INTERNAL, &None));
        assert_eq!(texts(search).into_keys().collect::<Vec<_>>(), ["hearthnet.corpus"]);
    }

    #[test]
    fn the_flags_are_those_of_the_trace() {
        let state = TraceState::parse([b"foo=1,foo=2".as_slice()]).unwrap();
        let remote = Remote::new(TraceId::generate())
            .parent(SpanId::from_bytes([1; 8]).unwrap())
            .state(state)
            .flags(RANDOM);
        let store = Store::default();
        let _scope = store.enter();
        let trace = new_trace_from(remote, "llm.chat");
        trace.enter(|| crate::in_span("step", || ()));
        let spans = spans(&trace.finish().unwrap());
        let both = u32::from(SAMPLED | RANDOM);
        assert_eq!((spans[0].flags, spans[1].flags), (both | 0x300, both | 0x100));
        assert!(spans.iter().all(|span| span.trace_state == "foo=1,foo=2"));
    }
}
