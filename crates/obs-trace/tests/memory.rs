//! Memory of the process stays flat. Alone in its binary, because it measures the whole process. The full run of ten
//! million traces is `cargo xtask memory`.
#![cfg(target_os = "linux")]

use obs_trace::{Store, new_trace, span};

fn resident_bytes() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// Ends traces of all sizes, some of them failed, of capabilities that a peer makes up.
fn traces(numbers: std::ops::Range<u32>) {
    for number in numbers {
        let trace = new_trace(&format!("made.up.{}", number % 1_000));
        trace.enter(|| {
            for _ in 0..number % 41 {
                span("forward").field("to", "a text that is longer than what a value holds").run(|| ());
            }
        });
        if number % 7 == 0 {
            trace.fail("timeout");
        }
        trace.finish();
    }
}

#[test]
fn memory_is_flat_over_many_traces() {
    let store = Store::default();
    let _scope = store.enter();
    traces(0..20_000);
    let full = resident_bytes();
    traces(20_000..80_000);
    let grown = resident_bytes().saturating_sub(full);
    let stats = store.stats();
    assert_eq!((stats.completed, stats.active), (80_000, 0));
    assert!(stats.ring_bytes <= 64 << 20);
    // The traces take 100 MiB in total, so a leak of one in ten would show.
    assert!(grown < 10 << 20, "{} MiB more after {} MiB", grown >> 20, full >> 20);
    assert!(resident_bytes() < 150 << 20, "{} MiB for 80 MiB of traces", resident_bytes() >> 20);
}
