//! Native histograms on the protobuf page.

use obs_metrics::{ErrorKind, Format, Registry};
use proptest::prelude::*;

use crate::exposition::protobuf::{self, Native};
use crate::exposition::{self, family};
use crate::raise::RaiseOnDrop;

fn page(registry: &Registry) -> protobuf::Page {
    let page = protobuf::read(&registry.expose(Format::Protobuf));
    let text = exposition::read(&registry.render(Format::Text), Format::Text);
    protobuf::assert_agrees_with_text(&page, &text);
    page
}

fn only_series<'a>(page: &'a protobuf::Page, name: &str) -> &'a Native {
    let series = &page.native[name];
    assert_eq!(series.len(), 1);
    &series[0]
}

#[test]
fn a_native_histogram_shows_native_and_classic_buckets() {
    let registry = Registry::new();
    let waits = registry.histogram("wait_seconds", "Waits.", ["queue"], &[0.1, 1.0]).native();
    for value in [0.04, 0.05, 0.05, 1.0, 7.0, 0.0, -2.0, f64::NAN] {
        waits.observe(["mail"], value);
    }
    let page = page(&registry);
    let native = only_series(&page, "wait_seconds");
    assert_eq!(native.labels, [("queue".to_owned(), "mail".to_owned())]);
    assert_eq!((native.count, native.schema, native.zero), (7, 3, 1));
    assert!((native.sum - 6.14).abs() < 1e-9);
    assert_eq!(native.zero_threshold, 2f64.powi(-64));
    // 2^(-37/8) = 0.0405, 2^(-34/8) = 0.0526, 2^(0/8) = 1, 2^(23/8) = 7.34.
    assert_eq!(Vec::from_iter(native.positive.clone()), [(-37, 1), (-34, 2), (0, 1), (23, 1)]);
    assert_eq!(Vec::from_iter(native.negative.clone()), [(8, 1)]);
    assert_eq!(family(&page.families, "wait_seconds").samples.len(), 5);
}

/// A bound that divides two buckets has the same text in both, and a histogram without native buckets keeps its own.
#[test]
fn a_page_for_victoriametrics_has_ranges_instead_of_declared_buckets() {
    let registry = Registry::new();
    let waits = registry.histogram("wait_seconds", "Waits.", ["queue"], &[0.1, 1.0]).native();
    for value in [0.0, -2.0, 1.0, 1.09, f64::INFINITY] {
        waits.observe(["mail"], value);
    }
    registry.histogram("size_bytes", "Sizes.", [], &[1.0]).with([]).observe(2.0);
    let lines = [
        "# HELP size_bytes Sizes.",
        "# TYPE size_bytes histogram",
        r#"size_bytes_bucket{le="1.0"} 0"#,
        r#"size_bytes_bucket{le="+Inf"} 1"#,
        "size_bytes_sum 2",
        "size_bytes_count 1",
        "# HELP wait_seconds Waits.",
        "# TYPE wait_seconds histogram",
        r#"wait_seconds_bucket{queue="mail",vmrange="-2.000e0...-1.834e0"} 1"#,
        r#"wait_seconds_bucket{queue="mail",vmrange="-5.421e-20...5.421e-20"} 1"#,
        r#"wait_seconds_bucket{queue="mail",vmrange="9.170e-1...1.000e0"} 1"#,
        r#"wait_seconds_bucket{queue="mail",vmrange="1.000e0...1.091e0"} 1"#,
        r#"wait_seconds_bucket{queue="mail",vmrange="+Inf...+Inf"} 1"#,
        r#"wait_seconds_sum{queue="mail"} +Inf"#,
        r#"wait_seconds_count{queue="mail"} 5"#,
    ];
    assert_eq!(registry.render(Format::VmRange).lines().collect::<Vec<_>>(), lines);
    assert_eq!(Format::VmRange.content_type(), Format::Text.content_type());
}

#[test]
fn a_histogram_is_not_native_by_default() {
    let registry = Registry::new();
    registry.histogram("wait_seconds", "Waits.", [], &[]).with([]).observe(1.0);
    assert!(page(&registry).native["wait_seconds"].is_empty());
}

/// A server judges a family by its first series, so an empty series must be native too.
#[test]
fn a_series_is_native_before_its_first_observation() {
    let registry = Registry::new();
    let waits = registry.histogram("wait_seconds", "Waits.", ["queue"], &[]).native();
    let _held = waits.with(["empty"]);
    waits.observe(["mail"], 1.0);
    let page = page(&registry);
    let counts: Vec<u64> = page.native["wait_seconds"].iter().map(|native| native.count).collect();
    assert_eq!(counts, [0, 1]);
    assert!(page.native["wait_seconds"][0].zero_threshold > 0.0);
}

