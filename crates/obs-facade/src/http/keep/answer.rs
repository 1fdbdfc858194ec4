//! Marks that come with an answer, and those that go with one.

use http::{HeaderMap, HeaderName, HeaderValue};
use obs_trace::{Span, Trace};

use super::counts;

/// Header of an answer: a part of its trace failed, so the caller should keep its own part. The value is `error`.
pub const KEEP: HeaderName = HeaderName::from_static("x-hearthnet-keep");

/// Comment for a stream of server-sent events, before its last event: the mark of a trace of which a part failed after the
/// head of the answer was sent, although the stream itself ends well.
///
/// Readers of such streams skip comments. One that fails needs none: its last event says so.
pub const STREAM_COMMENT: &str = ": x-hearthnet-keep: error\n\n";

const ERROR: HeaderValue = HeaderValue::from_static("error");

/// Field of a client span whose server keeps its part of the trace.
pub(super) const PEER_KEEPS: &str = "peer_keeps";

/// Adds [`KEEP`] to an answer if a part of the trace failed so far.
pub(in crate::http) fn mark_response(trace: &Trace, headers: &mut HeaderMap) {
    if trace.is_broken() {
        headers.insert(KEEP, ERROR);
    }
}

/// Marks the current trace if the answer of `peer` has [`KEEP`], for a client that is not behind the layer. Returns whether it
/// has.
///
/// Call it inside the span of the request, which gets the field `peer_keeps`: the [`Courier`](super::Courier) need not tell
/// this peer. `peer` names the share of the marked traces that the mark counts for.
///
/// ```
/// use obs_facade::http::keep;
/// use obs_facade::trace;
///
/// let answer = http::Response::builder().header(keep::KEEP, "error").body(()).unwrap();
/// let trace = trace::new_trace("rag.query");
/// trace.enter(|| trace::in_span("forward", || keep::note_answer(answer.headers(), "ed25519:ada")));
/// assert!(trace.is_broken());
/// # trace.finish();
/// ```
pub fn note_answer(headers: &HeaderMap, peer: &str) -> bool {
    if !headers.contains_key(KEEP) {
        return false;
    }
    if let Some(trace) = obs_trace::current_trace() {
        trace.set_field(PEER_KEEPS, true);
        mark(&trace, peer);
    }
    true
}

/// Marks the trace of a client span if the response to its request has [`KEEP`].
pub(in crate::http) fn note_response(span: &Span, headers: &HeaderMap) {
    if headers.contains_key(KEEP) {
        span.set_field(PEER_KEEPS, true);
        mark_unanswered(span);
    }
}

/// Marks the trace of a client span. To be called for a request that got no answer, whose server may have taken part.
pub(in crate::http) fn mark_unanswered(span: &Span) {
    if let Some(trace) = span.trace() {
        let server = |key| span.field(key).map(|value| value.to_string()).unwrap_or_default();
        mark(trace, &format!("{}:{}", server("server.address"), server("server.port")));
    }
}

fn mark(trace: &Trace, peer: &str) {
    let result = if trace.mark(peer) { "kept" } else { "known" };
    counts::marks().inc(["answer", result]);
}
