//! The crate prometheus.

use prometheus::{GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry, TextEncoder};

use super::Peer;
use super::encode::{Encoder, labels, value};
use super::record::{BUCKETS, Op, PAIRS, Run};

pub(super) struct Prometheus;

impl Peer for Prometheus {
    fn page() -> String {
        let (registry, calls, depth, seconds) = families();
        calls.with_label_values(&PAIRS[0]).inc_by(2);
        depth.with_label_values(&PAIRS[0]).set(2.5);
        seconds.with_label_values(&PAIRS[0]).observe(0.03);
        seconds.with_label_values(&PAIRS[0]).observe(0.7);
        TextEncoder::new().encode_to_string(&registry.gather()).expect("all can be encoded")
    }

    fn record(op: Op, run: &Run) -> Option<f64> {
        let (_, calls, depth, seconds) = families();
        match op {
            Op::Counter => {
                let counter = calls.with_label_values(&PAIRS[0]);
                run.plain(|| counter.inc())
            }
            Op::CounterBy => run.pair(|pair| calls.with_label_values(&pair).inc()),
            Op::Gauge => {
                let gauge = depth.with_label_values(&PAIRS[0]);
                run.number(|value| gauge.set(value))
            }
            Op::GaugeBy => run.pair_and_number(|pair, value| depth.with_label_values(&pair).set(value)),
            Op::Histogram => {
                let histogram = seconds.with_label_values(&PAIRS[0]);
                run.number(|value| histogram.observe(value))
            }
            Op::HistogramBy => {
                run.pair_and_number(|pair, value| seconds.with_label_values(&pair).observe(value))
            }
        }
    }

    fn encoder(series: usize) -> Option<Encoder> {
        let registry = Registry::new();
        let calls = IntCounterVec::new(Opts::new("calls_total", "Calls answered."), &["capability", "node"]);
        let calls = calls.expect("a valid name");
        registry.register(Box::new(calls.clone())).expect("the first of its name");
        for (at, labels) in labels(series).enumerate() {
            calls.with_label_values(&labels).inc_by(value(at));
        }
        let mut page = String::new();
        let write = move || {
            page.clear();
            TextEncoder::new().encode_utf8(&registry.gather(), &mut page).expect("all can be encoded");
            page.len()
        };
        Some(Encoder { text: Some(Box::new(write)), open_metrics: None })
    }
}

fn families() -> (Registry, IntCounterVec, GaugeVec, HistogramVec) {
    const LABELS: [&str; 2] = ["capability", "result"];
    let registry = Registry::new();
    let calls = IntCounterVec::new(Opts::new("calls_total", "Calls answered."), &LABELS);
    let depth = GaugeVec::new(Opts::new("depth", "Depth of a queue."), &LABELS);
    let seconds = HistogramOpts::new("seconds", "Duration of calls.").buckets(BUCKETS.into());
    let seconds = HistogramVec::new(seconds, &LABELS);
    let (calls, depth, seconds) =
        (calls.expect("a valid name"), depth.expect("a valid name"), seconds.expect("a valid name"));
    registry.register(Box::new(calls.clone())).expect("the first of its name");
    registry.register(Box::new(depth.clone())).expect("the first of its name");
    registry.register(Box::new(seconds.clone())).expect("the first of its name");
    (registry, calls, depth, seconds)
}