/// All series of a family are native or none is.
#[test]
fn a_family_with_series_does_not_become_native() {
    let registry = Registry::new();
    let declare = || registry.histogram("wait_seconds", "Waits.", ["queue"], &[]);
    let early = declare();
    let held = early.with(["a"]);
    assert_eq!(early.try_native().unwrap_err().kind(), ErrorKind::Conflict);
    early.remove(["a"]);
    assert_eq!(
        declare().try_native().unwrap_err().kind(),
        ErrorKind::Conflict,
        "its handle may list it again"
    );
    held.observe(1.0);
    assert!(page(&registry).native["wait_seconds"].is_empty());

    let sizes = registry.histogram("size_bytes", "Sizes.", [], &[]).native();
    sizes.observe([], 1.0);
    sizes.try_native().expect("it is native already");
    registry.histogram("size_bytes", "Sizes.", [], &[]).observe([], 1.0);
    assert_eq!(only_series(&page(&registry), "size_bytes").count, 2, "the same family, declared again");
}

/// A scope takes the setting over from the global registry.
#[test]
fn a_global_family_is_native_in_a_scope_too() {
    let registry = Registry::new();
    let _scope = registry.enter();
    let inside = obs_metrics::histogram("native_inside_scope", "Inside.", [], &[]).native();
    inside.observe([], 1.0);
    assert_eq!(only_series(&page(&registry), "native_inside_scope").count, 1);

    let later = Registry::new();
    let _scope = later.enter();
    inside.observe([], 1.0);
    inside.observe([], 1.0);
    assert_eq!(only_series(&page(&later), "native_inside_scope").count, 2);
}

/// The writers never pause. There are more of them than thread slots, so both kinds of parts are in use.
#[test]
fn native_buckets_belong_to_their_count_under_writers_that_never_pause() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let registry = Registry::new();
    let waits = registry.histogram("wait_seconds", "Waits.", [], &[1.0]).native().with([]);
    let over = AtomicBool::new(false);
    let read = || protobuf::read(&registry.expose(Format::Protobuf)); // compares the count with the buckets
    let written: u64 = std::thread::scope(|scope| {
        let end = RaiseOnDrop(&over);
        let write = |thread: u32| {
            let (waits, over) = (&waits, &over);
            scope.spawn(move || {
                let mut written = 0_u32;
                while !over.load(Ordering::Relaxed) {
                    waits.observe(f64::from(thread + 1) * f64::from(written % 100));
                    written += 1;
                }
                u64::from(written)
            })
        };
        let writers: Vec<_> = (0..40).map(write).collect();
        for _ in 0..3 {
            read();
        }
        drop(end);
        writers.into_iter().map(|writer| writer.join().unwrap()).sum()
    });
    assert_eq!(only_series(&read(), "wait_seconds").count, written);
}

/// Returns the bounds of the bucket with this index, by their definition, with room for rounding.
fn bounds(schema: i32, index: i32) -> (f64, f64) {
    let bound = |index: i32| (f64::from(index) * 2f64.powi(-schema)).exp2();
    (bound(index - 1) * (1.0 - 1e-12), bound(index) * (1.0 + 1e-12))
}

fn value() -> impl Strategy<Value = f64> {
    let wide = (-60.0..60.0).prop_map(|exponent: f64| exponent.exp2());
    prop_oneof![
        wide.clone(),
        wide.prop_map(|value| -value),
        0.001..10.0,
        Just(0.0),
        (-60..60_i32).prop_map(|e| 2f64.powi(e))
    ]
}

proptest! {
    /// Every value is in the bucket whose bounds contain it, at any resolution of the page.
    #[test]
    fn each_value_is_in_its_bucket(values in proptest::collection::vec(value(), 0..600)) {
        let registry = Registry::new();
        let sizes = registry.histogram("sizes", "Sizes.", [], &[1.0]).native().with([]);
        values.iter().for_each(|value| sizes.observe(*value));
        let page = page(&registry);
        let native = only_series(&page, "sizes");
        prop_assert!(native.positive.len() + native.negative.len() <= 160);
        prop_assert_eq!(native.zero, values.iter().filter(|value| **value == 0.0).count() as u64);
        for (sign, buckets) in [(1.0, &native.positive), (-1.0, &native.negative)] {
            let mut sizes: Vec<f64> = values.iter().map(|value| sign * value).filter(|value| *value > 0.0).collect();
            sizes.sort_by(f64::total_cmp);
            let mut sizes = sizes.into_iter();
            for (index, count) in buckets {
                let (lower, upper) = bounds(native.schema, *index);
                for size in sizes.by_ref().take(*count as usize) {
                    prop_assert!(lower <= size && size <= upper, "{} in {}..{}", size, lower, upper);
                }
            }
            prop_assert_eq!(sizes.next(), None);
        }
    }
}
