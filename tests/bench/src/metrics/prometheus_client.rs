//! prometheus-client. Its labels are a user's type: here with `&'static str`, its quickest form.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::Peer;
use super::encode::{Encoder, labels, value};
use super::record::{BUCKETS, Op, PAIRS, Run};

pub(super) struct PrometheusClient;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Labels {
    capability: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OwnedLabels {
    capability: String,
    node: String,
}

#[derive(Default)]
struct Families {
    calls: Family<Labels, Counter>,
    depth: Family<Labels, Gauge<f64, AtomicU64>>,
}

impl Peer for PrometheusClient {
    fn page() -> String {
        let Families { calls, depth } = Families::default();
        let seconds = seconds();
        let mut registry = Registry::default();
        registry.register("calls", "Calls answered", calls.clone());
        registry.register("depth", "Depth of a queue", depth.clone());
        registry.register("seconds", "Duration of calls", seconds.clone());
        calls.get_or_create(&labels_of(PAIRS[0])).inc_by(2);
        depth.get_or_create(&labels_of(PAIRS[0])).set(2.5);
        seconds.get_or_create(&labels_of(PAIRS[0])).observe(0.03);
        seconds.get_or_create(&labels_of(PAIRS[0])).observe(0.7);
        let mut page = String::new();
        text::encode(&mut page, &registry).expect("all can be encoded");
        page
    }

    fn record(op: Op, run: &Run) -> Option<f64> {
        let Families { calls, depth } = Families::default();
        let seconds = seconds();
        match op {
            Op::Counter => {
                let counter = calls.get_or_create_owned(&labels_of(PAIRS[0]));
                run.plain(|| _ = counter.inc())
            }
            Op::CounterBy => run.pair(|pair| _ = calls.get_or_create(&labels_of(pair)).inc()),
            Op::Gauge => {
                let gauge = depth.get_or_create_owned(&labels_of(PAIRS[0]));
                run.number(|value| _ = gauge.set(value))
            }
            Op::GaugeBy => {
                run.pair_and_number(|pair, value| _ = depth.get_or_create(&labels_of(pair)).set(value))
            }
            Op::Histogram => {
                let histogram = seconds.get_or_create_owned(&labels_of(PAIRS[0]));
                run.number(|value| histogram.observe(value))
            }
            Op::HistogramBy => {
                run.pair_and_number(|pair, value| seconds.get_or_create(&labels_of(pair)).observe(value))
            }
        }
    }

    fn encoder(series: usize) -> Option<Encoder> {
        let mut registry = Registry::default();
        let calls = Family::<OwnedLabels, Counter>::default();
        registry.register("calls", "Calls answered", calls.clone());
        for (at, [capability, node]) in labels(series).enumerate() {
            calls.get_or_create(&OwnedLabels { capability, node }).inc_by(value(at));
        }
        let mut page = String::new();
        let write = move || {
            page.clear();
            text::encode(&mut page, &registry).expect("all can be encoded");
            page.len()
        };
        Some(Encoder { text: None, open_metrics: Some(Box::new(write)) })
    }
}

fn labels_of([capability, result]: [&'static str; 2]) -> Labels {
    Labels { capability, result }
}

fn seconds() -> Family<Labels, Histogram, fn() -> Histogram> {
    Family::new_with_constructor(|| Histogram::new(BUCKETS))
}
