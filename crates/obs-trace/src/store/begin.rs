//! Beginning of a trace, in the store of the process or the one that the thread has entered.

use super::Store;
use crate::propagation::remote::Remote;
use crate::{Trace, TraceId};

/// Begins a trace, typically at the top of a capability handler.
///
/// The trace becomes current when it is [attached](crate::attach), [entered](Trace::enter) or given a future to
/// [scope](Trace::scope). At most 128 bytes of `capability` are kept. The name may come from an untrusted peer.
///
/// ```
/// let trace = obs_trace::new_trace("llm.chat");
/// assert_eq!(trace.capability(), "llm.chat");
/// # trace.finish();
/// ```
pub fn new_trace(capability: &str) -> Trace {
    begin(None, capability)
}

/// Begins a trace that continues a caller's trace under the same ID.
///
/// ```
/// let id = obs_trace::propagation::parse_request_id(b"01HXR3F2Q4T6V8X0Z2B4D6F8HJ").unwrap();
/// let trace = obs_trace::new_trace_with_id(id, "llm.chat");
/// assert_eq!(trace.id(), id);
/// # trace.finish();
/// ```
pub fn new_trace_with_id(id: TraceId, capability: &str) -> Trace {
    begin(Some(Remote::new(id)), capability)
}

/// Begins a trace that continues a caller's trace as a child of the caller's span.
///
/// ```
/// use obs_trace::{Remote, SpanId, TraceId};
///
/// let (id, span) = (TraceId::generate(), SpanId::from_bytes([1; 8]).unwrap());
/// let trace = obs_trace::new_trace_from(Remote::new(id).parent(span), "llm.chat");
/// assert_eq!(trace.id(), id);
/// assert_eq!(trace.finish().unwrap().parent_span_id(), Some(span));
/// ```
pub fn new_trace_from(remote: Remote, capability: &str) -> Trace {
    begin(Some(remote), capability)
}

fn begin(remote: Option<Remote>, capability: &str) -> Trace {
    let entered = Store::entered();
    let store = entered.as_ref().unwrap_or_else(|| Store::global());
    let sink = entered.as_ref().map(Store::sink);
    Trace(store.begin(remote, capability, sink))
}
