//! Encoder of completed traces as OTLP spans.

use std::borrow::Cow;

use obs_otlp::Envelope;
use obs_otlp::message::{Attributes, Scalar, SpanHead, code, flags, kind};

use super::queue::Waiting;
use crate::prefetch::prefetch;
use crate::record::{CANCELLED, ERROR_FIELD, Kind};
use crate::{SpanId, SpanRecord, TraceRecord, Value};

/// Returns the function that makes the body of a request.
pub(super) fn encoder(target: &obs_otlp::Config) -> impl FnMut(&[Waiting]) -> Vec<u8> + Send + use<> {
    let envelope = Envelope::new(target, env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
    move |traces| {
        let mut spans = Vec::new();
        for (at, trace) in traces.iter().enumerate() {
            if let Some(next) = traces.get(at + AHEAD) {
                prefetch(&*next.record);
            }
            push_trace(trace, &mut spans);
        }
        envelope.request(spans)
    }
}

/// Number of traces by which the memory of one is asked for before it is read: another processor has written it.
const AHEAD: usize = 2;

/// Writes the trace as the root span, followed by its spans.
fn push_trace(waiting: &Waiting, body: &mut Vec<u8>) {
    let trace = &*waiting.record;
    let root = waiting.root.as_ref();
    push_root(trace, root.and_then(|root| root.name()), root.map_or(&[], |root| root.fields()), body);
    let records = trace.spans();
    for span in &records {
        let parent = span.parent().map_or(trace.span_id(), |parent| records[parent].span_id());
        push_child(trace, span, parent, body);
    }
}

fn push_root(trace: &TraceRecord, name: Option<&str>, fields: &[(&'static str, Value)], body: &mut Vec<u8>) {
    let start = trace.started_unix_ns();
    let caller = trace.caller();
    let status = trace.status();
    // A root span with a name of its own is a request of HTTP. Others are named by their capability.
    let http_status = name.and_then(|_| http_status(fields));
    let is_callers_fault = matches!(http_status, Some(400..=499)) || status.is_callers_fault();
    let is_remote = if caller.is_some() { flags::IS_REMOTE } else { 0 };
    let head = SpanHead {
        trace_id: trace.trace_id().to_bytes(),
        span_id: trace.span_id().to_bytes(),
        trace_state: trace_state(trace),
        parent_span_id: caller.map(|caller| caller.span_id.to_bytes()),
        name: name.unwrap_or_else(|| trace.capability()),
        kind: kind::SERVER,
        start_time_unix_nano: start,
        end_time_unix_nano: start + trace.duration().as_nanos() as u64,
        // No message, which would only repeat `error.type`.
        status: (!status.is_ok() && !is_callers_fault).then_some(code::ERROR),
        flags: flags::of(trace.outgoing_flags()) | is_remote,
    };
    Envelope::push_span(&head, body, |attributes| {
        let id = trace.trace_id().to_text();
        let id = std::str::from_utf8(&id).unwrap_or_default();
        attributes.push([OURS, "capability"], Scalar::Text(trace.capability()));
        attributes.push([OURS, "trace_id"], Scalar::Text(id));
        attributes.push([OURS, "status"], Scalar::Text(status.as_str()));
        if let Some(error_type) = error_type(&status, http_status) {
            attributes.push([ERROR_TYPE, ""], Scalar::Text(&error_type));
        }
        // Not OTLP's `dropped_*` fields: those count attributes, events and links.
        if trace.dropped_spans() > 0 {
            attributes.push([OURS, "dropped_spans"], Scalar::Int(trace.dropped_spans() as i64));
        }
        fields.iter().for_each(|(key, value)| push_value(exported_key(key), value, attributes));
    });
}

/// Returns the status of a response of HTTP.
fn http_status(fields: &[(&'static str, Value)]) -> Option<u64> {
    let (_, value) = fields.iter().find(|(key, _)| *key == HTTP_STATUS)?;
    match value.kind() {
        Kind::Unsigned(status) => Some(*status),
        _ => None,
    }
}

/// Returns the value of `error.type` of a root span: the error code or, for a code that only repeats the class of the
/// response's status, that status. OpenTelemetry counts a status 4xx as no error of a server.
fn error_type(status: &crate::Status, http_status: Option<u64>) -> Option<Cow<'_, str>> {
    match http_status {
        _ if status.is_ok() => None,
        Some(400..=499) => None,
        Some(number) if status.as_str() == "http_5xx" => Some(number.to_string().into()),
        _ => Some(status.as_str().into()),
    }
}

fn push_child(trace: &TraceRecord, span: &SpanRecord, parent: SpanId, body: &mut Vec<u8>) {
    let start = trace.started_unix_ns() + span.start().as_nanos() as u64;
    // A caller that no longer waits is no failure, as for the root span.
    let error = span.field(ERROR_FIELD).filter(|error| error.as_str() != Some(CANCELLED));
    let head = SpanHead {
        trace_id: trace.trace_id().to_bytes(),
        span_id: span.span_id().to_bytes(),
        trace_state: trace_state(trace),
        parent_span_id: Some(parent.to_bytes()),
        name: span.name(),
        kind: if span.is_client() { kind::CLIENT } else { kind::INTERNAL },
        start_time_unix_nano: start,
        end_time_unix_nano: start + span.duration().as_nanos() as u64,
        status: error.map(|_| code::ERROR),
        flags: flags::of(trace.outgoing_flags()),
    };
    Envelope::push_span(&head, body, |attributes| push_fields(span.fields(), attributes));
}

/// Namespace of our own attributes.
const OURS: &str = "hearthnet.";
const ERROR_TYPE: &str = "error.type";
const PEER: &str = "hearthnet.peer";
const HTTP_STATUS: &str = "http.response.status_code";

fn push_fields(fields: &[(&'static str, Value)], attributes: &mut Attributes<'_>) {
    let key = |at: usize| exported_child_key(fields[at].0);
    for at in 0..fields.len() {
        // Two fields can map to one key, which must be unique. The later field counts, in the place of the first.
        if (0..at).any(|before| is_same(key(before), key(at))) {
            continue;
        }
        let last = (at..fields.len()).rfind(|&later| is_same(key(later), key(at))).unwrap_or(at);
        match fields[last] {
            (ERROR_FIELD, ref value) => attributes.push(key(at), Scalar::Text(&value.to_string())),
            (_, ref value) => push_value(key(at), value, attributes),
        }
    }
}

fn exported_child_key(key: &str) -> [&str; 2] {
    match key {
        ERROR_FIELD => [ERROR_TYPE, ""],
        "to" => [PEER, ""],
        key => exported_key(key),
    }
}

/// Returns the key of an attribute in two parts. A key with a dot has a namespace already.
fn exported_key(key: &str) -> [&str; 2] {
    if key.contains('.') { [key, ""] } else { [OURS, key] }
}

fn is_same(one: [&str; 2], other: [&str; 2]) -> bool {
    let bytes = |key: [&'_ str; 2]| key.map(str::len).iter().sum::<usize>();
    bytes(one) == bytes(other)
        && one.iter().flat_map(|part| part.bytes()).eq(other.iter().flat_map(|part| part.bytes()))
}

fn trace_state(trace: &TraceRecord) -> &str {
    trace.caller().and_then(|caller| caller.state.as_ref()).map_or("", |state| state.as_str())
}

fn push_value(key: [&str; 2], value: &Value, attributes: &mut Attributes<'_>) {
    attributes.push(
        key,
        match value.kind() {
            Kind::Text(text) => Scalar::Text(text),
            Kind::Signed(number) => Scalar::Int(*number),
            Kind::Unsigned(number) => match i64::try_from(*number) {
                Ok(number) => Scalar::Int(number),
                // OTLP has no unsigned numbers. A number that is too large becomes text.
                Err(_) => return attributes.push(key, Scalar::Text(&number.to_string())),
            },
            Kind::Float(number) => Scalar::Double(*number),
            Kind::Bool(truth) => Scalar::Bool(*truth),
        },
    );
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::{Arc, Mutex};

    use obs_otlp::Item;
    use obs_otlp::message::{KeyValue, Kind, Span};
    use prost::Message;

    use super::super::Config;
    use super::*;
    use crate::propagation::{RANDOM, SAMPLED, TraceState};
    use crate::record::RootSpan;
    use crate::{Remote, Store, Trace, TraceId, new_trace, new_trace_from};

    /// Returns the spans of a request with this trace, as a collector decodes them.
    fn spans(trace: &Arc<TraceRecord>) -> Vec<Span> {
        spans_of(&[Waiting { record: Arc::clone(trace), root: None }])
    }

    fn spans_of(traces: &[Waiting]) -> Vec<Span> {
        let body = encoder(&Config::new("http://c").target)(traces);
        let mut request = ExportTraceServiceRequest::decode(body.as_slice()).unwrap();
        request.resource_spans.remove(0).scope_spans.remove(0).spans
    }

    /// Enclosing messages of a request.
    #[derive(Clone, PartialEq, Message)]
    struct ExportTraceServiceRequest {
        #[prost(message, repeated, tag = "1")]
        resource_spans: Vec<ResourceSpans>,
    }

    #[derive(Clone, PartialEq, Message)]
    struct ResourceSpans {
        #[prost(message, repeated, tag = "2")]
        scope_spans: Vec<ScopeSpans>,
    }

    #[derive(Clone, PartialEq, Message)]
    struct ScopeSpans {
        #[prost(message, repeated, tag = "2")]
        spans: Vec<Span>,
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
        let of = |record: &Arc<TraceRecord>| {
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

    /// Takes every trace, for a test to look at.
    #[derive(Default)]
    struct Taken(Mutex<Vec<Waiting>>);

    impl crate::store::Export for Taken {
        fn offer(&self, record: &Arc<TraceRecord>, root: Option<Box<RootSpan>>) {
            self.0.lock().unwrap().push(Waiting { record: Arc::clone(record), root });
        }

        fn only_sampled(&self) -> bool {
            false
        }
    }

    /// Returns what an exporter takes that is connected while `run` ends traces.
    fn taken(store: &Store, run: impl FnOnce()) -> Vec<Waiting> {
        let exporter = Arc::new(Taken::default());
        store.outlet().connect(Arc::<Taken>::clone(&exporter));
        let _scope = store.enter();
        run();
        std::mem::take(&mut exporter.0.lock().unwrap())
    }

    /// Returns the exported spans of a request that was answered with `status`.
    fn answered(status: u16, code: Option<&'static str>) -> Vec<Span> {
        let taken = taken(&Store::default(), || {
            let trace = new_trace("web:GET /items/{id}");
            trace.set_root_name("GET /items/{id}");
            trace.set_root_field("http.request.method", || "GET".into());
            trace.set_root_field("http.response.status_code", || status.into());
            trace.set_root_field("kind", || "page".into());
            if let Some(code) = code {
                trace.fail(code);
            }
            trace.finish();
        });
        spans_of(&taken)
    }

    #[test]
    fn a_request_of_http_follows_the_conventions_of_servers() {
        let of = |status, code| {
            let root = answered(status, code).remove(0);
            assert_eq!((root.name.as_str(), root.kind), ("GET /items/{id}", kind::SERVER));
            let mut texts = texts(&root);
            let number = format!("Some(Int({status}))");
            assert_eq!(texts.remove("http.response.status_code"), Some(number));
            assert_eq!(texts.remove("http.request.method").as_deref(), Some("GET"));
            assert_eq!(texts.remove("hearthnet.kind").as_deref(), Some("page"));
            (root.status.is_some(), texts.remove("error.type"))
        };
        assert_eq!(of(200, None), (false, None));
        for (status, code) in [(404, "not_found"), (405, "http_4xx"), (408, "timeout")] {
            assert_eq!(of(status, Some(code)), (false, None), "{status}");
        }
        assert_eq!(of(502, Some("http_5xx")), (true, Some("502".to_owned())));
        assert_eq!(of(500, Some("internal_error")), (true, Some("internal_error".to_owned())));
        assert_eq!(of(200, Some("timeout")), (true, Some("timeout".to_owned())), "in the body");
    }

    /// Returns name and fields of the root span.
    fn root_of(waiting: &Waiting) -> (Option<&str>, &[(&'static str, Value)]) {
        waiting.root.as_ref().map_or((None, &[]), |root| (root.name(), root.fields()))
    }

    #[test]
    fn a_root_span_in_used_memory_has_nothing_of_the_trace_before() {
        let config = crate::Config::default().ring_capacity(1).kept_per_capability(0).kept_failed(0);
        let store = Store::new(config).unwrap();
        let (mut places_of_named, mut places) = (Vec::new(), Vec::new());
        // Two records take turns, so every third trace meets the memory of both.
        for round in 0..20 {
            let is_named = round % 3 == 0;
            let taken = taken(&store, || {
                let trace = new_trace("llm.chat");
                if is_named {
                    trace.set_root_name("a name that needs an allocation");
                    trace.set_root_field("http.route", || "/a/route/that/needs/an/allocation".into());
                    trace.set_done_field("address", Value::from("192.0.2.7"));
                }
                trace.finish();
            });
            let (name, fields) = root_of(&taken[0]);
            assert_eq!((name.is_some(), fields.len()), (is_named, usize::from(is_named)), "{round}");
            let places = if is_named { &mut places_of_named } else { &mut places };
            places.push(Arc::as_ptr(&taken[0].record).addr());
        }
        assert!(places.iter().any(|place| places_of_named.contains(place)), "{places:?}");
    }

    #[test]
    fn without_an_exporter_a_root_span_keeps_nothing() {
        let store = Store::default();
        let trace = {
            let _scope = store.enter();
            new_trace("llm.chat")
        };
        trace.set_root_name("GET /");
        trace.set_root_field("http.route", || unreachable!("no value is made"));
        let taken = taken(&store, || drop(trace.finish()));
        assert_eq!(root_of(&taken[0]), (None, &[][..]));
    }

    #[test]
    fn the_fields_of_a_root_span_are_bounded_and_count_as_memory_that_waits() {
        let store = Store::default();
        let taken = taken(&store, || {
            let trace = new_trace("web:unmatched");
            trace.set_root_name(&"é".repeat(1_000));
            let keys = ["a.a", "a.b", "a.c", "a.d", "a.e", "a.f", "a.g", "a.h", "a.i"];
            keys.iter().for_each(|key| trace.set_root_field(key, || "x".repeat(10_000).into()));
            trace.finish();
        });
        let (name, fields) = root_of(&taken[0]);
        assert!(name.unwrap().len() <= 160);
        assert_eq!(fields.len(), 8);
        assert!(fields.iter().all(|(_, value)| value.as_str().unwrap().len() <= 256));
        assert_eq!(store.stats().dropped_fields, 1);
        let text: usize = fields.iter().map(|(_, value)| value.as_str().unwrap().len()).sum();
        assert!(taken[0].bytes() > taken[0].record.bytes() + text);
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
