//! Headers of calls to other nodes, so that their traces join ours.

use crate::record::SpanIndex;
use crate::{SpanId, Trace, context, propagation};

/// Headers of a call to another node. Made by [`outgoing`] and [`Span::outgoing`](crate::Span::outgoing).
///
/// ```
/// let trace = obs_trace::new_trace("llm.chat");
/// let headers = trace.enter(|| obs_trace::in_span("forward", obs_trace::outgoing)).unwrap();
/// assert_eq!(headers.request_id(), trace.id().to_text());
/// assert_eq!(headers.traceparent()[..3], *b"00-");
/// # trace.finish();
/// ```
#[derive(Clone, Debug)]
#[must_use = "the headers have no effect until a call sends them"]
pub struct Outgoing {
    trace: Trace,
    span_id: SpanId,
    flags: u8,
}

/// Returns the headers of a call that is made here. `None` if no trace is current.
///
/// The server's part of the trace becomes a child of the span that encloses the caller. That span is exported as the
/// client of a call, so begin a span for each call and ask within it.
pub fn outgoing() -> Option<Outgoing> {
    let at = context::position()?;
    if let Some(span) = at.parent {
        at.trace.0.mark_client(span);
    }
    Some(Outgoing::of(at.trace, at.parent))
}

impl Outgoing {
    pub(crate) fn of(trace: Trace, span: Option<SpanIndex>) -> Outgoing {
        Outgoing { span_id: trace.0.span_id_of(span), flags: trace.0.outgoing_flags(), trace }
    }

    /// Returns the value of `X-HearthNet-Request-Id`.
    pub fn request_id(&self) -> [u8; 26] {
        self.trace.id().to_text()
    }

    /// Returns the value of `traceparent`.
    ///
    /// The flag `sampled` is set, because every trace is recorded. It is not set if the caller did not set it and only
    /// sampled traces are exported (`otlp::Config::only_sampled`). The flag `random` is the caller's. It is set for an ID
    /// that was made here.
    pub fn traceparent(&self) -> [u8; 55] {
        propagation::format_traceparent(self.trace.id(), self.span_id, self.flags)
    }

    /// Returns the value of `tracestate`, if the trace came with one.
    pub fn tracestate(&self) -> Option<&str> {
        self.trace.0.caller()?.state.as_ref().map(|state| state.as_str())
    }
}
