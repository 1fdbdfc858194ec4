//! Values from peers: few series, exact totals, every text unchanged.

use obs_metrics::{Config, Format, MAX_VALUE_BYTES, OVERFLOW, Registry, testing};
use proptest::prelude::*;

use crate::exposition::{self, Sample, family};

fn samples(registry: &Registry, name: &str) -> Vec<Sample> {
    family(&exposition::read(&registry.render(Format::Text), Format::Text), name).samples.clone()
}

#[test]
fn a_million_hostile_values_stay_within_the_cap() {
    let registry = Registry::new();
    let calls =
        registry.counter("calls_total", "Calls.", ["capability", "result"]).untrusted(&["capability"]);
    for n in 0..1_000_000 {
        calls.inc([&format!("made.up.{n}"), if n % 4 == 0 { "error" } else { "ok" }]);
    }
    let samples = samples(&registry, "calls_total");
    assert!(samples.len() <= 256, "{}", samples.len());
    assert_eq!(testing::value(&registry, "calls_total", &[]), Some(1e6));
    assert_eq!(
        testing::value(&registry, "calls_total", &[("result", "error")]),
        Some(250_000.0),
        "the trusted label stays exact"
    );
    let overflowed = testing::value(&registry, "calls_total", &[("capability", OVERFLOW)]).unwrap();
    assert_eq!(
        testing::value(&registry, "hearthnet_metrics_overflow_total", &[("metric", "calls_total")]),
        Some(overflowed)
    );
}

#[test]
fn threads_that_race_for_the_last_row_lose_nothing() {
    let registry = Registry::new();
    let calls = registry.counter("calls_total", "Calls.", ["peer"]);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let calls = &calls;
            scope.spawn(move || {
                (0..5_000).for_each(|n| calls.inc([&format!("{}", (n * 7 + thread) % 3_000)]))
            });
        }
    });
    assert_eq!(testing::value(&registry, "calls_total", &[]), Some(40_000.0));
    assert!(samples(&registry, "calls_total").len() <= 256);
}

#[test]
fn the_cap_includes_the_overflow_series_and_is_settable() {
    let registry = Registry::new();
    registry.configure(&Config::default().series_cap(4)).unwrap();
    let calls = registry.counter("calls_total", "Calls.", ["peer"]);
    for peer in ["a", "b", "c", "d", "e", "e"] {
        calls.inc([peer]);
    }
    let shown: Vec<(String, f64)> =
        samples(&registry, "calls_total").iter().map(|s| (s.labels[0].1.clone(), s.number())).collect();
    assert_eq!(shown, [(OVERFLOW.into(), 3.0), ("a".into(), 1.0), ("b".into(), 1.0), ("c".into(), 1.0)]);
    registry.configure(&Config::default().series_cap(6)).unwrap();
    calls.inc(["d"]);
    assert_eq!(testing::value(&registry, "calls_total", &[("peer", "d")]), Some(1.0));
}

/// The rows do not exceed the cap, whatever the number of values of the trusted labels.
#[test]
fn trusted_labels_collapse_before_the_cap_is_exceeded() {
    let registry = Registry::new();
    let calls = registry.counter("calls_total", "Calls.", ["peer", "code"]).untrusted(&["peer"]);
    for n in 0..10_000 {
        calls.inc([&n.to_string(), &n.to_string()]);
    }
    assert_eq!(samples(&registry, "calls_total").len(), 256);
    assert_eq!(testing::value(&registry, "calls_total", &[]), Some(10_000.0));
    assert!(
        testing::value(&registry, "calls_total", &[("peer", OVERFLOW), ("code", OVERFLOW)]).unwrap()
            > 9_000.0
    );
}

#[test]
fn trusted_values_are_admitted_to_a_full_family() {
    let registry = Registry::new();
    let calls =
        registry.counter("calls_total", "Calls.", ["capability", "result"]).untrusted(&["capability"]);
    calls.trust("capability", &["llm.chat"]).unwrap();
    for n in 0..1_000 {
        calls.inc([&format!("made.up.{n}"), "ok"]);
    }
    calls.inc(["llm.chat", "ok"]);
    calls.inc(["llm.chat", "timeout"]);
    assert_eq!(
        testing::value(&registry, "calls_total", &[("capability", "llm.chat"), ("result", "timeout")]),
        Some(1.0)
    );
    assert_eq!(testing::value(&registry, "calls_total", &[("capability", "llm.chat")]), Some(2.0));
}

