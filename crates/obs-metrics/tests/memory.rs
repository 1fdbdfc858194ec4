//! Memory does not grow. Alone in its process, because it measures the memory of the whole process.

use std::sync::{Mutex, PoisonError};

use obs_metrics::{Registry, standard, testing};

fn resident_bytes() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<f64>().ok()).unwrap_or(0.0) * 4096.0
}

fn growth(f: impl FnOnce()) -> f64 {
    let before = resident_bytes();
    f();
    resident_bytes() - before
}

/// Runs one test at a time, because each would measure the memory of the others.
static ALONE: Mutex<()> = Mutex::new(());

/// Observes ten million times without a scrape.
#[test]
fn memory_does_not_grow_with_unscraped_observations() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let registry = Registry::new();
    let waits = registry.histogram("wait_seconds", "Waits.", ["q"], &[]).with(["a"]);
    let ages = registry.summary("age_ms", "Ages.", ["q"]).with(["a"]);
    waits.observe(0.1);
    ages.observe(0.1);
    let grown = growth(|| (0..10_000_000).for_each(|n| waits.observe(f64::from(n % 1000) / 100.0)));
    assert!(grown < 1e6, "{grown} bytes");
    let grown = growth(|| (0..1_000_000).for_each(|n| ages.observe(f64::from(n % 1000) * 10.0)));
    assert!(grown < 1e6, "{grown} bytes");
    assert_eq!(waits.count(), 10_000_001);
}

/// Native buckets are allocated when a value falls among them. Their number is bounded however far values lie apart.
#[test]
fn memory_of_native_buckets_is_bounded() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let registry = Registry::new();
    let sizes = registry.histogram("size_bytes", "Sizes.", [], &[]).native().with([]);
    sizes.observe(1.0);
    let grown = growth(|| {
        for n in 0..2_000_000_u64 {
            // Covers every exponent and sign. NaN is left out.
            let value = f64::from_bits(n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            sizes.observe(if value.is_nan() { 0.0 } else { value });
        }
    });
    assert!(grown < 5e5, "{grown} bytes");
    assert_eq!(sizes.count(), 2_000_001);
}

/// Peers make up a million values, in counters and in durations.
#[test]
fn memory_does_not_grow_with_hostile_values() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let registry = Registry::new();
    let _scope = registry.enter();
    let calls = registry.counter("calls_total", "Calls.", ["peer"]);
    calls.inc(["warm"]);
    standard::observe_request_duration("warm", std::time::Duration::from_millis(1));
    let grown = growth(|| {
        let mut value = String::new();
        for n in 0..1_000_000_u32 {
            use std::fmt::Write;
            value.clear();
            write!(value, "peer-{n}-{}", "x".repeat((n % 150) as usize)).unwrap();
            calls.inc([&value]);
            if n % 10 == 0 {
                standard::observe_request_duration(&value, std::time::Duration::from_micros(n.into()));
            }
        }
    });
    assert!(grown < 2e6, "{grown} bytes");
    assert_eq!(testing::value(&registry, "calls_total", &[]), Some(1_000_001.0));
    assert_eq!(testing::value(&registry, "hearthnet_request_duration_ms_count", &[]), Some(100_001.0));
}
