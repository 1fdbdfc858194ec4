//! fastrace with explicit parents.

use fastrace::prelude::{Span, SpanContext, SpanId, TraceId};

use super::{Peer, fastrace_sink};

pub(super) struct FastraceParents;

impl Peer for FastraceParents {
    fn start() -> Self {
        fastrace_sink::start();
        FastraceParents
    }

    fn trace(&self, spans: usize) {
        let root = Span::root("root", SpanContext::new(TraceId::random(), SpanId::default()));
        for _ in 0..spans {
            let _span = Span::enter_with_parent("step", &root);
        }
    }

    fn settle(&self) {
        fastrace::flush();
    }

    fn kept(&self) -> u64 {
        fastrace_sink::kept()
    }

    fn last(&self) -> Vec<String> {
        fastrace_sink::last()
    }

    /// Each span is a message, and a thread's queue has 10 240 messages.
    fn batch(spans: usize) -> usize {
        9_000 / (spans + 3)
    }
}
