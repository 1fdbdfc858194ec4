//! Origin of a trace that began elsewhere, as the headers of its request name it.

use super::{RANDOM, SAMPLED, TraceState};
use crate::{SpanId, TraceId};

/// Origin of a trace: the trace of the caller that the request names.
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

/// Span of another node that called this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) span_id: SpanId,
    pub(crate) state: Option<TraceState>,
}

impl Caller {
    /// Returns the bytes allocated beside the trace.
    pub(crate) fn heap_bytes(&self) -> usize {
        size_of::<Caller>() + self.state.as_ref().map_or(0, |state| state.as_str().len())
    }
}

impl Remote {
    /// Returns a trace with this ID that began elsewhere, with the flags of a caller that recorded it
    /// ([`SAMPLED`]).
    pub fn new(id: TraceId) -> Remote {
        Remote { id, flags: SAMPLED, caller: None }
    }

    /// Sets the flags of the caller's `traceparent`: [`SAMPLED`] and [`RANDOM`]. Reserved bits are cleared, as the
    /// standard demands.
    ///
    /// ```
    /// use obs_trace::{Remote, SpanId, TraceId, propagation};
    ///
    /// let span = SpanId::from_bytes([1; 8]).unwrap();
    /// let remote = Remote::new(TraceId::generate()).parent(span).flags(propagation::RANDOM);
    /// let trace = obs_trace::new_trace_from(remote, "llm.chat");
    /// let headers = trace.enter(obs_trace::outgoing).unwrap();
    /// assert!(headers.traceparent().ends_with(b"-03"), "this node records the trace");
    /// # trace.finish();
    /// ```
    pub fn flags(mut self, flags: u8) -> Remote {
        self.flags = flags & (SAMPLED | RANDOM);
        self
    }

    /// Sets the caller's span, which becomes the parent of the trace.
    pub fn parent(mut self, span_id: SpanId) -> Remote {
        self.caller = Some(Box::new(Caller { span_id, state: None }));
        self
    }

    /// Sets the `tracestate` of other tracing systems, which is passed on to every node that is called.
    ///
    /// Set the [`parent`](Remote::parent) first. Without one this has no effect.
    pub fn state(mut self, state: TraceState) -> Remote {
        if let Some(caller) = &mut self.caller {
            caller.state = Some(state);
        }
        self
    }
}
