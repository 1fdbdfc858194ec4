//! The OpenTelemetry SDK with a reader that collects once a minute. "Held" is an instrument with prepared attributes.

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData, ResourceMetrics};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};

use super::Peer;
use super::record::{BUCKETS, Op, PAIRS, Run};

pub(super) struct OpenTelemetry;

impl Peer for OpenTelemetry {
    fn page() -> String {
        let (exporter, provider, meter) = meter();
        let attributes = attributes(PAIRS[0]);
        meter.u64_counter("calls_total").build().add(2, &attributes);
        meter.f64_gauge("depth").build().record(2.5, &attributes);
        let seconds = meter.f64_histogram("seconds").with_boundaries(BUCKETS.into()).build();
        seconds.record(0.03, &attributes);
        seconds.record(0.7, &attributes);
        provider.force_flush().expect("the reader answers");
        exporter.get_finished_metrics().expect("the exporter answers").iter().map(lines).collect()
    }

    fn record(op: Op, run: &Run) -> Option<f64> {
        let (_, provider, meter) = meter();
        let held = attributes(PAIRS[0]);
        let calls = meter.u64_counter("calls_total").build();
        let depth = meter.f64_gauge("depth").build();
        let seconds = meter.f64_histogram("seconds").with_boundaries(BUCKETS.into()).build();
        let time = match op {
            Op::Counter => run.plain(|| calls.add(1, &held)),
            Op::CounterBy => run.pair(|pair| calls.add(1, &attributes(pair))),
            Op::Gauge => run.number(|value| depth.record(value, &held)),
            Op::GaugeBy => run.pair_and_number(|pair, value| depth.record(value, &attributes(pair))),
            Op::Histogram => run.number(|value| seconds.record(value, &held)),
            Op::HistogramBy => run.pair_and_number(|pair, value| seconds.record(value, &attributes(pair))),
        };
        provider.shutdown().expect("the reader ends");
        time
    }
}

fn meter() -> (InMemoryMetricExporter, SdkMeterProvider, Meter) {
    let exporter = InMemoryMetricExporter::default();
    let reader = PeriodicReader::builder(exporter.clone()).build();
    let provider = SdkMeterProvider::builder().with_reader(reader).build();
    let meter = provider.meter("bench");
    (exporter, provider, meter)
}

fn attributes([capability, result]: [&'static str; 2]) -> [KeyValue; 2] {
    [KeyValue::new("capability", capability), KeyValue::new("result", result)]
}

/// Returns the data as lines, because the SDK has no page of its own.
fn lines(all: &ResourceMetrics) -> String {
    let mut page = String::new();
    for metric in all.scope_metrics().flat_map(|scope| scope.metrics()) {
        let name = metric.name();
        match metric.data() {
            AggregatedMetrics::U64(MetricData::Sum(sum)) => {
                sum.data_points().for_each(|point| page += &line(name, point.attributes(), point.value()));
            }
            AggregatedMetrics::F64(MetricData::Gauge(gauge)) => {
                gauge.data_points().for_each(|point| page += &line(name, point.attributes(), point.value()));
            }
            AggregatedMetrics::F64(MetricData::Histogram(histogram)) => {
                let name = format!("{name}_count");
                let points = histogram.data_points();
                points.for_each(|point| page += &line(&name, point.attributes(), point.count()));
            }
            _ => {}
        }
    }
    page
}

fn line<'a>(
    name: &str,
    attributes: impl Iterator<Item = &'a KeyValue>,
    value: impl std::fmt::Display,
) -> String {
    let labels: Vec<_> =
        attributes.map(|attribute| format!("{}={:?}", attribute.key, attribute.value.as_str())).collect();
    format!("{name}{{{}}} {value}\n", labels.join(","))
}
