//! Trace IDs from one node to the next.

use obs_trace::{SpanId, TraceId, new_trace_with_id, propagation};

#[test]
fn both_nodes_have_the_same_trace_id() {
    let first = obs_trace::new_trace("caller");
    let header = first.id().to_text();
    let second = new_trace_with_id(propagation::parse_request_id(&header).unwrap(), "callee");
    assert_eq!(second.id(), first.id());
    let traceparent = propagation::format_traceparent(
        first.id(),
        SpanId::from_bytes([7; 8]).unwrap(),
        propagation::SAMPLED,
    );
    let (third, span_id, flags) = propagation::parse_traceparent(&traceparent).unwrap();
    assert_eq!((third, span_id, flags), (first.id(), SpanId::from_bytes([7; 8]).unwrap(), 1));
    first.finish();
    second.finish();
}

#[test]
fn a_ulid_is_the_16_bytes_of_a_w3c_trace_id() {
    let id: TraceId = "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap();
    let text = propagation::format_traceparent(id, SpanId::from_bytes([0xab; 8]).unwrap(), 0);
    assert_eq!(str::from_utf8(&text), Ok("00-01563e3ab5d3d6764c61efb99302bd5b-abababababababab-00"));
}
