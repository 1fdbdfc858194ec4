//! Contents of a registry as values.

use obs_metrics::{Kind, Registry, SampleValue, standard};

#[test]
fn a_snapshot_has_what_the_page_has() {
    let registry = Registry::new();
    registry.counter("a_total", "A.", ["x"]).with(["1"]).add(3);
    registry.gauge("b", "B.", []).set([], -2.5);
    registry.histogram("c_seconds", "C.", [], &[1.0, 2.0]).native().observe([], 1.5);
    registry.summary("d_ms", "D.", []).with([]).observe(7.0);
    registry.collect_with(Kind::Counter, "e_total", "E.", [], |samples| samples.push([], 4.0)).unwrap();
    registry.collect_with(Kind::Gauge, "f", "F.", ["y"], |samples| samples.push(["z"], 5.0)).unwrap();

    let families = registry.snapshot(|name, _| name.len() < 10);
    let names: Vec<&str> = families.iter().map(|family| family.name.as_str()).collect();
    assert_eq!(names, ["a_total", "b", "c_seconds", "d_ms", "e_total", "f"]);
    let value = |at: usize| &families[at].series[0].value;
    assert_eq!((value(0), families[0].series[0].label("x")), (&SampleValue::Counter(3.0), Some("1")));
    assert_eq!(value(1), &SampleValue::Gauge(-2.5));
    let SampleValue::Histogram(c) = value(2) else { panic!("a histogram") };
    assert_eq!((&c.counts[..], c.count(), c.sum), (&[0, 1, 0][..], 1, 1.5));
    let native = c.native.as_ref().unwrap();
    assert_eq!((native.schema, native.count()), (3, 1));
    let SampleValue::Summary(d) = value(3) else { panic!("a summary") };
    assert_eq!((d.count, d.sum, d.quantiles.len()), (1, 7.0, 4));
    assert_eq!(value(4), &SampleValue::Counter(4.0));
    assert_eq!((value(5), families[5].series[0].label("y")), (&SampleValue::Gauge(5.0), Some("z")));
    assert_eq!(families[5].series[0].label("absent"), None);
}

/// Families that are not wanted are not read, so a reader of a few gauges does not pay for a scrape.
#[test]
fn families_that_are_not_wanted_are_not_read() {
    let registry = Registry::new();
    registry.collect_with(Kind::Gauge, "costly", "C.", [], |_| panic!("read")).unwrap();
    registry.gauge("cheap", "C.", []).set([], 1.0);
    let gauges = registry.snapshot(|name, kind| kind == Kind::Gauge && name == "cheap");
    assert_eq!(gauges.len(), 1);
}

/// The native buckets of a snapshot keep their resolution, so that two of them can be subtracted.
#[test]
fn native_buckets_of_two_readings_are_subtracted() {
    let registry = Registry::new();
    let _scope = registry.enter();
    let observe = |ms: f64| standard::request_duration_ms().with(["llm.chat"]).observe_ms(ms);
    let read = || {
        let families = registry.snapshot(|name, _| name == "hearthnet_request_duration_seconds");
        let SampleValue::Histogram(value) = families[0].series[0].value.clone() else {
            panic!("a histogram")
        };
        value.native.unwrap()
    };
    // Far apart, so that a page would merge buckets between the two readings.
    (0..100).for_each(|step| observe(2_f64.powf(f64::from(step) / 4.0)));
    let first = read();
    (-400..0).for_each(|step| observe(2_f64.powf(f64::from(step) / 10.0)));
    let between = read().since(&first).unwrap();
    assert_eq!((between.count(), between.schema), (400, 3));
}
