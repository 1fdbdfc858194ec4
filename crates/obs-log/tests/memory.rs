//! Memory is bounded by what is configured, however long the disk takes nothing (L8). Alone, because it counts the
//! whole process's memory.
#![allow(unsafe_code, reason = "counting allocations takes an allocator")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::{fs, thread};

use obs_log::{Config, Console, configure, info, stats};

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: hands everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's contract is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's contract is the same.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn l8_memory_stays_within_the_configured_bytes() {
    const QUEUE_BYTES: usize = 2 << 20;
    const THREADS: usize = 4;
    const LINES: usize = 20_000;
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let config = Config::new(&log).console(Console::Off).queue_bytes(QUEUE_BYTES);
    let _guard = configure(&config.max_wait(Duration::from_millis(1))).unwrap();
    let size = |entry: fs::DirEntry| entry.metadata().unwrap().len();
    let files: u64 = fs::read_dir(&log).unwrap().map(|entry| size(entry.unwrap())).sum();
    assert!(stats().crash_safe && files <= QUEUE_BYTES as u64, "{files}");

    // What a long line takes is given back with it, also where its thread never logs again.
    let long = "\u{1}".repeat(1 << 20);
    let before = LIVE.load(Ordering::Relaxed);
    info!(long = long.as_str(); "{long}");
    let more = LIVE.load(Ordering::Relaxed).saturating_sub(before);
    assert!(more < 256 << 10, "{more} bytes of heap after a long line");

    // From here on nothing can be written.
    fs::rename(&log, dir.path().join("aside")).unwrap();
    fs::write(&log, "in the way").unwrap();
    let before = LIVE.load(Ordering::Relaxed);
    let text = "x".repeat(1000);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| (0..LINES).for_each(|at| info!(at, text = text.as_str(); "to nowhere")));
        }
    });
    let more = LIVE.load(Ordering::Relaxed).saturating_sub(before);
    let stats = stats();
    assert!(stats.dropped as usize > THREADS * LINES - 2 * QUEUE_BYTES / 1000, "{stats:?}");
    assert!(more < 256 << 10, "{more} bytes of heap for {} lines", THREADS * LINES);

    fs::remove_file(&log).unwrap();
    assert!(obs_log::flush(Duration::from_secs(60)));
    let stats = obs_log::stats();
    assert_eq!(stats.written + stats.dropped, (1 + THREADS * LINES) as u64);
}
