//! Traces of a process that was killed, in the next one.

use std::collections::HashSet;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use obs_history::TraceHistory;
use obs_trace::{
    Config, Query, Remote, SpanId, Store, TraceId, TraceRecord, new_trace, new_trace_from, span,
};
use proptest::prelude::*;

/// Name of the variable by which a test runs again as a child, and of the folder of its history.
const CHILD: &str = "OBS_HISTORY_TEST_CHILD";
const DEADLINE: Duration = Duration::from_secs(60);
const SMALL: u64 = 1 << 20;

fn ring() -> Store {
    Store::new(Config::default().ring_capacity(100_000)).unwrap()
}

/// Opens the history of a folder. The traces of earlier runs are in the store.
fn open(dir: &Path, bytes: u64) -> (Store, TraceHistory) {
    let store = ring();
    let history = TraceHistory::start(&store, dir, bytes);
    assert!(history.wait(DEADLINE), "restored in time");
    (store, history)
}

/// Runs the test `name` of this program again, as a process that can be killed.
fn child(name: &str, dir: &Path) -> Child {
    let program = std::env::current_exe().unwrap();
    let mut command = Command::new(program);
    command.args(["--exact", name, "--nocapture", "--test-threads=1"]).env(CHILD, dir);
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

fn json(record: &TraceRecord) -> serde_json::Value {
    serde_json::to_value(record.with_span_ids()).unwrap()
}

/// Load of four threads without an end, in the child. Says each trace that has ended.
#[test]
fn load() {
    let Some(dir) = std::env::var_os(CHILD) else { return };
    let store = ring();
    let _history = TraceHistory::start(&store, &dir, 32 << 20);
    let line = |thread: usize, number: usize| {
        let trace = new_trace(&format!("load.{thread}"));
        trace.enter(|| span("search").field("number", number).run(|| drop(span("embed").enter())));
        let record = trace.finish().unwrap();
        // One write a line, so that a kill leaves no more than one part of a line.
        let line = format!("ended {} {}\n", record.trace_id(), record.span_id());
        io::stdout().lock().write_all(line.as_bytes()).and_then(|()| io::stdout().flush()).unwrap();
    };
    thread::scope(|scope| {
        for thread in 0..4 {
            let (store, line) = (&store, &line);
            scope.spawn(move || {
                let _scope = store.enter();
                // Ended by the kill. The number only bounds a child whose parent is gone.
                (0..20_000).for_each(|number| line(thread, number));
            });
        }
    });
    thread::sleep(DEADLINE);
}

#[test]
fn a_kill_under_load_loses_no_trace_that_had_ended() {
    let dir = tempfile::tempdir().unwrap();
    let mut known = HashSet::new();
    for lines in [1, 300, 1200] {
        let mut child = child("traces::load", dir.path());
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut read = |known: &mut HashSet<(String, String)>| {
            let mut line = String::new();
            let read = output.read_line(&mut line).unwrap();
            let words: Vec<_> = line.split(' ').collect();
            // The harness writes `test traces::load ... ` in front of the first one.
            if let [.., "ended", trace, span] = words[..]
                && let Some(span) = span.strip_suffix('\n')
            {
                known.insert((trace.to_owned(), span.to_owned()));
            }
            read
        };
        let before = known.len();
        while known.len() < before + lines {
            assert_ne!(read(&mut known), 0, "the child ends by the kill alone");
        }
        child.kill().unwrap();
        while read(&mut known) > 0 {}
        child.wait().unwrap();
    }
    let (store, history) = open(dir.path(), 32 << 20);
    let restored = store.get_recent(usize::MAX);
    let found: HashSet<_> =
        restored.iter().map(|record| (record.trace_id().to_string(), record.span_id().to_string())).collect();
    let lost: Vec<_> = known.difference(&found).collect();
    assert!(lost.is_empty(), "{} of {} are lost: {:?}", lost.len(), known.len(), &lost[..1]);
    assert_eq!(restored.len(), found.len(), "each is there once");
    assert!(restored.len() <= known.len() + 3 * 4, "at most one of each thread was not said yet");
    for record in restored {
        let spans = record.spans();
        assert!(record.is_restored() && record.status().is_ok());
        assert_eq!((spans[0].name(), spans[1].name(), spans[1].parent()), ("search", "embed", Some(0)));
        assert!(spans[0].field("number").is_some() && spans[0].start() <= record.duration());
    }
    assert_eq!(history.stats().missed, 0);
}

/// Returns the hand-over file of a folder's history, which a killed process leaves.
fn handover(dir: &Path) -> Option<std::path::PathBuf> {
    let beside = dir.join("traces.handover");
    let origin = dir.join("traces.ring");
    let of_dir = |path: &std::path::PathBuf| {
        let content = fs::read(path).unwrap_or_default();
        content.get(3200..).is_some_and(|at| at.starts_with(origin.as_os_str().as_encoded_bytes()))
    };
    let in_memory = fs::read_dir("/dev/shm").into_iter().flatten().flatten().map(|entry| entry.path());
    in_memory.chain([beside]).find(of_dir)
}

#[test]
fn a_damaged_hand_over_file_does_no_harm() {
    let damages: [fn(&mut Vec<u8>); 4] = [
        |_| {},
        |content| content.truncate(5000),
        |content| content.iter_mut().for_each(|byte| *byte = 0xff),
        // The position of the next record, and the first one.
        |content| {
            content[1024..1032].fill(0x3f);
            content[2560..2568].fill(0xff);
        },
    ];
    for (number, damage) in damages.into_iter().enumerate() {
        let dir = tempfile::tempdir().unwrap();
        let mut child = child("traces::load", dir.path());
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        while line.matches("ended").count() < 3 {
            assert_ne!(output.read_line(&mut line).unwrap(), 0);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let path = handover(dir.path()).expect("a killed process leaves it");
        let mut content = fs::read(&path).unwrap();
        damage(&mut content);
        fs::write(&path, &content).unwrap();
        for run in 0..2 {
            let (store, history) = open(dir.path(), 32 << 20);
            let found = store.get_recent(usize::MAX);
            assert!(found.len() >= if number == 0 { 3 } else { run }, "{number}: {}", found.len());
            store.enter().with(|| new_trace("after").finish());
            assert!(history.stats().is_recording);
            drop(history);
            assert_eq!(handover(dir.path()), None, "an orderly end removes it");
        }
    }
}

#[test]
fn a_start_that_misses_the_hand_over_file_of_a_killed_process_says_so_once() {
    let dir = tempfile::tempdir().unwrap();
    let lines = lines();
    let said = || {
        let said = lines.lock().unwrap_or_else(PoisonError::into_inner).clone();
        said.iter()
            .filter(|line| line.contains("not end in order") && line.contains(dir.path().to_str().unwrap()))
            .count()
    };
    for is_removed in [false, true] {
        let mut child = child("traces::load", dir.path());
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        while line.matches("ended").count() < 3 {
            assert_ne!(output.read_line(&mut line).unwrap(), 0);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        if is_removed {
            // As systemd does for a unit with `RemoveIPC=yes`.
            fs::remove_file(handover(dir.path()).unwrap()).unwrap();
        }
        drop(open(dir.path(), 32 << 20));
        assert_eq!(said(), usize::from(is_removed));
    }
    drop(open(dir.path(), 32 << 20));
    assert_eq!(said(), 1, "the last end was in order");
}

#[test]
fn everything_of_a_trace_is_there_again_in_its_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut expected: Vec<serde_json::Value> = Vec::new();
    for run in 0..3 {
        let (store, history) = open(dir.path(), SMALL);
        let _scope = store.enter();
        assert_eq!(
            store.get_recent(100).iter().rev().map(|record| json(record)).collect::<Vec<_>>(),
            expected
        );
        assert_eq!(history.stats().restored, expected.len() as u64);
        for number in 0..4 {
            let caller = Remote::new(TraceId::generate()).parent(SpanId::from_bytes([run + 1; 8]).unwrap());
            let trace =
                if number == 0 { new_trace("a") } else { new_trace_from(caller, "rag.\u{1b}[31mquery") };
            trace.enter(|| {
                let open = span("left open").enter();
                span("search").field("to", "7H4G").field("share", 0.25).field("ok", true).run(|| {
                    drop(span("embed").field("n", -1_i64).field("big", u64::MAX).enter());
                    if number == 2 {
                        trace.fail("time\nout");
                    }
                });
                let record = if number == 3 { trace.cancel() } else { trace.finish() };
                drop(open);
                let mut record = json(&record.unwrap());
                record["restored"] = true.into();
                expected.push(record);
            });
        }
        let ours = store.get_recent(4);
        assert!(ours.iter().all(|record| !record.is_restored()), "new ones go before");
        assert!(json(&ours[0]).get("restored").is_none());
    }
    let (store, _history) = open(dir.path(), SMALL);
    assert_eq!(store.query(&Query::default().status("time\nout")).len(), 3);
    let stats = store.stats();
    assert_eq!((stats.completed, stats.failed, stats.cancelled), (0, 0, 0), "not counted as new");
}

#[test]
fn a_flood_leaves_the_failed_the_slowest_and_the_last() {
    let dir = tempfile::tempdir().unwrap();
    {
        let store = Store::default();
        let _history = TraceHistory::start(&store, dir.path(), SMALL);
        let _scope = store.enter();
        let failed = new_trace("once.failed");
        failed.fail("timeout");
        failed.finish();
        let slow = new_trace("once.slow");
        thread::sleep(Duration::from_millis(2));
        slow.finish();
        // Three times what the file holds, in steps that let the thread of the history run.
        for number in 0..30_000 {
            new_trace("flood").finish();
            if number % 1000 == 0 {
                thread::sleep(Duration::from_millis(2));
            }
        }
    }
    assert_eq!(fs::metadata(dir.path().join("traces.ring")).unwrap().len().div_ceil(SMALL), 1);
    let (store, _history) = open(dir.path(), SMALL);
    let capabilities: HashSet<_> = store
        .query(&Query::default().n(100_000))
        .iter()
        .map(|record| record.capability().to_owned())
        .collect();
    assert_eq!(capabilities.len(), 3, "{capabilities:?}");
    assert!(store.get_recent(100_000).len() > 5000);
}

#[test]
fn another_size_keeps_the_traces() {
    let dir = tempfile::tempdir().unwrap();
    let mut expected = Vec::new();
    for bytes in [SMALL, 3 << 20, SMALL, 2 << 20] {
        let (store, history) = open(dir.path(), bytes);
        let _scope = store.enter();
        let names: Vec<_> = store.get_recent(9).iter().map(|record| record.capability().to_owned()).collect();
        assert_eq!(names, expected);
        let name = format!("of {bytes} {}", expected.len());
        new_trace(&name).finish();
        expected.insert(0, name);
        drop(history);
        let files: Vec<_> =
            fs::read_dir(dir.path()).unwrap().flatten().map(|entry| entry.file_name()).collect();
        assert_eq!(files, ["traces.ring"]);
        let length = fs::metadata(dir.path().join("traces.ring")).unwrap().len();
        assert!(length <= bytes && length > bytes - 8192, "{length}");
    }
}

/// The file is removed, with its folder or without, or replaced, while the process runs.
#[test]
fn a_file_that_is_removed_or_replaced_is_made_again_with_what_memory_has() {
    let losses: [fn(&Path); 3] = [
        |dir| {
            fs::remove_dir_all(dir).unwrap();
            fs::create_dir(dir).unwrap();
        },
        |dir| fs::remove_dir_all(dir).unwrap(),
        |dir| {
            fs::remove_file(dir.join("traces.ring")).unwrap();
            fs::write(dir.join("traces.ring"), "something else").unwrap();
        },
    ];
    for lose in losses {
        let place = tempfile::tempdir().unwrap();
        let dir = place.path().join("history");
        let (store, history) = open(&dir, SMALL);
        store.enter().with(|| new_trace("earlier").finish());
        drop(history);

        let (store, history) = open(&dir, SMALL);
        store.enter().with(|| new_trace("before").finish());
        let lines = lines();
        lose(&dir);
        store.enter().with(|| new_trace("after").finish());
        drop(history);
        let path = dir.join("traces.ring").display().to_string();
        let said = lines.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let ours: Vec<_> = said.iter().filter(|line| line.contains(&path)).collect();
        assert!(ours.len() == 1 && ours[0].contains("removed or replaced"), "{ours:?}");

        let (store, _history) = open(&dir, SMALL);
        let names: Vec<_> = store.get_recent(9).iter().map(|record| record.capability().to_owned()).collect();
        assert_eq!(names, ["after", "before", "earlier"]);
    }
}

#[test]
fn a_file_that_is_removed_has_the_traces_of_a_flood_again() {
    let dir = tempfile::tempdir().unwrap();
    let (store, history) = open(dir.path(), 8 << 20);
    {
        let _scope = store.enter();
        // More than the hand-over file holds, in steps that let the thread of the history run.
        for number in 0..60_000 {
            new_trace(&format!("flood.{}", number % 7)).finish();
            if number % 1000 == 0 {
                thread::sleep(Duration::from_millis(2));
            }
        }
    }
    let expected: Vec<_> = store.get_recent(usize::MAX).iter().map(|record| record.span_id()).collect();
    fs::remove_file(dir.path().join("traces.ring")).unwrap();
    drop(history);
    let (store, _history) = open(dir.path(), 8 << 20);
    let found: Vec<_> = store.get_recent(usize::MAX).iter().map(|record| record.span_id()).collect();
    assert_eq!(found.len(), expected.len());
    assert!(found == expected, "in their order");
}

#[test]
fn two_histories_in_one_folder_do_not_mix() {
    let dir = tempfile::tempdir().unwrap();
    let (first, history) = open(dir.path(), SMALL);
    let second = ring();
    let other = TraceHistory::start(&second, dir.path(), SMALL);
    assert!(!other.stats().is_recording);
    first.enter().with(|| new_trace("first").finish());
    second.enter().with(|| new_trace("second").finish());
    assert_eq!(other.stats().missed, 1);
    drop((history, other));
    let (third, _history) = open(dir.path(), SMALL);
    assert_eq!(third.get_recent(9).iter().map(|record| record.capability()).collect::<Vec<_>>(), ["first"]);
}

#[test]
fn a_copied_folder_has_a_hand_over_file_of_its_own() {
    let (dir, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (first, history) = open(dir.path(), SMALL);
    first.enter().with(|| new_trace("first").finish());
    fs::copy(dir.path().join("traces.ring"), copy.path().join("traces.ring")).unwrap();
    let (second, other) = open(copy.path(), SMALL);
    second.enter().with(|| new_trace("second").finish());
    assert!(other.stats().is_recording);
    drop((other, history));
    for (dir, name) in [(&dir, "first"), (&copy, "second")] {
        let (store, _history) = open(dir.path(), SMALL);
        assert_eq!(store.get_recent(9).iter().map(|record| record.capability()).collect::<Vec<_>>(), [name]);
    }
}

/// Runs a closure in the scope of a store.
trait With: Sized {
    fn with<R>(self, run: impl FnOnce() -> R) -> R {
        let result = run();
        drop(self);
        result
    }
}

impl With for obs_trace::StoreScope {}

#[test]
fn a_file_of_a_later_version_is_left_alone_and_named() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path(), SMALL));
    let path = dir.path().join("traces.ring");
    let mut content = fs::read(&path).unwrap();
    content[7] += 1;
    fs::write(&path, &content).unwrap();
    let lines = lines();
    let (store, history) = open(dir.path(), SMALL);
    store.enter().with(|| new_trace("a").finish());
    assert!(!history.stats().is_recording);
    drop(history);
    assert!(fs::read(&path).unwrap() == content, "left alone");
    let said = lines.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let ours: Vec<_> = said.iter().filter(|line| line.contains(path.to_str().unwrap())).collect();
    assert!(ours.len() == 1 && ours[0].contains("later version"), "{ours:?}");
}

