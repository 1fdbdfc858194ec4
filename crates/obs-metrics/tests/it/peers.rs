//! The same recordings in other libraries. Their pages and ours must show the same samples.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;

use metrics::{Key, Label, Metadata, Recorder};
use metrics_exporter_prometheus::PrometheusBuilder;
use obs_metrics::{Format, Registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use proptest::prelude::*;

use crate::exposition;

const BOUNDS: [f64; 4] = [0.5, 1.0, 2.5, 100.0];

/// One record, with the values of two labels.
#[derive(Debug, Clone)]
struct Recording {
    labels: [String; 2],
    what: What,
}

#[derive(Debug, Clone, Copy)]
enum What {
    Count(u32),
    Set(f64),
    Observe(f64),
}

/// Few values, so that series repeat. None that another library escapes wrongly or not at all.
fn label() -> impl Strategy<Value = String> {
    prop_oneof![Just("a".to_owned()), Just("b".to_owned()), "[a-zA-Z0-9 {}=,#é\u{1f525}]{1,20}"]
}

fn recording() -> impl Strategy<Value = Recording> {
    let what = prop_oneof![
        any::<u32>().prop_map(What::Count),
        (-1e9..1e9).prop_map(What::Set),
        (0.0..200.0).prop_map(What::Observe),
        prop::sample::select(BOUNDS.to_vec()).prop_map(What::Observe),
    ];
    ([label(), label()], what).prop_map(|(labels, what)| Recording { labels, what })
}

fn ours(recordings: &[Recording], format: Format) -> String {
    let registry = Registry::new();
    let counts = registry.counter("c_total", "C.", ["x", "y"]);
    let levels = registry.gauge("g", "G.", ["x", "y"]);
    let sizes = registry.histogram("h", "H.", ["x", "y"], &BOUNDS);
    for Recording { labels: [x, y], what } in recordings {
        match *what {
            What::Count(n) => counts.add([x, y], n.into()),
            What::Set(value) => levels.set([x, y], value),
            What::Observe(value) => sizes.observe([x, y], value),
        }
    }
    registry.render(format)
}

fn exporter(recordings: &[Recording]) -> String {
    let recorder = PrometheusBuilder::new().set_buckets(&BOUNDS).unwrap().build_recorder();
    let metadata = Metadata::new("", metrics::Level::INFO, None);
    for Recording { labels: [x, y], what } in recordings {
        let key = |name: &'static str| {
            Key::from_parts(name, vec![Label::new("x", x.clone()), Label::new("y", y.clone())])
        };
        match *what {
            What::Count(n) => recorder.register_counter(&key("c_total"), &metadata).increment(n.into()),
            What::Set(value) => recorder.register_gauge(&key("g"), &metadata).set(value),
            What::Observe(value) => recorder.register_histogram(&key("h"), &metadata).record(value),
        }
    }
    recorder.handle().render()
}

fn prometheus_client(recordings: &[Recording]) -> String {
    type Labels = [(&'static str, String); 2];
    let counts = Family::<Vec<(&str, String)>, Counter>::default();
    let levels = Family::<Vec<(&str, String)>, Gauge<f64, AtomicU64>>::default();
    let sizes = Family::<Vec<(&str, String)>, Histogram, _>::new_with_constructor(|| Histogram::new(BOUNDS));
    for Recording { labels: [x, y], what } in recordings {
        let labels: Labels = [("x", x.clone()), ("y", y.clone())];
        let labels = labels.to_vec();
        match *what {
            What::Count(n) => _ = counts.get_or_create(&labels).inc_by(n.into()),
            What::Set(value) => _ = levels.get_or_create(&labels).set(value),
            What::Observe(value) => sizes.get_or_create(&labels).observe(value),
        }
    }
    let mut registry = prometheus_client::registry::Registry::default();
    registry.register("c", "C", counts);
    registry.register("g", "G", levels);
    registry.register("h", "H", sizes);
    let mut page = String::new();
    prometheus_client::encoding::text::encode(&mut page, &registry).unwrap();
    page
}

/// Returns values by name and labels. Bounds are parsed, because each library writes them in its own form.
fn samples(page: &str) -> BTreeMap<String, f64> {
    let keyed = |sample: exposition::Sample| {
        let mut labels = sample.labels.clone();
        for (name, value) in &mut labels {
            if name == "le" {
                *value = format!("{:?}", value.parse::<f64>().unwrap());
            }
        }
        labels.sort();
        (format!("{}{labels:?}", sample.name), sample.number())
    };
    exposition::samples(page).into_iter().map(keyed).collect()
}

fn assert_same(ours: &str, theirs: &str) {
    let (ours, theirs) = (samples(ours), samples(theirs));
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
    for (key, value) in ours {
        // Sums may differ in the last bits, because the order of additions differs.
        let other = theirs[&key];
        assert!((value - other).abs() <= 1e-9 * value.abs(), "{key}: {value} and {other}");
    }
}

proptest! {
    #[test]
    fn the_text_page_equals_that_of_metrics_exporter_prometheus(
        recordings in prop::collection::vec(recording(), 0..60),
    ) {
        assert_same(&ours(&recordings, Format::Text), &exporter(&recordings));
    }

    #[test]
    fn the_openmetrics_page_equals_that_of_prometheus_client(
        recordings in prop::collection::vec(recording(), 0..60),
    ) {
        assert_same(&ours(&recordings, Format::OpenMetrics), &prometheus_client(&recordings));
    }
}
