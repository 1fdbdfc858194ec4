//! The page in all formats.

use std::sync::atomic::{AtomicBool, Ordering};

use obs_metrics::{Config, Format, Registry, testing};
use proptest::prelude::*;

use crate::exposition;
use crate::raise::RaiseOnDrop;

#[test]
fn both_text_formats_match_byte_for_byte() {
    let registry = Registry::new();
    registry.counter("calls_total", "Calls \"quoted\" \\ and\nbroken.", ["result"]).with(["o\"k\\\n"]).add(3);
    registry.gauge("depth", "Depth.", []).with([]).set(-1.5);
    registry.histogram("wait_seconds", "Waits.", ["queue"], &[0.1, 1.0]).with(["a"]).observe(0.5);
    let text = r#"# HELP calls_total Calls "quoted" \\ and\nbroken.
# TYPE calls_total counter
calls_total{result="o\"k\\\n"} 3
# HELP depth Depth.
# TYPE depth gauge
depth -1.5
# HELP wait_seconds Waits.
# TYPE wait_seconds histogram
wait_seconds_bucket{queue="a",le="0.1"} 0
wait_seconds_bucket{queue="a",le="1.0"} 1
wait_seconds_bucket{queue="a",le="+Inf"} 1
wait_seconds_sum{queue="a"} 0.5
wait_seconds_count{queue="a"} 1
"#;
    assert_eq!(registry.render(Format::Text), text);
    let open = text
        .replace("# HELP calls_total Calls \"quoted\"", "# HELP calls Calls \\\"quoted\\\"")
        .replace("# TYPE calls_total", "# TYPE calls");
    assert_eq!(registry.render(Format::OpenMetrics), open + "# EOF\n");
}

#[test]
fn quantiles_without_observations_are_nan() {
    let registry = Registry::new();
    drop(registry.summary("age_ms", "Ages.", []).with([]));
    let page = registry.render(Format::Text);
    assert!(page.contains("age_ms{quantile=\"0.99\"} NaN\n") && page.contains("age_ms_count 0\n"), "{page}");
}

#[test]
fn the_order_of_series_is_stable() {
    let registry = Registry::new();
    let calls = registry.counter("calls_total", "Calls.", ["peer"]);
    for peer in ["b", "a", "é", "a b", "", "B"] {
        calls.inc([peer]);
    }
    assert_eq!(registry.render(Format::Text), registry.render(Format::Text));
    let families = exposition::read(&registry.render(Format::Text), Format::Text);
    assert!(families[0].samples.is_sorted_by(|a, b| a.labels < b.labels));
}

/// Pages are made while four threads write. Each page is consistent, and nothing is lost.
#[test]
fn pages_are_consistent_under_writers() {
    let registry = Registry::new();
    let (waits, calls) = (
        registry.histogram("wait_seconds", "Waits.", ["queue"], &[1.0, 2.0, 3.0]),
        registry.counter("calls_total", "Calls.", ["queue"]),
    );
    let over = AtomicBool::new(false);
    let written: u64 = std::thread::scope(|scope| {
        let end = RaiseOnDrop(&over);
        let writers: Vec<_> = (0..4)
            .map(|thread: u64| {
                let (waits, calls, over) = (&waits, &calls, &over);
                scope.spawn(move || {
                    let mut written = 0;
                    loop {
                        waits.observe([&(written % 9).to_string()], (thread % 4) as f64);
                        calls.inc([&(written % 9).to_string()]);
                        written += 1;
                        if over.load(Ordering::Relaxed) {
                            return written;
                        }
                    }
                })
            })
            .collect();
        while testing::value(&registry, "calls_total", &[]).is_none() {
            std::thread::yield_now();
        }
        for _ in 0..100 {
            exposition::read(&registry.render(Format::OpenMetrics), Format::OpenMetrics);
        }
        drop(end);
        writers.into_iter().map(|writer| writer.join().unwrap()).sum()
    });
    assert_eq!(testing::value(&registry, "calls_total", &[]), Some(written as f64));
    assert_eq!(testing::value(&registry, "wait_seconds_count", &[]), Some(written as f64));
}

/// Every observation is 2, so a sum that does not belong to its count shows at once. The writers never pause. There are
/// more of them than thread slots, so both kinds of parts are in use.
#[test]
fn sum_and_count_belong_together_under_writers_that_never_pause() {
    let registry = Registry::new();
    let waits = registry.histogram("wait_seconds", "Waits.", [], &[1.0, 3.0]).with([]);
    let ages = registry.summary("age_ms", "Ages.", []).with([]);
    let over = AtomicBool::new(false);
    let check = || {
        let families = exposition::read(&registry.render(Format::OpenMetrics), Format::OpenMetrics);
        for name in ["wait_seconds", "age_ms"] {
            let samples = &exposition::family(&families, name).samples;
            let value = |suffix: &str| {
                samples.iter().find(|sample| sample.name.ends_with(suffix)).map(exposition::Sample::number)
            };
            assert_eq!(value("_sum").unwrap(), 2.0 * value("_count").unwrap(), "{name}");
        }
    };
    let written: u64 = std::thread::scope(|scope| {
        let end = RaiseOnDrop(&over);
        let write = || {
            let mut written = 0;
            while !over.load(Ordering::Relaxed) {
                waits.observe(2.0);
                ages.observe(2.0);
                written += 1;
            }
            written
        };
        let writers: Vec<_> = (0..40).map(|_| scope.spawn(write)).collect();
        while waits.count() == 0 {
            std::thread::yield_now();
        }
        std::thread::scope(|readers| (0..2).for_each(|_| _ = readers.spawn(|| (0..3).for_each(|_| check()))));
        drop(end);
        writers.into_iter().map(|writer| writer.join().unwrap()).sum()
    });
    check();
    assert_eq!((waits.count(), ages.count()), (written, written));
}

