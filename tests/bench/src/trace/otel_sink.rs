//! In-memory exporter for the OpenTelemetry SDK, behind its batch processor.

use std::sync::Mutex;

use opentelemetry::trace::{SpanId, TracerProvider};
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, InMemorySpanExporter, SdkTracer, SdkTracerProvider, SpanData,
};

pub(super) struct Sink {
    exporter: InMemorySpanExporter,
    provider: SdkTracerProvider,
    read: Mutex<Read>,
}

#[derive(Default)]
struct Read {
    traces: u64,
    last: Vec<SpanData>,
}

impl Sink {
    pub(super) fn start() -> (Sink, SdkTracer) {
        let exporter = InMemorySpanExporter::default();
        // The default queue of 2 048 spans would drop most of a batch of traces.
        let config = BatchConfigBuilder::default().with_max_queue_size(128 << 10).build();
        let processor = BatchSpanProcessor::builder(exporter.clone()).with_batch_config(config).build();
        let provider = SdkTracerProvider::builder().with_span_processor(processor).build();
        let tracer = provider.tracer("bench");
        (Sink { exporter, provider, read: Mutex::default() }, tracer)
    }

    /// Reads the exported spans and removes them.
    pub(super) fn settle(&self) {
        self.provider.force_flush().expect("the processor answers");
        let spans = self.exporter.get_finished_spans().expect("the exporter answers");
        self.exporter.reset();
        let mut read = self.read.lock().expect("nobody panics");
        read.traces += spans.iter().filter(|span| span.parent_span_id == SpanId::INVALID).count() as u64;
        read.last = spans;
    }

    pub(super) fn kept(&self) -> u64 {
        self.read.lock().expect("nobody panics").traces
    }

    pub(super) fn last(&self) -> Vec<String> {
        let read = self.read.lock().expect("nobody panics");
        read.last.iter().map(|span| span.name.to_string()).collect()
    }
}
