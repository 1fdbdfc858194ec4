//! Declarations, the standard families, and settings.

use obs_metrics::{Config, ErrorKind, Format, Kind, Registry, testing};

use crate::exposition::{self, family};

#[test]
fn declaring_again_returns_the_same_family() {
    let registry = Registry::new();
    registry.counter("calls_total", "Calls.", ["result"]).with(["ok"]).inc();
    registry.try_counter("calls_total", "Calls, told otherwise.", ["result"]).unwrap().with(["ok"]).inc();
    registry.try_counter("calls", "Calls.", ["result"]).unwrap().with(["ok"]).inc();
    assert_eq!(testing::value(&registry, "calls_total", &[("result", "ok")]), Some(3.0));
}

#[test]
fn a_conflict_names_both_declarations() {
    let registry = Registry::new();
    registry.histogram("size_bytes", "Sizes.", ["kind"], &[1.0, 2.0]);
    let refused = [
        registry.try_gauge("size_bytes", "", ["kind"]).err(),
        registry.try_histogram("size_bytes", "", ["other"], &[1.0, 2.0]).err(),
        registry.try_histogram("size_bytes", "", ["kind"], &[1.0, 3.0]).err(),
        registry.try_histogram("size_bytes", "", [], &[1.0, 2.0]).err(),
        registry.collect_with(Kind::Gauge, "size_bytes", "", [], |_| {}).err(),
    ];
    for error in refused {
        let error = error.expect("refused");
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert!(
            error.to_string().contains("size_bytes") && error.to_string().contains("histogram"),
            "{error}"
        );
    }
    registry.try_histogram("size_bytes", "", ["kind"], &[1.0, 2.0, f64::INFINITY]).unwrap();
}

/// In OpenMetrics, two families with equal sample names make a server refuse the whole page.
#[test]
fn names_with_equal_samples_are_refused() {
    let registry = Registry::new();
    registry.histogram("wait_seconds", "Waits.", [], &[]);
    registry.counter("jobs_total", "Jobs.", []);
    for name in ["wait_seconds_count", "wait_seconds_sum", "wait_seconds_bucket", "jobs", "jobs_created"] {
        assert_eq!(registry.try_gauge(name, "", []).unwrap_err().kind(), ErrorKind::Conflict, "{name}");
    }
    registry.try_gauge("wait", "", []).unwrap();
}

#[test]
fn a_refused_declaration_returns_a_family_that_does_nothing() {
    let registry = Registry::new();
    let refused = registry.counter("not a name", "Help.", ["le"]);
    refused.with(["x"]).inc();
    refused.inc(["x"]);
    refused.remove(["x"]);
    assert_eq!(refused.with(["x"]).value(), 0);
    drop(registry.gauge("__reserved", "", []).with([]).lease());
    registry.histogram("h", "", [], &[2.0, 1.0]).with([]).observe(1.0);
    assert_eq!(registry.render(Format::Text), "");
}

/// The 13 specified families and the histogram of request durations have HELP and TYPE before their first sample.
#[test]
fn the_standard_families_are_there_from_the_start() {
    let registry = Registry::new();
    obs_metrics::standard::declare_in(&registry);
    let families = exposition::read(&registry.render(Format::Text), Format::Text);
    let expected = [
        ("hearthnet_active_streams", "gauge"),
        ("hearthnet_blob_storage_bytes", "gauge"),
        ("hearthnet_capability_health_success_rate", "gauge"),
        ("hearthnet_emergency_mode", "gauge"),
        ("hearthnet_event_log_lamport_head", "gauge"),
        ("hearthnet_event_log_size", "gauge"),
        ("hearthnet_llm_concurrent", "gauge"),
        ("hearthnet_llm_tokens_generated_total", "counter"),
        ("hearthnet_nodes_online", "gauge"),
        ("hearthnet_rate_limited_total", "counter"),
        ("hearthnet_request_duration_ms", "summary"),
        ("hearthnet_request_duration_seconds", "histogram"),
        ("hearthnet_requests_total", "counter"),
        ("hearthnet_signature_failures_total", "counter"),
    ];
    let found: Vec<(&str, &str)> = families.iter().map(|family| (&*family.name, &*family.kind)).collect();
    assert_eq!(found, expected);
    assert!(families.iter().all(|family| !family.help.is_empty() && family.samples.is_empty()));
}

/// The summary is in milliseconds, the histogram in seconds.
#[test]
fn one_observation_feeds_summary_and_histogram() {
    let registry = Registry::new();
    let _scope = registry.enter();
    for ms in 1..=1000 {
        obs_metrics::standard::request_duration_ms().with(["llm.chat"]).observe_ms(f64::from(ms));
    }
    let families = exposition::read(&registry.render(Format::Text), Format::Text);
    let summary = family(&families, "hearthnet_request_duration_ms");
    assert_eq!(summary.kind, "summary");
    for (quantile, exact) in [("0.5", 500.0), ("0.9", 900.0), ("0.95", 950.0), ("0.99", 990.0)] {
        let sample =
            summary.samples.iter().find(|sample| sample.label("quantile") == Some(quantile)).unwrap();
        assert!((sample.number() - exact).abs() <= 0.02 * exact, "{quantile}: {}", sample.number());
    }
    let histogram = family(&families, "hearthnet_request_duration_seconds");
    assert_eq!(histogram.kind, "histogram");
    let sum = testing::value(&registry, "hearthnet_request_duration_seconds_sum", &[]).unwrap();
    assert!((sum - 500.5).abs() < 1e-6);
    assert_eq!(testing::value(&registry, "hearthnet_request_duration_ms_sum", &[]), Some(500_500.0));
    assert_eq!(testing::value(&registry, "hearthnet_request_duration_ms_count", &[]), Some(1000.0));
    assert_eq!(
        testing::value(&registry, "hearthnet_request_duration_seconds_count", &[("capability", "llm.chat")]),
        Some(1000.0)
    );
}

