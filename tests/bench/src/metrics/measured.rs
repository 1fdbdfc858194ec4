//! measured. Text labels are interned in a `ParaCord`, as in its own benchmarks.

use measured::metric::MetricFamilyEncoding;
use measured::metric::group::Encoding;
use measured::metric::histogram::Thresholds;
use measured::metric::name::MetricName;
use measured::text::BufferedTextEncoder;
use measured::{Counter, CounterVec, FloatGauge, FloatGaugeVec, Histogram, HistogramVec, LabelGroup};
use paracord::ParaCord;

use super::Peer;
use super::encode::{Encoder, labels, value};
use super::record::{BUCKETS, Op, PAIRS, Run};

pub(super) struct Measured;

#[derive(Clone, Copy, LabelGroup)]
#[label(set = LabelsSet)]
struct Labels<'a> {
    #[label(dynamic_with = ParaCord)]
    capability: &'a str,
    #[label(dynamic_with = ParaCord)]
    result: &'a str,
}

impl Peer for Measured {
    fn page() -> String {
        let (calls, depth, seconds) = families();
        calls.inc_by(labels_of(PAIRS[0]), 2);
        depth.set(labels_of(PAIRS[0]), 2.5);
        seconds.observe(labels_of(PAIRS[0]), 0.03);
        seconds.observe(labels_of(PAIRS[0]), 0.7);
        let mut encoder = BufferedTextEncoder::new();
        write(&mut encoder, "calls_total", &calls);
        write(&mut encoder, "depth", &depth);
        write(&mut encoder, "seconds", &seconds);
        String::from_utf8_lossy(&encoder.finish()).into_owned()
    }

    fn record(op: Op, run: &Run) -> Option<f64> {
        let (calls, depth, seconds) = families();
        match op {
            Op::Counter => {
                let counter = Counter::new();
                run.plain(|| counter.inc())
            }
            Op::CounterBy => run.pair(|pair| calls.inc(labels_of(pair))),
            Op::Gauge => {
                let gauge = FloatGauge::new();
                run.number(|value| gauge.get_metric().set(value))
            }
            Op::GaugeBy => run.pair_and_number(|pair, value| depth.set(labels_of(pair), value)),
            Op::Histogram => {
                let histogram = Histogram::with_metadata(Thresholds::with_buckets(BUCKETS));
                run.number(|value| histogram.observe(value))
            }
            Op::HistogramBy => run.pair_and_number(|pair, value| seconds.observe(labels_of(pair), value)),
        }
    }

    fn encoder(series: usize) -> Option<Encoder> {
        let calls = CounterVec::<LabelsSet>::with_label_set(label_set());
        for (at, [capability, node]) in labels(series).enumerate() {
            calls.inc_by(Labels { capability: &capability, result: &node }, value(at));
        }
        let mut encoder = BufferedTextEncoder::new();
        let write = move || {
            write(&mut encoder, "calls_total", &calls);
            encoder.finish().len()
        };
        Some(Encoder { text: Some(Box::new(write)), open_metrics: None })
    }
}

fn label_set() -> LabelsSet {
    LabelsSet { capability: ParaCord::default(), result: ParaCord::default() }
}

fn families() -> (CounterVec<LabelsSet>, FloatGaugeVec<LabelsSet>, HistogramVec<LabelsSet, 11>) {
    (
        CounterVec::with_label_set(label_set()),
        FloatGaugeVec::with_label_set(label_set()),
        HistogramVec::with_label_set_and_metadata(label_set(), Thresholds::with_buckets(BUCKETS)),
    )
}

fn labels_of<'a>([capability, result]: [&'a str; 2]) -> Labels<'a> {
    Labels { capability, result }
}

fn write<M: MetricFamilyEncoding<BufferedTextEncoder>>(
    encoder: &mut BufferedTextEncoder,
    name: &'static str,
    metric: &M,
) {
    let name = MetricName::from_str(name);
    encoder.write_help(name, "Help.").expect("memory can be written");
    metric.collect_family_into(name, encoder).expect("memory can be written");
}