#[test]
fn removed_series_make_room_for_others() {
    let registry = Registry::new();
    registry.configure(&Config::default().series_cap(3)).unwrap();
    let online = registry.gauge("online", "Online.", ["node"]);
    let (first, _second) = (online.owned(["a"]), online.owned(["b"]));
    online.set(["c"], 1.0);
    assert_eq!(testing::value(&registry, "online", &[("node", "c")]), None);
    drop(first);
    online.set(["c"], 1.0);
    assert_eq!(testing::value(&registry, "online", &[("node", "c")]), Some(1.0));
}

#[test]
fn long_values_are_shortened_and_stay_different() {
    let registry = Registry::new();
    let calls = registry.counter("calls_total", "Calls.", ["peer"]);
    let long = "ß".repeat(1_000_000);
    calls.inc([&long]);
    calls.inc([&long]);
    calls.inc([&format!("{long}!")]);
    let samples = samples(&registry, "calls_total");
    assert_eq!(samples.len(), 2);
    assert!(samples.iter().all(|sample| sample.labels[0].1.len() <= MAX_VALUE_BYTES));
    assert!(calls.remove([&long]), "a long value is removed by its full text");
}

#[test]
fn nan_is_counted_apart() {
    let registry = Registry::new();
    let waits = registry.histogram("wait_seconds", "Waits.", ["queue"], &[1.0]);
    waits.observe(["a"], f64::NAN);
    waits.with(["a"]).observe(f64::NAN);
    waits.with(["a"]).observe(0.5);
    assert_eq!(testing::value(&registry, "wait_seconds_count", &[]), Some(1.0));
    assert_eq!(testing::value(&registry, "wait_seconds_sum", &[]), Some(0.5));
    assert_eq!(
        testing::value(&registry, "hearthnet_metrics_nan_total", &[("metric", "wait_seconds")]),
        Some(2.0)
    );
}

#[test]
fn collectors_are_capped_unique_and_may_panic() {
    let registry = Registry::new();
    registry.configure(&Config::default().series_cap(10)).unwrap();
    let many = |samples: &mut obs_metrics::Samples<1>| {
        (0..100).for_each(|n| samples.push([&n.to_string()], 1.0));
        samples.push(["0"], 7.0);
    };
    registry.collect_with(obs_metrics::Kind::Gauge, "many", "Many.", ["n"], many).unwrap();
    registry.collect_with(obs_metrics::Kind::Gauge, "bad", "Bad.", [], |_| panic!("on purpose")).unwrap();
    assert_eq!(samples(&registry, "many").len(), 10);
    assert_eq!(testing::value(&registry, "many", &[("n", "0")]), Some(7.0));
    assert!(samples(&registry, "bad").is_empty());
}

#[test]
fn equal_samples_of_a_collector_add_up_in_a_counter_and_replace_in_a_gauge() {
    let registry = Registry::new();
    let long = "l".repeat(1_000);
    let read = move |samples: &mut obs_metrics::Samples<1>| {
        for (values, value) in
            [("", 1.0), (&*long, 2.0), ("", 4.0), (&*long, 8.0), ("", f64::NAN), ("", -1.0)]
        {
            samples.push([values], value);
        }
    };
    registry.collect_with(obs_metrics::Kind::Counter, "sum_total", "Adds up.", ["of"], read.clone()).unwrap();
    registry.collect_with(obs_metrics::Kind::Gauge, "last", "The last.", ["of"], read).unwrap();
    let numbers = |name| samples(&registry, name).iter().map(|sample| sample.number()).collect::<Vec<_>>();
    assert_eq!(numbers("sum_total"), [5.0, 10.0]);
    assert_eq!(numbers("last"), [-1.0, 8.0]);
}

/// Any Unicode, with many characters that escaping concerns.
fn text() -> impl Strategy<Value = String> {
    let odd = prop::sample::select(vec![
        '\\', '"', '\n', '\r', '\0', 'n', '{', '}', ',', '=', '#', ' ', '\u{2028}',
    ]);
    prop::collection::vec(prop_oneof![any::<char>(), odd], 0..32)
        .prop_map(|chars| chars.into_iter().collect())
}

/// Any Unicode, with many characters that a name may have.
fn name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z_:]{1,12}", text(), "(\\PC|[a-z_:]){0,12}"]
}