/// Returns the lines that the process logs from here on.
fn lines() -> Arc<Mutex<Vec<String>>> {
    struct Lines(Arc<Mutex<Vec<String>>>);
    impl log::Log for Lines {
        fn enabled(&self, _: &log::Metadata<'_>) -> bool {
            true
        }
        fn log(&self, record: &log::Record<'_>) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(record.args().to_string());
        }
        fn flush(&self) {}
    }
    static LINES: std::sync::LazyLock<Arc<Mutex<Vec<String>>>> = std::sync::LazyLock::new(|| {
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let logger = Lines(Arc::clone(&lines));
        if log::set_boxed_logger(Box::new(logger)).is_ok() {
            log::set_max_level(log::LevelFilter::Info);
        }
        lines
    });
    Arc::clone(&LINES)
}

#[test]
fn what_is_no_file_of_ours_does_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("traces.ring");
    // Neither is a folder or a link.
    for make in
        [|path: &Path| fs::create_dir(path), |path: &Path| std::os::unix::fs::symlink("/dev/zero", path)]
    {
        make(&path).unwrap();
        let (store, history) = open(dir.path(), SMALL);
        store.enter().with(|| new_trace("a").finish());
        assert_eq!((history.stats().is_recording, history.stats().missed), (false, 1));
        drop(history);
        fs::remove_dir(&path).or_else(|_| fs::remove_file(&path)).unwrap();
    }
    for content in ["", "text", &"text".repeat(1 << 20), &"\0".repeat(9999)] {
        fs::write(&path, content).unwrap();
        let (store, history) = open(dir.path(), SMALL);
        store.enter().with(|| new_trace("a").finish());
        assert!(history.stats().is_recording);
        drop(history);
        assert!(fs::metadata(&path).unwrap().len() <= SMALL);
        assert_eq!(open(dir.path(), SMALL).0.get_recent(9).len(), 1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    /// Damage costs the records that it is in, and no others.
    #[test]
    fn a_damaged_file_keeps_the_rest(
        flips in proptest::collection::vec((0..3_usize, 0..6000_usize, 1..=u8::MAX), 0..4),
        cut in proptest::option::of(0..1_000_000_usize),
        random in any::<bool>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("traces.ring");
        {
            let (store, _history) = open(dir.path(), SMALL);
            let _scope = store.enter();
            for number in 0..40 {
                let trace = new_trace(&format!("n.{number}"));
                trace.enter(|| drop(span("step").field("number", number).enter()));
                trace.finish();
            }
        }
        let mut content = fs::read(&path).unwrap();
        // The header, the names, and the ring.
        let parts = [0, 4096, 4096 + (128 << 10)];
        for (part, at, bits) in &flips {
            content[parts[*part] + at] ^= bits;
        }
        if let Some(cut) = cut {
            content.truncate(cut);
        }
        if random {
            // Whatever the ring has, behind a proper header.
            let mut seed = 1_u64;
            for byte in content.iter_mut().skip(parts[2] + 3000) {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                *byte = (seed >> 56) as u8;
            }
        }
        fs::write(&path, &content).unwrap();
        for _ in 0..2 {
            let (store, history) = open(dir.path(), SMALL);
            let found = store.get_recent(1000);
            prop_assert!(found.len() <= 42);
            if flips.iter().all(|(part, ..)| *part == 2) && cut.is_none() && !random {
                prop_assert!(found.len() >= 40 - flips.len());
            }
            for record in found {
                prop_assert!(record.capability().starts_with("n.") || record.capability() == "after");
            }
            // What comes next is recorded, unless a later version seems to have made the file.
            let _scope = store.enter();
            new_trace("after").finish();
            let is_newer = content.starts_with(b"obs-trc") && content.get(7).is_some_and(|version| *version > b'1');
            prop_assert_eq!(history.stats().is_recording, !is_newer);
        }
    }
}

/// A small file system that is removed at the end.
#[cfg(target_os = "linux")]
struct Mounted(tempfile::TempDir);

#[cfg(target_os = "linux")]
impl Mounted {
    /// `None` where the test may not mount.
    fn new(options: &str) -> Option<Mounted> {
        let dir = tempfile::tempdir().unwrap();
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(dir.path()).output();
        mount.is_ok_and(|output| output.status.success()).then_some(Mounted(dir))
    }
}

#[cfg(target_os = "linux")]
impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).output();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_or_read_only_disk_keeps_nothing_from_running() {
    let Some(disk) = Mounted::new("size=8m") else { return };
    let dir = disk.0.path();
    let path = dir.join("traces.ring");
    // Too little room for the file.
    fs::write(dir.join("filler"), vec![1; (8 << 20) - (512 << 10)]).unwrap();
    {
        let (store, history) = open(dir, SMALL);
        store.enter().with(|| new_trace("a").finish());
        assert_eq!((history.stats().is_recording, history.stats().missed), (false, 1));
    }
    assert_eq!(fs::metadata(&path).map_or(0, |found| found.len()), 0, "no room is taken");
    fs::remove_file(dir.join("filler")).unwrap();
    // The disk gets full while the file is mapped: all of the ring is written all the same.
    {
        let (store, _history) = open(dir, SMALL);
        while fs::write(dir.join(format!("filler-{}", fs::read_dir(dir).unwrap().count())), [1; 4096]).is_ok()
        {
        }
        let _scope = store.enter();
        (0..15_000).for_each(|_| drop(new_trace("full").finish()));
    }
    let remount = |options| Command::new("mount").args(["-o", options]).arg(dir).output().unwrap();
    remount("remount,ro");
    let (store, history) = open(dir, SMALL);
    assert!(store.get_recent(100_000).len() > 5000 && !history.stats().is_recording);
    store.enter().with(|| new_trace("a").finish());
    assert_eq!(history.stats().missed, 1);
}
