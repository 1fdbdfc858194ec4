//! Trace headers of incoming and outgoing requests.

use std::sync::LazyLock;

use http::{HeaderMap, HeaderName, HeaderValue};
use obs_metrics::CounterFamily;
use obs_trace::propagation::{self, TraceState};
use obs_trace::{Outgoing, Remote, Span, SpanId, TraceId};

use super::headers::{CallHeaders, MISSING, REQUEST_ID, TRACEPARENT};

/// W3C header that carries data of other tracing systems.
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Writes the current trace into the headers of a call to another node, so that the logs and traces of both nodes can
/// be joined.
///
/// Sets `X-HearthNet-Request-Id`, `traceparent`, and `tracestate` if the trace came with one; existing values are
/// replaced. Does nothing when no trace is current.
///
/// The other node's part of the trace becomes a child of the current span. Give each call a span of its own and call
/// this inside it.
///
/// ```
/// use obs_facade::trace;
///
/// let trace = trace::new_trace("llm.chat");
/// let mut headers = http::HeaderMap::new();
/// trace.enter(|| trace::in_span("forward", || obs_facade::http::inject(&mut headers)));
/// assert_eq!(headers["x-hearthnet-request-id"], trace.id().to_string());
/// assert_eq!(headers["traceparent"].len(), 55);
/// # trace.finish();
/// ```
pub fn inject(headers: &mut HeaderMap) {
    if let Some(outgoing) = obs_trace::outgoing() {
        write(&outgoing, headers);
    }
}

/// Writes the trace into the headers of a call on behalf of `span`. Does nothing when the span belongs to no trace.
pub(in crate::http) fn inject_of(span: &Span, headers: &mut HeaderMap) {
    if let Some(outgoing) = span.outgoing() {
        write(&outgoing, headers);
    }
}

fn write(outgoing: &Outgoing, headers: &mut HeaderMap) {
    headers.insert(REQUEST_ID, ascii(&outgoing.request_id()));
    headers.insert(TRACEPARENT, ascii(&outgoing.traceparent()));
    match outgoing.tracestate() {
        Some(state) => headers.insert(TRACESTATE, ascii(state.as_bytes())),
        None => headers.remove(TRACESTATE),
    };
}

/// Writes the `traceparent` of a call that `span` makes to a third party, such as a language model.
///
/// Sets no other header: the data of other tracing systems in `tracestate` is not meant for third parties. Does nothing
/// when the span belongs to no trace.
///
/// ```
/// use obs_facade::trace;
///
/// let trace = trace::new_trace("llm.chat");
/// let span = trace.enter(|| trace::span("backend").enter());
/// let mut headers = http::HeaderMap::new();
/// obs_facade::http::inject_traceparent(&span, &mut headers);
/// assert_eq!(headers.len(), 1);
/// assert!(headers["traceparent"].as_bytes().ends_with(b"-03"));
/// # drop(span);
/// # trace.finish();
/// ```
pub fn inject_traceparent(span: &Span, headers: &mut HeaderMap) {
    if let Some(outgoing) = span.outgoing() {
        headers.insert(TRACEPARENT, ascii(&outgoing.traceparent()));
    }
}

/// Returns a trace ID as a header value.
pub(super) fn header_value(id: TraceId) -> HeaderValue {
    ascii(&id.to_text())
}

fn ascii(text: &[u8]) -> HeaderValue {
    HeaderValue::from_bytes(text).expect("visible ASCII is a header value")
}

/// Returns the trace that the request belongs to by its headers; `None` if they name no usable one.
///
/// A header counts only if it is present exactly once and well-formed. The request ID wins over `traceparent`; the
/// caller's span in `traceparent` then counts only if it belongs to the same trace. A refused value is counted and
/// dropped here, so that it can be neither echoed nor logged.
pub(super) fn remote(headers: &HeaderMap, found: &CallHeaders<'_>) -> Option<Remote> {
    let request_id = found.request_id.parsed(propagation::parse_request_id);
    let parent = found.traceparent.parsed(propagation::parse_traceparent);
    note_refused(&REQUEST_ID, &request_id);
    note_refused(&TRACEPARENT, &parent);
    match (request_id, parent) {
        (Ok(id), Ok((of, span, flags))) if id == of => Some(child_of(headers, id, span, flags)),
        (Ok(id), _) => Some(Remote::new(id)),
        (Err(_), Ok((id, span, flags))) => Some(child_of(headers, id, span, flags)),
        (Err(why), Err(_)) => {
            count_fresh(why);
            None
        }
    }
}

fn child_of(headers: &HeaderMap, id: TraceId, span: SpanId, flags: u8) -> Remote {
    let remote = Remote::new(id).parent(span).flags(flags);
    let values = headers.get_all(TRACESTATE).iter().map(HeaderValue::as_bytes);
    match TraceState::parse(values) {
        Some(state) => remote.state(state),
        None => remote,
    }
}

/// Counts a request that got a fresh trace ID, by the reason.
fn count_fresh(reason: &str) {
    // A handle of the family is kept, because a look-up by name takes the registry's lock.
    static FRESH: LazyLock<CounterFamily<1>> = LazyLock::new(|| {
        obs_metrics::counter(
            "hearthnet_request_ids_fresh_total",
            "Observed requests that got a fresh request ID, by the fault of the one they came with.",
            ["reason"],
        )
    });
    FRESH.inc([reason]);
}