proptest! {
    /// In other libraries an odd value makes the page invalid. Here any text is read back unchanged, and different texts are
    /// different series.
    #[test]
    fn any_text_round_trips(
        values in proptest::collection::btree_set(text(), 1..20),
        help in text(),
    ) {
        let registry = Registry::new();
        let seen = registry.counter("seen_total", &help, ["text", "other"]);
        values.iter().for_each(|value| seen.inc([value, "x"]));
        let expected: Vec<&String> = values.iter().collect();
        for format in [Format::Text, Format::OpenMetrics] {
            let families = exposition::read(&registry.render(format), format);
            let family = family(&families, "seen_total");
            prop_assert_eq!(&family.help, &help);
            let found: Vec<&String> = family.samples.iter().map(|sample| &sample.labels[0].1).collect();
            prop_assert_eq!(&found, &expected);
        }
    }

    /// A name is valid or refused with an error. Nothing panics, and no invalid name reaches the page.
    #[test]
    fn any_name_is_declared_or_refused(name in name(), label in name()) {
        let registry = Registry::new();
        match registry.try_gauge(&name, "Help.", [&label]) {
            Ok(family) => family.set(["x"], 1.0),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
        exposition::read(&registry.render(Format::Text), Format::Text);
        exposition::read(&registry.render(Format::OpenMetrics), Format::OpenMetrics);
    }
}

/// A flood of made-up values comes first, then a value that the program trusts.
#[test]
fn a_flood_takes_no_rows_if_only_trusted_values_are_shown() {
    let registry = Registry::new();
    let calls =
        registry.counter("calls_total", "Calls.", ["capability", "result"]).untrusted(&["capability"]);
    calls.trusted_only("capability").unwrap();
    let flood = |calls: &obs_metrics::CounterFamily<2>| {
        (0..100_000).for_each(|n| calls.inc([&format!("made.up.{n}"), "not_found"]));
    };
    flood(&calls);
    calls.trust("capability", &["rag.query"]).unwrap();
    let held = calls.with(["rag.query", "ok"]);
    held.inc();
    flood(&calls);
    calls.inc(["rag.query", "ok"]);
    let of = |capability| testing::value(&registry, "calls_total", &[("capability", capability)]);
    assert_eq!((of("rag.query"), of(OVERFLOW)), (Some(2.0), Some(200_000.0)));
    assert_eq!(samples(&registry, "calls_total").len(), 2);
    assert_eq!(
        testing::value(&registry, "hearthnet_metrics_overflow_total", &[("metric", "calls_total")]),
        Some(200_000.0)
    );
    assert_eq!(calls.trusted_only("peer").unwrap_err().kind(), obs_metrics::ErrorKind::UnknownLabel);
}

/// Holds for each family with text from peers, also after leases, removals and made-up values.
#[test]
fn trusted_values_have_a_series_in_every_standard_family() {
    use obs_metrics::standard;
    let registry = Registry::new();
    let _scope = registry.enter();
    standard::trust_capabilities(&["ours"]);
    standard::trusted_capabilities_only();
    standard::trust_models_only(&["tiny"]);
    standard::trust_nodes(&["us"]);
    let record = |name: &str, node: &str, model: &str| {
        standard::requests_total().inc([name, "ok"]);
        standard::observe_request_duration(name, std::time::Duration::from_millis(1));
        drop(standard::active_streams().with([name]).lease());
        standard::capability_health_success_rate().set([name, node], 1.0);
        standard::rate_limited_total().inc([name, "hard"]);
        standard::llm_tokens_generated_total().inc([model, "ollama"]);
        drop(standard::llm_concurrent().with([model]).lease());
    };
    for n in 0..1_000 {
        let name = format!("made.up.{n}");
        record(&name, &name, &name);
    }
    standard::trust_capabilities(&["theirs"]);
    standard::trust_nodes(&["them"]);
    record("ours", "us", "tiny");
    record("theirs", "them", "tiny");
    for name in ["ours", "theirs"] {
        for (family, label) in [
            ("hearthnet_requests_total", "capability"),
            ("hearthnet_request_duration_ms_count", "capability"),
            ("hearthnet_request_duration_seconds_count", "capability"),
            ("hearthnet_active_streams", "capability"),
            ("hearthnet_capability_health_success_rate", "capability"),
            ("hearthnet_rate_limited_total", "capability"),
        ] {
            assert!(testing::value(&registry, family, &[(label, name)]).is_some(), "{family} {name}");
        }
    }
    assert_eq!(
        testing::value(&registry, "hearthnet_llm_tokens_generated_total", &[("model", "tiny")]),
        Some(2.0)
    );
    let page = registry.render(obs_metrics::Format::Text);
    assert!(!page.contains("made.up"), "{page}");
}
