//! Series that end, and handles that outlive them.

use obs_metrics::{Format, Registry, testing};

#[test]
fn a_held_handle_lists_its_series_again() {
    let registry = Registry::new();
    let calls = registry.counter("calls_total", "Calls.", ["peer"]);
    let held = calls.with(["a"]);
    held.add(2);
    assert!(calls.remove(["a"]));
    assert!(!calls.remove(["a"]));
    assert_eq!(testing::value(&registry, "calls_total", &[]), None);
    held.inc();
    assert_eq!(testing::value(&registry, "calls_total", &[("peer", "a")]), Some(3.0));
    assert!(registry.render(Format::Text).contains("calls_total{peer=\"a\"} 3\n"));
}

#[test]
fn a_held_handle_writes_to_the_series_that_replaced_its_own() {
    let registry = Registry::new();
    let calls = registry.counter("calls_total", "Calls.", ["peer"]);
    let old = calls.with(["a"]);
    old.add(10);
    calls.remove(["a"]);
    let new = calls.with(["a"]);
    new.inc();
    old.inc();
    assert_eq!(new.value(), 2);
    assert_eq!(testing::value(&registry, "calls_total", &[]), Some(2.0));
}

#[test]
fn every_kind_of_handle_outlives_its_series() {
    let registry = Registry::new();
    let gauges = registry.gauge("depth", "Depth.", ["queue"]);
    let waits = registry.histogram("wait_seconds", "Waits.", ["queue"], &[]);
    let ages = registry.summary("age_ms", "Ages.", ["queue"]);
    let (gauge, wait, age) = (gauges.with(["a"]), waits.with(["a"]), ages.with(["a"]));
    gauges.remove(["a"]);
    waits.remove(["a"]);
    ages.remove(["a"]);
    gauge.set(3.0);
    wait.observe(0.5);
    age.observe(1.5);
    assert_eq!(testing::value(&registry, "depth", &[("queue", "a")]), Some(3.0));
    assert_eq!(testing::value(&registry, "wait_seconds_sum", &[("queue", "a")]), Some(0.5));
    assert_eq!(testing::value(&registry, "age_ms_sum", &[("queue", "a")]), Some(1.5));
}

#[test]
fn a_handle_outlives_its_registry() {
    let registry = Registry::new();
    let calls = registry.counter("calls_total", "Calls.", []);
    let held = calls.with([]);
    drop((registry, calls));
    held.inc();
    assert_eq!(held.value(), 1);
}

#[test]
fn the_last_lease_removes_the_series() {
    let registry = Registry::new();
    let streams = registry.gauge("streams", "Streams.", ["capability"]);
    let first = streams.with(["llm.chat"]).lease();
    let second = streams.with(["llm.chat"]).lease();
    assert_eq!(testing::value(&registry, "streams", &[]), Some(2.0));
    drop(first);
    assert_eq!(testing::value(&registry, "streams", &[]), Some(1.0));
    drop(second);
    assert_eq!(testing::value(&registry, "streams", &[]), None);
    let _again = streams.with(["llm.chat"]).lease();
    assert_eq!(testing::value(&registry, "streams", &[]), Some(1.0));
}

#[test]
fn the_end_of_a_lease_keeps_what_others_added() {
    let registry = Registry::new();
    let gauge = registry.gauge("streams", "Streams.", []).with([]);
    let lease = gauge.lease();
    gauge.add(5.0);
    drop(lease);
    assert_eq!(testing::value(&registry, "streams", &[]), Some(5.0));
}

#[test]
fn the_last_owner_removes_the_series_whatever_its_value() {
    let registry = Registry::new();
    let online = registry.gauge("online", "Online.", ["community"]);
    let (one, other) = (online.owned(["home"]), online.owned(["home"]));
    one.set(5.0);
    drop(one);
    assert_eq!(testing::value(&registry, "online", &[]), Some(5.0), "one owner is left");
    drop(other);
    assert_eq!(testing::value(&registry, "online", &[]), None);
}

#[test]
fn a_lease_on_a_removed_series_is_subtracted() {
    let registry = Registry::new();
    let streams = registry.gauge("streams", "Streams.", ["c"]);
    let handle = streams.with(["a"]);
    let lease = handle.lease();
    streams.remove(["a"]);
    let second = handle.lease();
    drop(lease);
    drop(second);
    handle.inc();
    assert_eq!(testing::value(&registry, "streams", &[]), Some(1.0));
}

/// Leases begin and end on many threads while other writes go on. The gauge ends at exactly the sum of the other writes.
#[test]
fn racing_leases_and_writes_balance() {
    let registry = Registry::new();
    let streams = registry.gauge("streams", "Streams.", ["c"]);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let held = streams.with(["a"]);
                for _ in 0..2_000 {
                    drop(held.lease());
                    held.inc();
                    drop(streams.with(["a"]).lease());
                }
            });
        }
    });
    assert_eq!(testing::value(&registry, "streams", &[]), Some(8_000.0));
}
