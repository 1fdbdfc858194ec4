//! M7, M11: memory does not grow. Alone in its process, because it looks at all of the process's memory.

use std::sync::{Mutex, PoisonError};

use obs_metrics::{Registry, standard};

fn resident_bytes() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<f64>().ok()).unwrap_or(0.0) * 4096.0
}

fn growth(f: impl FnOnce()) -> f64 {
    let before = resident_bytes();
    f();
    resident_bytes() - before
}

/// One test at a time, as each would see the other's memory.
static ALONE: Mutex<()> = Mutex::new(());

/// Ten million observations and no scrape.
#[test]
fn pain_01_unscraped_histograms_stay_flat() {
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

/// Native buckets are made when a value falls among them: however far values lie apart, their number is bounded.
#[test]
fn pain_01_native_buckets_are_bounded() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let registry = Registry::new();
    let sizes = registry.histogram("size_bytes", "Sizes.", [], &[]).native().with([]);
    sizes.observe(1.0);
    let grown = growth(|| {
        for n in 0..2_000_000_u64 {
            // Every exponent and sign there is, NaN left out.
            let value = f64::from_bits(n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            sizes.observe(if value.is_nan() { 0.0 } else { value });
        }
    });
    assert!(grown < 5e5, "{grown} bytes");
    assert_eq!(sizes.count(), 2_000_001);
}

/// A million values made up by peers, in counters and in durations.
#[test]
fn pain_02_hostile_values_take_no_memory() {
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
    assert_eq!(registry.value("calls_total", &[]), Some(1_000_001.0));
    assert_eq!(registry.value("hearthnet_request_duration_ms_count", &[]), Some(100_001.0));
}
