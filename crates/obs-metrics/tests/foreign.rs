//! Third-party crates that use the `metrics` macros. Alone in its process, because the recorder is global.

#[path = "exposition/mod.rs"]
mod exposition;

use exposition::{Family, family};
use metrics::{counter, describe_counter, describe_gauge, gauge, histogram};
use obs_metrics::{Config, Format, OVERFLOW, Registry, testing};

fn families() -> Vec<Family> {
    let text = exposition::read(&obs_metrics::render(Format::Text), Format::Text);
    let open = exposition::read(&obs_metrics::render(Format::OpenMetrics), Format::OpenMetrics);
    let foreign = |families: Vec<Family>| -> Vec<Family> {
        families.into_iter().filter(|family| !family.name.starts_with("process_")).collect()
    };
    let text = foreign(text);
    exposition::assert_agree(&text, &foreign(open));
    let mut page = exposition::protobuf::read(&obs_metrics::expose(Format::Protobuf));
    page.families = foreign(page.families);
    exposition::protobuf::assert_agrees_with_text(&page, &text);
    text
}

fn only_value(families: &[Family], name: &str) -> f64 {
    let samples = &family(families, name).samples;
    assert_eq!(samples.len(), 1, "{samples:?}");
    samples[0].number()
}

#[test]
fn macros_of_other_crates_are_on_the_page() {
    obs_metrics::configure(&Config::default()).unwrap();
    obs_metrics::configure(&Config::default()).unwrap();

    kinds_help_and_buckets();
    odd_names_and_labels();
    any_value_round_trips();
    keys_that_are_one_series_to_a_server_are_one_series();
    collisions_are_refused_and_reported();
    nan_is_counted();
    series_are_capped();
    memory_does_not_grow_with_keys_of_one_series();
    memory_does_not_grow_with_unscraped_observations();
    made_up_names_are_capped();
    macros_do_nothing_while_metrics_are_off();
}

fn kinds_help_and_buckets() {
    describe_counter!("lib.calls", "Calls of \"lib\" \\ all.");
    describe_gauge!("lib_depth", "Depth.");
    counter!("lib.calls", "kind" => "a").increment(2);
    counter!("lib.calls", "kind" => "a").increment(1);
    gauge!("lib_depth").set(f64::INFINITY);
    histogram!("lib_wait_seconds", "q" => "x").record(0.3);
    histogram!("lib_wait_seconds", "q" => "x").record(30.0);
    histogram!("discount").record(1.0);
    histogram!("lib_debts").record(-1.0);
    gauge!("lib_odd_sum").set(-1.0);

    let families = families();
    let calls = family(&families, "lib_calls_total");
    assert_eq!((&*calls.kind, &*calls.help), ("counter", "Calls of \"lib\" \\ all."));
    assert_eq!(only_value(&families, "lib_calls_total"), 3.0);
    assert_eq!(only_value(&families, "lib_depth"), f64::INFINITY);
    let waits = family(&families, "lib_wait_seconds");
    assert_eq!(waits.kind, "histogram", "a histogram stays a histogram");
    assert_eq!(waits.samples.len(), 14);
    let discount = family(&families, "discount");
    assert!(discount.samples.iter().any(|sample| sample.name == "discount_count"), "{discount:?}");
}

fn odd_names_and_labels() {
    counter!("1st name!", "le" => "x", "quantile" => "y", "__n" => "z", "a b" => "1", "a-b" => "2")
        .increment(1);
    counter!("__reserved").increment(1);
    let families = families();
    let odd = &family(&families, "foreign_1st_name__total").samples[0];
    let names: Vec<&str> = odd.labels.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names.len(), 4, "{names:?}");
    assert!(
        names.iter().all(|name| !["le", "quantile"].contains(name) && !name.starts_with("__")),
        "{names:?}"
    );
    assert_eq!(only_value(&families, "foreign___reserved_total"), 1.0);
}

fn any_value_round_trips() {
    let values = [
        "\\",
        "\\\\",
        "\"",
        "\\\"",
        "\n",
        "\\n",
        "é \u{1f525}",
        "a b,c={}",
        " # EOF",
        "",
        "\\\\\n\"",
        "\r",
        "\r\n",
        "\0",
        " ",
    ];
    for value in values {
        counter!("texts", "text" => value).increment(1);
    }
    let families = families();
    // A label without a value is not written.
    let text_of = |sample| exposition::Sample::label(sample, "text").unwrap_or_default();
    let mut found: Vec<&str> = family(&families, "texts_total").samples.iter().map(text_of).collect();
    found.sort_unstable();
    let mut expected = values;
    expected.sort_unstable();
    assert_eq!(found, expected);
}

