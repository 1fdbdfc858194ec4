//! Allocations of a record: none once its series exists, none while metrics are off. Alone in its process, because it
//! replaces the allocator.
#![allow(unsafe_code, reason = "implementing an allocator requires it")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use obs_metrics::{Config, Registry};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `alloc` above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(f: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    f();
    ALLOCATIONS.get() - before
}

#[test]
fn recording_does_not_allocate() {
    obs_metrics::set_trace_id_source(|found| found("01HXR3F2M4C9T8Q0Z6V5K7B1AD"));
    let registry = Registry::new();
    let calls = registry.counter("calls_total", "Calls.", ["capability", "result"]);
    let waits = registry.histogram("wait_seconds", "Waits.", ["queue"], &[]);
    let ages = registry.summary("age_ms", "Ages.", ["queue"]);
    let depth = registry.gauge("depth", "Depth.", []);
    let round = || {
        calls.with(["llm.chat", "ok"]).inc();
        calls.inc(["llm.chat", "ok"]);
        waits.observe(["a"], 0.02);
        waits.with(["a"]).observe(0.02);
        ages.with(["a"]).observe(12.0);
        drop(depth.with([]).lease());
        depth.with([]).set(1.0);
    };
    let held = depth.with([]);
    held.set(1.0);
    round();
    assert!(allocations(|| drop(Vec::<u8>::with_capacity(10))) > 0, "allocations are counted");
    assert_eq!(allocations(|| (0..1000).for_each(|_| round())), 0);

    // More series than the look-up cache of a thread holds.
    let many: Vec<String> = (0..250).map(|n| format!("a.capability.of.some.length.{n}")).collect();
    let wide = registry.counter("wide_total", "Wide.", ["capability", "result"]);
    let wider = registry.counter("wider_total", "Wider.", ["capability"]);
    let all = || {
        many.iter().for_each(|value| {
            wide.inc([value, "ok"]);
            wider.inc([value]);
        });
    };
    all();
    assert_eq!(allocations(all), 0);

    registry.configure(&Config::default().enabled(false)).unwrap();
    let off = || {
        round();
        calls.inc(["never", "seen"]);
        calls.with(["never", "seen"]).inc();
        held.inc();
    };
    assert_eq!(allocations(|| (0..1000).for_each(|_| off())), 0);
}