/// Counts a header that was present and unusable.
fn note_refused<T>(header: &HeaderName, value: &Result<T, &'static str>) {
    static REFUSED: LazyLock<CounterFamily<2>> = LazyLock::new(|| {
        obs_metrics::counter(
            "hearthnet_trace_headers_refused_total",
            "Trace headers of observed requests that could not be used, by header and fault.",
            ["header", "reason"],
        )
    });
    if let Err(reason) = value
        && *reason != MISSING
    {
        REFUSED.inc([header.as_str(), reason]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01HXR3F2Q4T6V8X0Z2B4D6F8HJ";
    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    /// Span of [`PARENT`].
    fn span_of_parent() -> SpanId {
        SpanId::from_bytes([0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31]).unwrap()
    }

    fn with(fields: &[(&'static str, &str)]) -> Option<Remote> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        remote(&headers, &CallHeaders::of(&headers))
    }

    fn id() -> TraceId {
        ID.parse().unwrap()
    }

    fn of_parent() -> TraceId {
        propagation::parse_traceparent(PARENT.as_bytes()).unwrap().0
    }

    #[test]
    fn exactly_one_well_formed_request_id_is_accepted() {
        let name = "x-hearthnet-request-id";
        assert_eq!(with(&[(name, ID)]), Some(Remote::new(id())));
        assert_eq!(with(&[]), None);
        assert_eq!(with(&[(name, ID), (name, ID)]), None);
        for hostile in
            ["", "8ZZZZZZZZZZZZZZZZZZZZZZZZZ", "01HXR3F2Q4T6V8X0Z2B4D6F8H", " ", "../../etc/passwd"]
        {
            assert_eq!(with(&[(name, hostile)]), None, "{hostile:?}");
        }
    }

    #[test]
    fn the_request_id_wins_over_traceparent() {
        let (name, parent) = ("x-hearthnet-request-id", "traceparent");
        let same = of_parent().to_string();
        let child = Some(Remote::new(of_parent()).parent(span_of_parent()));
        assert_eq!(with(&[(parent, PARENT)]), child);
        assert_eq!(with(&[(name, &same), (parent, PARENT)]), child, "the same trace");
        assert_eq!(with(&[(name, ID), (parent, PARENT)]), Some(Remote::new(id())), "another trace");
        assert_eq!(with(&[(name, ID), (parent, "nonsense")]), Some(Remote::new(id())));
        assert_eq!(with(&[(name, "nonsense"), (parent, PARENT)]), child);
        assert_eq!(with(&[(parent, PARENT), (parent, PARENT)]), None);
        assert_eq!(with(&[(name, "nonsense"), (parent, "nonsense")]), None);
    }

    /// Returns the `traceparent` and `tracestate` that a node sends on after a request with these headers.
    fn passed_on(fields: &[(&'static str, &str)]) -> (String, Option<String>) {
        let trace = match with(fields) {
            Some(remote) => obs_trace::new_trace_from(remote, "w3c"),
            None => obs_trace::new_trace("w3c"),
        };
        let mut headers = HeaderMap::new();
        trace.enter(|| obs_trace::in_span("forward", || inject(&mut headers)));
        trace.finish();
        let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        (text(TRACEPARENT).unwrap(), text(TRACESTATE))
    }

    /// Trace Context Level 2: the random flag is passed on, and set for IDs that were made here.
    #[test]
    fn known_flags_of_the_caller_are_passed_on() {
        let (of_caller, _) = PARENT.rsplit_once('-').unwrap();
        let flags = |fields: &[(&'static str, &str)]| {
            let (sent, _) = passed_on(fields);
            let (_, flags) = sent.rsplit_once('-').unwrap();
            flags.to_owned()
        };
        for (came, goes) in
            [("00", "01"), ("01", "01"), ("02", "03"), ("03", "03"), ("04", "01"), ("fe", "03"), ("ff", "03")]
        {
            assert_eq!(flags(&[("traceparent", &format!("{of_caller}-{came}"))]), goes, "{came}");
        }
        // In a later version other flags may have another meaning, so only `sampled` is read.
        assert_eq!(flags(&[("traceparent", &format!("01{}-02-extra", &of_caller[2..]))]), "01");
        assert_eq!(flags(&[]), "03", "an ID of our own");
        assert_eq!(flags(&[("traceparent", "nonsense")]), "03", "an ID of our own");
        assert_eq!(flags(&[("x-hearthnet-request-id", ID)]), "01", "the caller does not say how it was made");
        let same = of_parent().to_string();
        let both = [("x-hearthnet-request-id", same.as_str()), ("traceparent", &format!("{of_caller}-02"))];
        assert_eq!(flags(&both), "03", "the same trace");
        let other = [("x-hearthnet-request-id", ID), ("traceparent", &format!("{of_caller}-02"))];
        assert_eq!(flags(&other), "01", "another trace");
    }

    #[test]
    fn a_tracestate_counts_only_with_a_traceparent() {
        let child = Some(Remote::new(of_parent()).parent(span_of_parent()));
        assert_eq!(with(&[("tracestate", "foo=1")]), None);
        let state = TraceState::parse([b"foo=1,bar=2".as_slice()]).unwrap();
        let stated = child.clone().map(|remote| remote.state(state));
        assert_eq!(
            with(&[("traceparent", PARENT), ("tracestate", "foo=1"), ("tracestate", "bar=2")]),
            stated
        );
        assert_eq!(with(&[("traceparent", PARENT), ("tracestate", "foo")]), child);
        let repeated = [("traceparent", PARENT), ("tracestate", "foo=1"), ("tracestate", "foo=2")];
        assert_eq!(passed_on(&repeated).1.as_deref(), Some("foo=1,foo=2"));
        for misnamed in ["trace-parent", "trace.parent"] {
            assert_eq!(with(&[(misnamed, PARENT)]), None);
        }
    }
}