/// To a server, a series is its name and its labels with a value, in any order. The reader of the page refuses duplicates.
fn keys_that_are_one_series_to_a_server_are_one_series() {
    counter!("same").increment(1);
    counter!("same", "tenant" => "").increment(2);
    counter!("same", "tenant" => "", "zone" => "").increment(4);
    counter!("same", "a b" => "", "a-b" => "x").increment(8);
    counter!("same", "a_b" => "x", "tenant" => "").increment(16);
    gauge!("same_depth").set(1.0);
    gauge!("same_depth", "tenant" => "").set(2.0);
    gauge!("same.depth", "tenant" => "", "le" => "").set(3.0);
    gauge!("same_depth", "a" => "1", "b" => "2").set(4.0);
    gauge!("same_depth", "b" => "2", "a" => "1").set(5.0);
    histogram!("same_seconds").record(0.25);
    histogram!("same_seconds", "tenant" => "", "quantile" => "").record(0.5);

    let families = families();
    let samples = &family(&families, "same_total").samples;
    assert_eq!(samples.iter().map(exposition::Sample::number).collect::<Vec<_>>(), [7.0, 24.0]);
    assert_eq!((samples[0].labels.len(), samples[1].label("a_b")), (0, Some("x")));
    let depths = &family(&families, "same_depth").samples;
    assert_eq!(depths.iter().map(exposition::Sample::number).collect::<Vec<_>>(), [3.0, 5.0]);
    let seconds = &family(&families, "same_seconds").samples;
    let of = |name| seconds.iter().find(|sample| sample.name == name).unwrap().number();
    assert_eq!((of("same_seconds_count"), of("same_seconds_sum")), (2.0, 0.75));
}

fn collisions_are_refused_and_reported() {
    gauge!("hearthnet_requests_total").set(666.0);
    counter!("hearthnet_requests").increment(666);
    gauge!("hearthnet_request_duration_ms_count").set(666.0);
    gauge!("twice_total").set(1.0);
    counter!("twice").increment(5);
    gauge!("declared_later").set(666.0);
    obs_metrics::counter("declared_later_total", "Ours.", []).with([]).inc();
    obs_metrics::gauge("declared_later", "Ours as well.", []);
    let page = obs_metrics::render(Format::Text);
    assert!(!page.contains("666"), "{page}");
    let families = families();
    assert_eq!(only_value(&families, "twice_total"), 1.0);
    for name in ["hearthnet_requests_total", "hearthnet_request_duration_ms_count", "twice_total"] {
        assert!(lost("refused", name) >= 1.0, "{name}");
    }
}

/// Returns the losses of a metric that the page shows.
fn lost(what: &str, metric: &str) -> f64 {
    testing::value(Registry::global(), &format!("hearthnet_metrics_{what}_total"), &[("metric", metric)])
        .unwrap_or(0.0)
}

/// NaN is left out of the histogram, and counted.
fn nan_is_counted() {
    let wait = histogram!("nan_seconds");
    wait.record(f64::NAN);
    wait.record(1.0);
    wait.record(f64::NAN);
    assert_eq!(family(&families(), "nan_seconds").samples.last().unwrap().number(), 1.0);
    assert_eq!(lost("nan", "nan_seconds"), 2.0);
}

/// Any number of keys may lead to one series, because labels are doubled or names too long.
fn memory_does_not_grow_with_keys_of_one_series() {
    let record = |n: u32| {
        counter!("doubled", "a" => "1", "a" => n.to_string()).increment(1);
        counter!("long", "a" => "1", format!("{}{n}", "l".repeat(1000)) => "1").increment(1);
        counter!(format!("{}{n}", "n".repeat(1000))).increment(1);
    };
    (0..10_000).for_each(record);
    let before = resident_bytes();
    (10_000..40_000).for_each(record);
    let grown = resident_bytes() - before;
    assert!(grown < 1e6, "{grown} bytes");
    assert_eq!(only_value(&families(), "doubled_total"), 40_000.0);
    assert_eq!(only_value(&families(), &format!("{}_total", "n".repeat(200))), 40_000.0);
}

fn series_are_capped() {
    for n in 0..10_000 {
        counter!("peers", "peer" => n.to_string()).increment(1);
    }
    let families = families();
    let peers = family(&families, "peers_total");
    assert!(peers.samples.len() <= 256, "{}", peers.samples.len());
    assert_eq!(peers.samples.iter().map(exposition::Sample::number).sum::<f64>(), 10_000.0);
    assert!(peers.samples.iter().any(|sample| sample.label("peer") == Some(OVERFLOW)));
    assert_eq!(lost("overflow", "peers_total"), 10_000.0 - 255.0);
}

/// The recorder keeps samples until its upkeep runs.
fn memory_does_not_grow_with_unscraped_observations() {
    let wait = histogram!("unscraped_seconds");
    (0..100_000).for_each(|_| wait.record(0.1));
    let before = resident_bytes();
    (0..3_000_000).for_each(|_| wait.record(0.1));
    let grown = resident_bytes() - before;
    assert!(grown < 4e6, "{grown} bytes");
    let families = families();
    let waits = family(&families, "unscraped_seconds");
    assert_eq!(waits.samples.last().unwrap().number(), 3_100_000.0);
}

fn made_up_names_are_capped() {
    for n in 0..3_000 {
        gauge!(format!("made_up_{n}")).set(1.0);
    }
    let page = obs_metrics::render(Format::Text);
    assert!(page.matches("# TYPE made_up_").count() <= 1024);
    assert!(page.matches("hearthnet_metrics_refused_total{").count() <= 129);
    assert!(lost("refused", OVERFLOW) > 1_800.0, "further refused names are counted together");
}

fn macros_do_nothing_while_metrics_are_off() {
    obs_metrics::configure(&Config::default().enabled(false)).unwrap();
    counter!("while_off").increment(1);
    obs_metrics::configure(&Config::default()).unwrap();
    assert!(!obs_metrics::render(Format::Text).contains("while_off"));
}

fn resident_bytes() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<f64>().ok()).unwrap_or(0.0) * 4096.0
}
