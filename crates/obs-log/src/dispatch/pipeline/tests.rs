//! Days, faults and back-pressure, with a clock set by hand.

use super::*;
use crate::clock::{DAY_NANOS, day_of};
use crate::dispatch::thread::with;
use crate::limits::CHUNK_BYTES;
use log::Level;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicI64;

/// 2024-02-28T00:00:00Z.
const FEB_28: i64 = 19_781 * DAY_NANOS;

struct Bench {
    dir: tempfile::TempDir,
    now: Arc<AtomicI64>,
    pipeline: Pipeline,
}

impl Bench {
    fn at(nanos: i64) -> Bench {
        Bench::with(nanos, tempfile::tempdir().unwrap(), 4 << 20)
    }

    fn with(nanos: i64, dir: tempfile::TempDir, queue_bytes: usize) -> Bench {
        let now = Arc::new(AtomicI64::new(nanos));
        let mut files = DayFiles::new(dir.path());
        files.prepare(day_of(nanos)).unwrap();
        let clock = Clock::Manual(Arc::clone(&now));
        let pipeline = Pipeline::start(files, clock, queue_bytes, Duration::from_millis(50)).unwrap();
        Bench { dir, now, pipeline }
    }

    fn set(&self, nanos: i64) {
        self.now.store(nanos, Ordering::SeqCst);
    }

    fn log(&self, level: Level, message: &str) {
        let mut record = Record::builder();
        record.level(level);
        let accept = |record: &Record<'_>| {
            with(|local| {
                let (_, producer) = local.parts();
                let name = producer.encoder.names.find("test");
                self.pipeline.accept(producer, name, record, &Redactor::default());
            });
        };
        accept(&record.args(format_args!("{message}")).build());
    }

    fn flush(&self) -> bool {
        self.pipeline.flush(Instant::now() + Duration::from_secs(20))
    }

    /// Returns the messages of a day's file. Checks that each line has that day's date.
    fn messages(&self, date: &str) -> Vec<String> {
        let text = fs::read_to_string(self.path(date)).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'));
        let read = |line: &str| {
            let line: serde_json::Value =
                serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
            assert!(line["ts"].as_str().unwrap().starts_with(date), "{line}");
            line["msg"].as_str().unwrap().to_owned()
        };
        text.lines().map(read).collect()
    }

    fn path(&self, date: &str) -> PathBuf {
        self.dir.path().join(format!("{date}.log"))
    }

    fn days(&self) -> Vec<String> {
        let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap().replace(".log", "");
        let mut days: Vec<_> =
            fs::read_dir(self.dir.path()).unwrap().map(|entry| name(entry.unwrap())).collect();
        days.retain(|name| !name.starts_with(".handover-"));
        days.sort();
        days
    }
}

#[test]
fn a_line_is_in_the_file_of_its_own_day() {
    let bench = Bench::at(FEB_28);
    let midnight = FEB_28 + DAY_NANOS;
    for (at, message) in [
        (midnight - 1, "last of 28"),
        (midnight, "first of 29"),
        (midnight - 1_000_000, "clock went back"),
        (midnight + DAY_NANOS, "march"),
    ] {
        bench.set(at);
        bench.log(Level::Info, message);
    }
    assert!(bench.flush());
    assert_eq!(bench.messages("2024-02-28"), ["last of 28", "clock went back"]);
    assert_eq!(bench.messages("2024-02-29"), ["first of 29"]);
    assert_eq!(bench.messages("2024-03-01"), ["march"]);
}

#[test]
fn midnight_without_a_line_makes_a_new_file_and_removes_old_ones() {
    let bench = Bench::at(FEB_28);
    fs::write(bench.path("2024-02-15"), "").unwrap();
    fs::write(bench.path("2024-02-17"), "").unwrap();
    bench.set(FEB_28 + DAY_NANOS);
    assert!(bench.flush());
    assert_eq!(bench.days(), ["2024-02-17", "2024-02-28", "2024-02-29"]);
}

