//! Spans of the traces that exemplars name.

use std::cell::OnceCell;
use std::collections::HashMap;

use obs_trace::{SpanId, TraceId};

/// Root spans of the traces that the node has. Read when the first exemplar needs them.
///
/// An observation knows its trace. The span that enclosed it is the root span or below it.
#[derive(Default)]
pub(super) struct RootSpans(OnceCell<HashMap<TraceId, SpanId>>);

/// Number of traces that are looked at: all of the ring.
const RECENT: usize = 10_000;

impl RootSpans {
    /// Returns the IDs of a trace and of its root span, as OTLP writes them. The span is empty if the node no longer has the
    /// trace, and both are if `text` is no ID.
    pub(super) fn ids(&self, text: &str) -> (Vec<u8>, Vec<u8>) {
        let Ok(trace) = text.parse::<TraceId>() else { return (Vec::new(), Vec::new()) };
        let span = self.0.get_or_init(read).get(&trace);
        (trace.to_bytes().to_vec(), span.map_or_else(Vec::new, |span| span.to_bytes().to_vec()))
    }
}

fn read() -> HashMap<TraceId, SpanId> {
    obs_trace::get_recent(RECENT).iter().map(|trace| (trace.trace_id(), trace.span_id())).collect()
}
