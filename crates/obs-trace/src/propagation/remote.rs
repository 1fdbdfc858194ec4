//! The other ends of a trace: who called us, and what to tell whom we call (T7).

use crate::propagation::{self, TraceState};
use crate::record::slots::SpanIndex;
use crate::{Trace, TraceId, context};

/// Where a trace comes from: what a request said of the trace that it belongs to.
///
/// ```
/// use obs_trace::{Remote, propagation};
///
/// let header = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/// let (id, span, _) = propagation::parse_traceparent(header).unwrap();
/// let trace = obs_trace::new_trace_from(Remote::new(id).parent(span), "llm.chat");
/// assert_eq!(trace.id(), id);
/// assert_eq!(trace.finish().unwrap().parent_span_id(), Some(span));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a trace begins with `new_trace_from`"]
pub struct Remote {
    pub(crate) id: TraceId,
    pub(crate) flags: u8,
    pub(crate) caller: Option<Box<Caller>>,
}

/// Boxed in a trace, because most have none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) span_id: [u8; 8],
    pub(crate) state: Option<TraceState>,
}

impl Caller {
    /// Bytes that it takes beside the trace.
    pub(crate) fn heap_bytes(&self) -> usize {
        size_of::<Caller>() + self.state.as_ref().map_or(0, |state| state.as_str().len())
    }
}

impl Remote {
    /// A trace with this ID that began elsewhere, with the flags of a caller that recorded it
    /// ([`SAMPLED`](propagation::SAMPLED)).
    pub fn new(id: TraceId) -> Remote {
        Remote { id, flags: propagation::SAMPLED, caller: None }
    }

    /// Sets the flags of the caller's `traceparent`: [`SAMPLED`](propagation::SAMPLED) and
    /// [`RANDOM`](propagation::RANDOM). Bits that the standard reserves are dropped, as it demands.
    ///
    /// ```
    /// use obs_trace::{Remote, TraceId, propagation};
    ///
    /// let remote = Remote::new(TraceId::generate()).parent([1; 8]).flags(propagation::RANDOM);
    /// let trace = obs_trace::new_trace_from(remote, "llm.chat");
    /// let told = trace.enter(obs_trace::outgoing).unwrap();
    /// assert!(told.traceparent().ends_with(b"-03"), "this node records it");
    /// # trace.finish();
    /// ```
    pub fn flags(mut self, flags: u8) -> Remote {
        self.flags = flags & (propagation::SAMPLED | propagation::RANDOM);
        self
    }

    /// The span of the caller that the trace is a child of. All zero is none.
    pub fn parent(mut self, span_id: [u8; 8]) -> Remote {
        if span_id != [0; 8] {
            self.caller = Some(Box::new(Caller { span_id, state: None }));
        }
        self
    }

    /// What other tracing systems have to say along the way; given on to every node that is called.
    /// Belongs to a [`parent`](Remote::parent), to be set before, and has no effect without one.
    pub fn state(mut self, state: TraceState) -> Remote {
        if let Some(caller) = &mut self.caller {
            caller.state = Some(state);
        }
        self
    }
}

/// What to tell a server that is called from here; made by [`outgoing`].
///
/// ```
/// let trace = obs_trace::new_trace("llm.chat");
/// let told = trace.enter(|| obs_trace::in_span("forward", obs_trace::outgoing)).unwrap();
/// assert_eq!(told.request_id(), trace.id().to_text());
/// assert_eq!(told.traceparent()[..3], *b"00-");
/// # trace.finish();
/// ```
#[derive(Clone, Debug)]
pub struct Outgoing {
    trace: Trace,
    span_id: [u8; 8],
    flags: u8,
}

/// What an outgoing call is to say, so that the server's part of the trace joins ours: it becomes a
/// child of the span that encloses the caller. `None` if no trace is current.
///
/// That span is exported as the client of a call, so give each call a span of its own and ask within it.
pub fn outgoing() -> Option<Outgoing> {
    let at = context::position()?;
    if let Some(span) = at.parent {
        at.trace.0.mark_client(span);
    }
    Some(Outgoing::of(at.trace, at.parent))
}

impl Outgoing {
    pub(crate) fn of(trace: Trace, span: Option<SpanIndex>) -> Outgoing {
        Outgoing { span_id: trace.0.span_ids().of(span), flags: trace.0.outgoing_flags(), trace }
    }

    /// The value of `X-HearthNet-Request-Id`.
    pub fn request_id(&self) -> [u8; 26] {
        self.trace.id().to_text()
    }

    /// The value of `traceparent`.
    ///
    /// Its flag `sampled` is set, because every trace is recorded, unless the caller did not set it and
    /// the export follows callers in that (`otlp::Config::only_sampled`). Its flag `random` is that of
    /// the caller, or set for an ID that was made here.
    pub fn traceparent(&self) -> [u8; 55] {
        propagation::format_traceparent(self.trace.id(), self.span_id, self.flags)
    }

    /// The value of `tracestate`, if the trace came with one.
    pub fn tracestate(&self) -> Option<&str> {
        self.trace.0.caller()?.state.as_ref().map(TraceState::as_str)
    }
}
