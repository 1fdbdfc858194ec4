//! Bound of the memory, however long the disk accepts nothing. Alone in its binary, because it counts the memory of the whole
//! process.
#![allow(unsafe_code, reason = "counting allocations takes an allocator")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::{fs, thread};

use obs_log::{Config, Console, MAX_LINE_BYTES, configure, info, stats};
use serde_json::value::RawValue;

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: passes every call on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(live, Ordering::Relaxed);
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
fn memory_stays_within_the_configured_bytes() {
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

    // The memory of a long line is freed with it, even if its thread never logs again.
    let long = "\u{1}".repeat(1 << 20);
    let before = LIVE.load(Ordering::Relaxed);
    info!(long = long.as_str(); "{long}");
    let more = LIVE.load(Ordering::Relaxed).saturating_sub(before);
    assert!(more < 256 << 10, "{more} bytes of heap after a long line");

    huge_values_take_no_more_memory_than_a_line();

    // From here on, nothing can be written.
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

    assert!(!obs_log::flush(Duration::ZERO), "lines are left");
    fs::remove_file(&log).unwrap();
    assert!(obs_log::flush(Duration::from_secs(60)));
    // The writer may be at work just now.
    let is_empty = |_| {
        thread::sleep(Duration::from_millis(2));
        obs_log::flush(Duration::ZERO)
    };
    assert!((0..1_000).any(is_empty), "nothing is left");
    let stats = obs_log::stats();
    assert_eq!(stats.written + stats.dropped, (1 + HUGE_LINES + THREADS * LINES) as u64);
}

/// Number of lines that the next function makes.
const HUGE_LINES: usize = 12;

/// A value of any form takes the memory of a line while the line is made, and not six times its own length.
fn huge_values_take_no_more_memory_than_a_line() {
    const BYTES: usize = 1 << 20;
    // Each character takes six bytes in a line.
    let text = "\u{1}".repeat(BYTES);
    let text = text.as_str();
    let list = vec![1_u8; BYTES];
    let map = BTreeMap::from([(text, 1)]);
    let hidden = BTreeMap::from([("password", text)]);
    let names = Names(BYTES / 8);
    let raw = RawValue::from_string(format!("[{}1]", "1, ".repeat(BYTES / 3))).unwrap();
    let error = Long(text.to_owned());
    let many: Vec<_> = (0..64).map(|at| (format!("k{at}"), &text[..BYTES / 16])).collect();
    let same = vec![("same", text); 2];
    let before = LIVE.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let lines: [&dyn Fn(); HUGE_LINES - 1] = [
        &|| info!("{text}"),
        &|| info!(text; "a text"),
        &|| info!(text:%; "Display"),
        &|| info!(text:?; "Debug"),
        &|| info!(text:serde; "Serialize"),
        &|| info!(list:serde, map:serde, hidden:serde; "a list, a key and a hidden value"),
        &|| info!(names:serde; "many names"),
        &|| info!(raw:serde; "raw JSON"),
        &|| info!(error:err; "an error"),
        &|| send(&many),
        &|| send(&same),
    ];
    for (at, line) in lines.iter().enumerate() {
        line();
        let more = PEAK.load(Ordering::Relaxed).saturating_sub(before);
        assert!(more < 8 * MAX_LINE_BYTES, "{more} bytes of heap while line {at} of the huge ones was made");
    }
    // Raw JSON that fits into a line is read into a tree. This one makes the largest.
    let objects =
        RawValue::from_string(format!("[{}0]", "{\"\":0},".repeat(MAX_LINE_BYTES / 8 - 1))).unwrap();
    info!(objects:serde; "small objects");
    let more = PEAK.load(Ordering::Relaxed).saturating_sub(before);
    assert!(more < 16 << 20, "{more} bytes of heap while raw JSON was read");
    let more = LIVE.load(Ordering::Relaxed).saturating_sub(before);
    assert!(more < 2 * MAX_LINE_BYTES, "{more} bytes of heap after the huge lines");
}

fn send(fields: &dyn log::kv::Source) {
    let mut record = log::Record::builder();
    let record = record.level(log::Level::Info).key_values(&fields).args(format_args!("many")).build();
    log::logger().log(&record);
}

/// Map of this many names.
struct Names(usize);

impl serde::Serialize for Names {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map((0..self.0).map(|at| (at, ())))
    }
}

#[derive(Debug)]
struct Long(String);

impl std::fmt::Display for Long {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Long {}
