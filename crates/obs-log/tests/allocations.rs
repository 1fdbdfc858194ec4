//! Allocations of the calling thread for an enabled line: none in steady state.
#![allow(unsafe_code, reason = "counting allocations takes an allocator")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use obs_log::{Config, Console, Logger, configure, info};

struct Counting;

thread_local!(static COUNT: Cell<u64> = const { Cell::new(0) });

// SAFETY: passes every call on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's contract is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract is the same.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static LOG: Logger = Logger::new(module_path!());

#[test]
fn a_line_allocates_nothing_in_steady_state() {
    let dir = tempfile::tempdir().unwrap();
    let _guard = configure(&Config::new(dir.path()).console(Console::Off)).unwrap();
    let nested = (1, "two", [3.5, f64::MAX]);
    let log_lines = |lines: u32| {
        for at in 0..lines {
            info!(logger: LOG, capability = "llm.chat", to:% = at, nested:serde, ms = 12.5; "routed {at}");
        }
    };
    // In bursts, so that a slow disk does not make the queue grow within its bound.
    let allocations_of = |bursts: u32| {
        let before = COUNT.get();
        for _ in 0..bursts {
            log_lines(1_000);
            assert!(obs_log::flush(std::time::Duration::from_secs(60)));
        }
        COUNT.get() - before
    };
    assert!(allocations_of(100) > 0, "the counter counts");
    assert_eq!(allocations_of(100), 0);
}