/// In other libraries a histogram without buckets silently becomes a summary.
#[test]
fn the_type_on_the_page_is_that_of_the_declaration() {
    let registry = Registry::new();
    registry.counter("a_total", "A.", []).with([]).inc();
    registry.gauge("b_count", "B.", []).with([]).set(1.0);
    registry.histogram("c", "C.", [], &[]).with([]).observe(1.0);
    registry.histogram("discount", "D.", [], &[]).with([]).observe(1.0);
    registry.summary("e_bucket", "E.", []).with([]).observe(1.0);
    for format in [Format::Text, Format::OpenMetrics] {
        let families = exposition::read(&registry.render(format), format);
        let kinds: Vec<(&str, &str, usize)> =
            families.iter().map(|family| (&*family.name, &*family.kind, family.samples.len())).collect();
        assert_eq!(
            kinds,
            [
                ("a_total", "counter", 1),
                ("b_count", "gauge", 1),
                ("c", "histogram", 14),
                ("discount", "histogram", 14),
                ("e_bucket", "summary", 6),
            ]
        );
    }
}

/// While metrics are off, nothing is recorded. Switched on again, held handles record.
#[test]
fn metrics_are_switched_off_and_on_at_run_time() {
    let registry = Registry::new();
    let calls = registry.counter("calls_total", "Calls.", ["result"]);
    let held = calls.with(["ok"]);
    held.inc();
    registry.configure(&Config::default().enabled(false)).unwrap();
    assert!(registry.disabled());
    held.inc();
    calls.inc(["ok"]);
    calls.with(["new"]).inc();
    registry.counter("later_total", "Later.", []).with([]).inc();
    registry.configure(&Config::default()).unwrap();
    assert!(!registry.disabled());
    held.inc();
    assert_eq!(testing::value(&registry, "calls_total", &[]), Some(2.0));
    assert_eq!(testing::value(&registry, "later_total", &[]), None);
}

#[test]
fn a_cap_of_zero_is_a_typed_error() {
    let registry = Registry::new();
    let error = registry.configure(&Config::default().series_cap(0)).unwrap_err();
    assert_eq!((error.kind(), error.field()), (ErrorKind::InvalidConfig, "series_cap"));
}

#[test]
fn an_unknown_label_is_a_typed_error() {
    let family = Registry::new().counter("calls_total", "Calls.", ["result"]);
    assert_eq!(family.try_untrusted(&["peer"]).unwrap_err().kind(), ErrorKind::UnknownLabel);
    assert_eq!(family.trust("peer", &["x"]).unwrap_err().kind(), ErrorKind::UnknownLabel);
}

/// With two versions of `metrics`, what the other one records is silently lost.
#[test]
fn the_build_has_one_version_of_metrics() {
    let lock = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock");
    let Ok(lock) = std::fs::read_to_string(lock) else {
        println!("skipped: no lock file beside this crate");
        return;
    };
    let versions = lock.lines().filter(|line| *line == "name = \"metrics\"").count();
    assert_eq!(versions, 1, "`cargo tree -d -i metrics` shows the crate that depends on the other one");
}

#[test]
fn an_error_has_a_field_a_problem_and_an_advice() {
    let registry = Registry::new();
    registry.gauge("depth", "Depth.", ["queue"]);
    let errors = [
        registry.try_gauge("bad name", "", []).unwrap_err(),
        registry.try_gauge("__name", "", []).unwrap_err(),
        registry.try_counter("_total", "", []).unwrap_err(),
        registry.try_gauge("a", "", ["le"]).unwrap_err(),
        registry.try_gauge("a", "", ["a b"]).unwrap_err(),
        registry.try_gauge("a", "", ["x", "x"]).unwrap_err(),
        registry.try_histogram("a", "", [], &[2.0, 1.0]).unwrap_err(),
        registry.try_histogram("a", "", [], &[f64::NAN]).unwrap_err(),
        registry
            .try_counter("depth", "", [])
            .map(|_| ())
            .and(registry.try_counter("depth", "", ["x"]))
            .unwrap_err(),
        registry.try_gauge("depth", "", ["other"]).unwrap_err(),
        registry.collect_with::<0>(Kind::Summary, "a", "", [], |_| {}).unwrap_err(),
        registry.gauge("depth", "", ["queue"]).trust("peer", &[]).unwrap_err(),
        registry.configure(&Config::default().series_cap(0)).unwrap_err(),
    ];
    for error in errors {
        assert!(![error.field(), error.problem(), error.advice()].contains(&""), "{error:?}");
        let text = format!("{}: {}; {}", error.field(), error.problem(), error.advice());
        assert_eq!(error.to_string(), text);
    }
}

/// A refused name may come from a peer. It must not control the terminal that shows the error.
#[test]
fn control_characters_of_a_refused_name_are_escaped() {
    for odd in ["a\u{1b}[2J", "a\nb", "a\u{202e}b", "a\u{2028}b", "a\u{61c}b", "a\u{9b}b"] {
        let error = Registry::new().try_gauge(odd, "", []).unwrap_err();
        assert_eq!(error.field(), odd);
        assert!(!error.to_string().contains(&odd[1..]), "{odd:?}: {error}");
    }
}
