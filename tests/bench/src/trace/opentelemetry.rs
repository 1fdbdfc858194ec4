//! The OpenTelemetry SDK, used directly.

use opentelemetry::Context;
use opentelemetry::trace::{Span, TraceContextExt, Tracer};
use opentelemetry_sdk::trace::SdkTracer;

use super::Peer;
use super::otel_sink::Sink;

pub(super) struct OpenTelemetry {
    sink: Sink,
    tracer: SdkTracer,
}

impl Peer for OpenTelemetry {
    fn start() -> Self {
        let (sink, tracer) = Sink::start();
        OpenTelemetry { sink, tracer }
    }

    fn trace(&self, spans: usize) {
        let root = Context::new().with_span(self.tracer.start_with_context("root", &Context::new()));
        for _ in 0..spans {
            self.tracer.start_with_context("step", &root).end();
        }
        root.span().end();
    }

    fn settle(&self) {
        self.sink.settle();
    }

    fn kept(&self) -> u64 {
        self.sink.kept()
    }

    fn last(&self) -> Vec<String> {
        self.sink.last()
    }
}
