//! obs-metrics, histograms that count in native buckets too.

use obs_metrics::{Format, HistogramFamily, Registry};

use super::Peer;
use super::record::{BUCKETS, Op, PAIRS, Run};

pub(super) struct Native;

impl Peer for Native {
    const SHOWS: &[Op] = &[Op::Histogram];

    fn page() -> String {
        let registry = Registry::new();
        seconds(&registry).observe(PAIRS[0], 0.03);
        seconds(&registry).observe(PAIRS[0], 0.7);
        registry.render(Format::Text)
    }

    fn record(op: Op, run: &Run) -> Option<f64> {
        let registry = Registry::new();
        let histograms = seconds(&registry);
        match op {
            Op::Histogram => {
                let histogram = histograms.with(PAIRS[0]);
                run.number(|value| histogram.observe(value))
            }
            Op::HistogramBy => run.pair_and_number(|pair, value| histograms.observe(pair, value)),
            _ => None,
        }
    }
}

fn seconds(registry: &Registry) -> HistogramFamily<2> {
    registry.histogram("seconds", "Duration of calls.", ["capability", "result"], &BUCKETS).native()
}