#[test]
fn the_writer_notices_midnight_by_itself() {
    // The writer's sleep ends at midnight, 100 ms from now, and the writer finds that the day has changed.
    let bench = Bench::at(FEB_28 + DAY_NANOS - 100_000_000);
    bench.log(Level::Info, "so that the writer has looked at the clock");
    assert!(bench.flush());
    bench.set(FEB_28 + DAY_NANOS);
    let patience = Instant::now() + Duration::from_secs(20);
    while !bench.path("2024-02-29").exists() {
        assert!(Instant::now() < patience, "no file at midnight");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_sleep_across_two_midnights_makes_one_file() {
    let bench = Bench::at(FEB_28);
    bench.log(Level::Info, "before");
    assert!(bench.flush());
    bench.set(FEB_28 + 2 * DAY_NANOS + 5);
    assert!(bench.flush());
    bench.log(Level::Info, "after");
    assert!(bench.flush());
    assert_eq!(bench.days(), ["2024-02-28", "2024-03-01"]);
    assert_eq!(bench.messages("2024-03-01"), ["after"]);
}

#[test]
fn fourteen_days_are_kept_across_the_end_of_a_year() {
    let new_year = 19_723 * DAY_NANOS;
    let bench = Bench::at(new_year - DAY_NANOS);
    for day in -1..20 {
        bench.set(new_year + day * DAY_NANOS);
        bench.log(Level::Info, "x");
        assert!(bench.flush());
    }
    let days = bench.days();
    assert_eq!((days.len(), days[0].as_str(), days[13].as_str()), (14, "2024-01-07", "2024-01-20"));
}

#[test]
fn lines_of_many_threads_are_written_once_in_the_order_of_each_thread() {
    // The queue has room for all of them, so that a slow disk drops none.
    let bench = Bench::with(FEB_28, tempfile::tempdir().unwrap(), 16 << 20);
    thread::scope(|scope| {
        for thread in 0..8 {
            let bench = &bench;
            scope.spawn(move || (0..5000).for_each(|at| bench.log(Level::Info, &format!("{thread} {at}"))));
        }
    });
    assert!(bench.flush());
    let mut next = [0; 8];
    for message in bench.messages("2024-02-28") {
        let (thread, at) = message.split_once(' ').unwrap();
        let next = &mut next[thread.parse::<usize>().unwrap()];
        assert_eq!(at.parse::<usize>().unwrap(), *next);
        *next += 1;
    }
    assert_eq!(next, [5000; 8]);
}

/// Replaces the folder by a file while `body` runs.
fn blocked(bench: &Bench, body: impl FnOnce()) {
    let dir = bench.dir.path();
    let aside = dir.with_extension("aside");
    fs::rename(dir, &aside).unwrap();
    fs::write(dir, "not a folder").unwrap();
    body();
    fs::remove_file(dir).unwrap();
    fs::rename(aside, dir).unwrap();
}

#[test]
fn written_and_reported_dropped_lines_are_all_that_were_sent() {
    let bench = Bench::with(FEB_28, tempfile::tempdir().unwrap(), 1 << 20);
    let text = "x".repeat(1000);
    let mut sent = 0;
    blocked(&bench, || {
        for _ in 0..(3 * CHUNK_BYTES * 4 / 1000) {
            for level in [Level::Error, Level::Info, Level::Debug] {
                bench.log(level, &text);
                sent += 1;
            }
        }
    });
    assert!(bench.flush());
    let text = fs::read_to_string(bench.path("2024-02-28")).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (reports, written): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line["logger"] == "obs_log");
    let sum = |field: &str| reports.iter().map(|report| report[field].as_u64().unwrap_or(0)).sum::<u64>();
    assert_eq!(reports[0]["msg"], "log lines dropped");
    assert_eq!(written.len() as u64 + sum("dropped"), sent);
    assert!(sum("dropped_error") < sum("dropped_info") && sum("dropped_info") <= sum("dropped_debug"));
    let counted = bench.pipeline.shared();
    assert_eq!(counted.counts.written.load(Ordering::Relaxed), written.len() as u64);
    assert_eq!(counted.queue.dropped().iter().sum::<u64>(), sum("dropped"));
}

#[test]
fn a_folder_removed_under_eight_threads_is_made_again() {
    let bench = Bench::at(FEB_28);
    let dir = bench.dir.path();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..2000).for_each(|_| bench.log(Level::Info, "through it all")));
        }
        scope.spawn(|| {
            for _ in 0..20 {
                let _ = fs::remove_dir_all(dir);
                thread::sleep(Duration::from_millis(2));
            }
        });
    });
    assert!(bench.flush());
    bench.log(Level::Info, "after");
    assert!(bench.flush());
    assert_eq!(bench.messages("2024-02-28").last().unwrap(), "after");
}

/// A flush in passing waits for one attempt and not for the disk. Repeated attempts use up no chunk of the queue.
#[test]
fn failed_attempts_to_write_hold_up_no_caller_and_use_up_no_memory() {
    let bench = Bench::at(FEB_28);
    let started = Instant::now();
    blocked(&bench, || {
        for at in 0..200 {
            bench.log(Level::Error, &at.to_string());
            assert!(!bench.pipeline.flush_once(started + Duration::from_secs(3600)));
        }
    });
    assert!(bench.pipeline.flush_once(started + Duration::from_secs(3600)), "the folder is back");
    let expected: Vec<_> = (0..200).map(|at| at.to_string()).collect();
    assert_eq!(bench.messages("2024-02-28"), expected);
}

/// Needs the right to mount a file system.
#[test]
fn lines_survive_a_full_disk_until_there_is_room_again() {
    let dir = tempfile::tempdir().unwrap();
    let mounted = Mounted::tmpfs(dir.path());
    let Some(_mounted) = mounted else {
        use std::io::Write as _;
        let _ = writeln!(io::stderr(), "skipped: needs the right to mount a tmpfs of 1 MiB");
        return;
    };
    // The default size. Eight threads may fill a smaller queue with chunks that are nearly empty, and lines are dropped and
    // counted.
    let bench = Bench::with(FEB_28, dir, 8 << 20);
    let ballast = bench.dir.path().join("ballast");
    fs::write(&ballast, vec![0; 700 << 10]).unwrap();
    thread::scope(|scope| {
        for thread in 0..8 {
            let bench = &bench;
            scope.spawn(move || (0..1000).for_each(|at| bench.log(Level::Info, &format!("{thread} {at}"))));
        }
    });
    assert!(!bench.pipeline.flush(Instant::now() + Duration::from_millis(200)), "the disk is full");
    let text = fs::read_to_string(bench.path("2024-02-28")).unwrap();
    assert!(text.ends_with('\n'), "a torn line is at the end of the full file");
    let errors = bench.pipeline.shared().counts.write_errors.load(Ordering::Relaxed);
    assert!(errors > 0);
    fs::remove_file(&ballast).unwrap();
    assert!(bench.flush(), "no recovery");
    let lines = bench.messages("2024-02-28").len() as u64;
    let dropped = bench.pipeline.shared().queue.dropped().iter().sum::<u64>();
    assert_eq!((lines, dropped), (8000, 0));
}

struct Mounted(PathBuf);

impl Mounted {
    fn tmpfs(at: &Path) -> Option<Mounted> {
        let mut mount = std::process::Command::new("mount");
        let done = mount.args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(at).output();
        done.is_ok_and(|done| done.status.success()).then(|| Mounted(at.to_owned()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).output();
    }
}
