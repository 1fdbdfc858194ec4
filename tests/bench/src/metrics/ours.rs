//! obs-metrics, a registry for each measurement.

use obs_metrics::{Config, CounterFamily, Format, GaugeFamily, HistogramFamily, Registry};

use super::Peer;
use super::encode::{Encoder, labels, value};
use super::record::{BUCKETS, Op, PAIRS, Run};

pub(super) struct Ours;

impl Peer for Ours {
    fn page() -> String {
        let registry = Registry::new();
        calls(&registry).add(PAIRS[0], 2);
        depth(&registry).set(PAIRS[0], 2.5);
        seconds(&registry).observe(PAIRS[0], 0.03);
        seconds(&registry).observe(PAIRS[0], 0.7);
        registry.render(Format::Text)
    }

    fn record(op: Op, run: &Run) -> Option<f64> {
        let registry = Registry::new();
        match op {
            Op::Counter => {
                let counter = calls(&registry).with(PAIRS[0]);
                run.plain(|| counter.inc())
            }
            Op::CounterBy => {
                let counters = calls(&registry);
                run.pair(|pair| counters.inc(pair))
            }
            Op::Gauge => {
                let gauge = depth(&registry).with(PAIRS[0]);
                run.number(|value| gauge.set(value))
            }
            Op::GaugeBy => {
                let gauges = depth(&registry);
                run.pair_and_number(|pair, value| gauges.set(pair, value))
            }
            Op::Histogram => {
                let histogram = seconds(&registry).with(PAIRS[0]);
                run.number(|value| histogram.observe(value))
            }
            Op::HistogramBy => {
                let histograms = seconds(&registry);
                run.pair_and_number(|pair, value| histograms.observe(pair, value))
            }
        }
    }

    fn off(op: Op, run: &Run) -> Option<f64> {
        let registry = Registry::new();
        registry.configure(&Config::default().enabled(false)).expect("a valid configuration");
        let counters = calls(&registry);
        let counter = counters.with(PAIRS[0]);
        if op == Op::Counter { run.plain(|| counter.inc()) } else { run.pair(|pair| counters.inc(pair)) }
    }

    fn encoder(series: usize) -> Option<Encoder> {
        let registry = Registry::new();
        registry.configure(&Config::default().series_cap(series)).expect("a valid configuration");
        let counters = registry.counter("calls_total", "Calls answered.", ["capability", "node"]);
        for (at, [capability, node]) in labels(series).enumerate() {
            counters.add([&capability, &node], value(at));
        }
        let again = registry.clone();
        Some(Encoder {
            text: Some(Box::new(move || registry.render(Format::Text).len())),
            open_metrics: Some(Box::new(move || again.render(Format::OpenMetrics).len())),
        })
    }
}

fn calls(registry: &Registry) -> CounterFamily<2> {
    registry.counter("calls_total", "Calls answered.", ["capability", "result"])
}

fn depth(registry: &Registry) -> GaugeFamily<2> {
    registry.gauge("depth", "Depth of a queue.", ["capability", "result"])
}

fn seconds(registry: &Registry) -> HistogramFamily<2> {
    registry.histogram("seconds", "Duration of calls.", ["capability", "result"], &BUCKETS)
}
