//! tracing with fastrace's layer: spans of tracing in a trace of fastrace.

use fastrace::prelude::{Span, SpanContext, SpanId, TraceId};
use fastrace_tracing::FastraceCompatLayer;
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::measure::time;
use super::{Peer, fastrace_sink, tracing_spans};

pub(super) struct TracingFastrace;

impl Peer for TracingFastrace {
    fn start() -> Self {
        fastrace_sink::start();
        // Without the place in the source, which the others do not record either.
        let layer = FastraceCompatLayer::new().with_location(false).with_threads(false);
        Registry::default().with(layer).init();
        TracingFastrace
    }

    fn trace(&self, spans: usize) {
        let root = Span::root("root", SpanContext::new(TraceId::random(), SpanId::default()));
        let _current = root.set_local_parent();
        tracing_spans::steps(spans);
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
        Self::start();
        Some(time(1_000_000, || drop(tracing::info_span!("step").entered())))
    }
}
