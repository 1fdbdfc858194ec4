//! tracing with the OpenTelemetry SDK behind it.

use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::otel_sink::Sink;
use super::{Peer, tracing_spans};

pub(super) struct TracingOpenTelemetry(Sink);

impl Peer for TracingOpenTelemetry {
    fn start() -> Self {
        let (sink, tracer) = Sink::start();
        Registry::default().with(tracing_opentelemetry::layer().with_tracer(tracer)).init();
        TracingOpenTelemetry(sink)
    }

    fn trace(&self, spans: usize) {
        tracing_spans::trace(spans);
    }

    fn settle(&self) {
        self.0.settle();
    }

    fn kept(&self) -> u64 {
        self.0.kept()
    }

    fn last(&self) -> Vec<String> {
        self.0.last()
    }
}
