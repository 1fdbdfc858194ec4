//! fastrace with parents from its thread-local stack.

use fastrace::prelude::{LocalSpan, Span, SpanContext, SpanId, TraceId};

use super::measure::time;
use super::{Peer, fastrace_sink};

pub(super) struct FastraceLocal;

impl Peer for FastraceLocal {
    fn start() -> Self {
        fastrace_sink::start();
        FastraceLocal
    }

    fn trace(&self, spans: usize) {
        let root = Span::root("root", SpanContext::new(TraceId::random(), SpanId::default()));
        let _current = root.set_local_parent();
        for _ in 0..spans {
            let _span = LocalSpan::enter_with_local_parent("step");
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

    fn without_trace() -> Option<f64> {
        fastrace_sink::start();
        Some(time(1_000_000, || drop(LocalSpan::enter_with_local_parent("step"))))
    }
}