#[derive(Debug, Clone)]
enum Op {
    Count(u8, u32),
    Set(u8, f64),
    Observe(u8, f64),
    Summarise(u8, f64),
    Remove(u8),
}

fn op() -> impl Strategy<Value = Op> {
    let number = prop_oneof![any::<f64>(), Just(0.0), Just(f64::INFINITY), Just(f64::NAN), -10.0..10.0];
    prop_oneof![
        (0..6_u8, any::<u32>()).prop_map(|(s, n)| Op::Count(s, n)),
        (0..6_u8, number.clone()).prop_map(|(s, v)| Op::Set(s, v)),
        (0..6_u8, number.clone()).prop_map(|(s, v)| Op::Observe(s, v)),
        (0..6_u8, number).prop_map(|(s, v)| Op::Summarise(s, v)),
        (0..6_u8).prop_map(Op::Remove),
    ]
}

proptest! {
    /// A page is read back as what was recorded, and all formats show the same.
    #[test]
    fn all_formats_show_what_was_recorded(
        ops in proptest::collection::vec(op(), 0..60),
        below_zero in any::<bool>(),
    ) {
        let registry = Registry::new();
        let counters = registry.counter("c_total", "Counter.", ["s"]);
        let gauges = registry.gauge("g", "Gauge.", ["s"]);
        let bounds: &[f64] = if below_zero { &[-1.0, 0.0, 2.5, 1e7] } else { &[0.0, 2.5, 1e7] };
        let histograms = registry.histogram("h", "Histogram.", ["s"], bounds);
        let summaries = registry.summary("s", "Summary.", ["s"]);
        let (mut counted, mut set, mut observed) = ([None; 6], [None; 6], [None; 6]);
        for op in &ops {
            match *op {
                Op::Count(s, n) => {
                    counters.add([&s.to_string()], n.into());
                    *counted[usize::from(s)].get_or_insert(0) += u64::from(n);
                }
                Op::Set(s, value) => {
                    gauges.set([&s.to_string()], value);
                    set[usize::from(s)] = Some(value);
                }
                Op::Observe(s, value) => {
                    histograms.observe([&s.to_string()], value);
                    *observed[usize::from(s)].get_or_insert(0) += u64::from(!value.is_nan());
                }
                Op::Summarise(s, value) => summaries.with([&s.to_string()]).observe(value),
                Op::Remove(s) => {
                    counters.remove([&s.to_string()]);
                    counted[usize::from(s)] = None;
                }
            }
        }
        let text = exposition::read(&registry.render(Format::Text), Format::Text);
        let open = exposition::read(&registry.render(Format::OpenMetrics), Format::OpenMetrics);
        exposition::assert_agree(&text, &open);
        let protobuf = exposition::protobuf::read(&registry.expose(Format::Protobuf));
        exposition::protobuf::assert_agrees_with_text(&protobuf, &text);
        let found = |family: &str, sample: &str, s: usize| {
            let family = exposition::family(&text, family);
            let label = s.to_string();
            let mut matching = family.samples.iter().filter(|x| x.name == sample && x.label("s") == Some(&label));
            matching.next().map(exposition::Sample::number)
        };
        for s in 0..6 {
            prop_assert_eq!(found("c_total", "c_total", s), counted[s].map(|n| n as f64));
            prop_assert_eq!(found("g", "g", s).map(f64::to_bits), set[s].map(|v: f64| if v.is_nan() { f64::NAN } else { v }.to_bits()));
            prop_assert_eq!(found("h", "h_count", s), observed[s].map(|n| n as f64));
        }
    }
}

#[test]
fn rendering_protobuf_as_text_gives_the_text_format() {
    let registry = Registry::new();
    registry.counter("calls_total", "Calls.", []).inc([]);
    assert_eq!(registry.render(Format::Protobuf), registry.render(Format::Text));
}

/// A program that is no HearthNet node has a page of its own families, and still sees what it loses.
#[test]
fn the_standard_families_can_be_left_out_until_they_have_samples() {
    let registry = Registry::new();
    obs_metrics::standard::declare_in(&registry);
    obs_metrics::process::collect_in(&registry);
    let _ = registry.counter("calls_total", "Calls.", ["caller"]);
    let names = |format| {
        let page = registry.render(format);
        let types = page.lines().filter_map(|line| line.strip_prefix("# TYPE hearthnet_")?.split_once(' '));
        types.map(|(name, _)| name.to_owned()).collect::<Vec<_>>()
    };
    assert!(names(Format::Text).len() > 14);
    registry.configure(&Config::default().standard_families(false).series_cap(1)).unwrap();
    for format in [Format::Text, Format::OpenMetrics] {
        assert_eq!(names(format), [""; 0]);
        assert!(registry.render(format).contains("# TYPE calls"));
    }
    let calls = registry.counter("calls_total", "Calls.", ["caller"]);
    (0..2).for_each(|caller| calls.inc([&caller.to_string()]));
    assert_eq!(names(Format::Text), ["metrics_overflow_total"]);
    registry.configure(&Config::default()).unwrap();
    assert!(names(Format::Text).len() > 14);
}
