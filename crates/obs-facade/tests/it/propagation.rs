//! Trace headers of incoming and outgoing requests.

use axum::Router;
use axum::body::Body;
use axum::routing::post;
use http::{HeaderMap, Request};
use obs_facade::http::{CAPABILITY, REQUEST_ID, inject, layer};
use obs_facade::testing::Capture;
use obs_facade::trace;
use tower::ServiceExt;

const ID: &str = "12345678901234567890123456789012";
const PARENT: &str = "00-12345678901234567890123456789012-1234567890123456-00";

/// Returns the headers that a handler sends with `calls` calls, each in a span of its own.
async fn outgoing(obs: &Capture, calls: usize, headers: &[(&str, &str)]) -> Vec<HeaderMap> {
    let (sender, receiver) = std::sync::mpsc::channel();
    let handler = move || async move {
        for _ in 0..calls {
            trace::span("call")
                .wrap(async {
                    let mut headers = HeaderMap::new();
                    headers.insert("traceparent", "stale value".parse().unwrap());
                    headers.insert("tracestate", "stale=value".parse().unwrap());
                    inject(&mut headers);
                    sender.send(headers).unwrap();
                })
                .await;
        }
    };
    let app = Router::new().route("/bus/v1/call", post(handler)).layer(layer());
    let mut request = Request::post("/bus/v1/call").header(CAPABILITY, "llm.chat");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = obs.scope(app.oneshot(request.body(Body::empty()).unwrap())).await.unwrap();
    drop(answer);
    receiver.try_iter().collect()
}

/// Returns trace and span ID of a `traceparent` of version 00 with these flags.
fn ids_with(flags: &str, headers: &HeaderMap) -> (String, String) {
    let text = headers["traceparent"].to_str().unwrap();
    let parts: Vec<_> = text.split('-').collect();
    assert_eq!((parts.len(), parts[0], parts[3]), (4, "00", flags), "{text}");
    (parts[1].to_owned(), parts[2].to_owned())
}

/// Returns the IDs of a trace whose caller did not set the random flag.
fn ids(headers: &HeaderMap) -> (String, String) {
    ids_with("01", headers)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Corresponds to `test_multiple_requests_with_valid_traceparent` of the W3C suite.
#[tokio::test]
async fn each_outgoing_call_continues_the_trace_from_its_own_span() {
    let obs = Capture::new();
    let calls = outgoing(&obs, 3, &[("traceparent", PARENT)]).await;
    let traces = obs.traces();
    let record = traces.last();
    assert_eq!(hex(&record.trace_id().to_bytes()), ID);
    assert_eq!(record.parent_span_id().map(|span| span.to_string()), Some("1234567890123456".to_owned()));
    let mut told: Vec<_> = calls.iter().map(ids).collect();
    let spans: Vec<_> =
        record.spans().iter().map(|span| (ID.to_owned(), span.span_id().to_string())).collect();
    assert_eq!(told, spans, "the next node's part is a child of the span that called");
    told.sort();
    told.dedup();
    assert_eq!(told.len(), 3);
    assert!(calls.iter().all(|headers| headers[REQUEST_ID] == record.trace_id().to_string()));
}

/// Corresponds to `test_multiple_requests_without_traceparent` and `…_with_illegal_traceparent` of the W3C suite.
#[tokio::test]
async fn without_a_valid_traceparent_a_new_trace_begins() {
    let illegal = "00-00000000000000000000000000000000-1234567890123456-01";
    for headers in [&[][..], &[("traceparent", illegal)], &[("tracestate", "foo=1")]] {
        let obs = Capture::new();
        let calls = outgoing(&obs, 3, headers).await;
        let traces = obs.traces();
        assert_eq!(traces.last().parent_span_id(), None);
        for headers in &calls {
            let (trace, _) = ids_with("03", headers);
            assert_eq!(trace, hex(&traces.last().trace_id().to_bytes()));
            assert!(!headers.contains_key("tracestate"), "of another trace, or of none");
        }
    }
}

/// Corresponds to `test_tracestate_included_traceparent_included` and others of the W3C suite.
#[tokio::test]
async fn a_valid_tracestate_is_passed_on_and_an_invalid_one_is_dropped() {
    for (states, expected) in [
        (&["foo=1,bar=2"][..], Some("foo=1,bar=2")),
        (&["foo=1", "", " bar=2\t, rojo=3"], Some("foo=1,bar=2,rojo=3")),
        (&["foo=1", "foo=2"], Some("foo=1,foo=2")),
        (&["FOO=1"], None),
        (&[""], None),
    ] {
        let obs = Capture::new();
        let mut headers = vec![("traceparent", PARENT)];
        headers.extend(states.iter().map(|state| ("tracestate", *state)));
        let calls = outgoing(&obs, 1, &headers).await;
        let given = calls[0].get("tracestate").map(|state| state.to_str().unwrap());
        assert_eq!(given, expected, "{states:?}");
        assert_eq!(ids(&calls[0]).0, ID);
    }
}

#[tokio::test]
async fn refused_headers_are_counted_by_header_and_reason() {
    let id = "01HXR3F2Q4T6V8X0Z2B4D6F8HJ";
    let name = REQUEST_ID;
    let request_id = name.as_str();
    for (headers, refused, fresh) in [
        (&[][..], &[][..], 1.0),
        (&[(request_id, id)], &[], 0.0),
        (&[("traceparent", "no")], &[("traceparent", "malformed")], 1.0),
        (&[("traceparent", PARENT), ("traceparent", PARENT)], &[("traceparent", "repeated")], 1.0),
        (&[(request_id, id), ("traceparent", "no")], &[("traceparent", "malformed")], 0.0),
        (&[(request_id, "no"), ("traceparent", PARENT)], &[(request_id, "malformed")], 0.0),
    ] {
        let obs = Capture::new();
        outgoing(&obs, 0, headers).await;
        let metrics = obs.metrics();
        for (header, reason) in refused {
            let labels = [("header", *header), ("reason", *reason)];
            assert_eq!(metrics.value("hearthnet_trace_headers_refused_total", labels), 1.0, "{headers:?}");
        }
        let all = metrics.value("hearthnet_trace_headers_refused_total", []);
        assert_eq!(all, refused.len() as f64, "{headers:?}");
        assert_eq!(metrics.value("hearthnet_request_ids_fresh_total", []), fresh, "{headers:?}");
    }
}
