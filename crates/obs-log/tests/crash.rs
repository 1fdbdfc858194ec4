//! Deaths that no handler sees: SIGKILL and abort. Children log and are killed. Afterwards every line that they had reported is
//! in the files, once and whole.
//!
//! The seed of the random moments is printed. `OBS_LOG_TEST_SEED` repeats a run.

mod children;

use std::collections::HashMap;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{env, fs, io, process, thread};

use children::{day_files, tell};
use obs_log::{Config, Console, configure, info, stats};

/// Variable with the path of the file in which a child's threads report the number of their lines: eight bytes each.
const ACKS: &str = "OBS_LOG_TEST_ACKS";
const SEED: &str = "OBS_LOG_TEST_SEED";
const THREADS: usize = 4;
const KILLS: usize = 200;
/// Number of kills in one folder before its lines are checked.
const KILLS_PER_FOLDER: usize = 10;

fn main() {
    let tests: &[(&str, fn())] = &[
        ("an_abort_loses_nothing", aborted),
        ("a_sigkill_at_any_moment_loses_nothing", killed_at_any_moment),
        ("a_process_that_ends_normally_leaves_no_hand_over_file", ends_normally),
    ];
    children::main(tests, child);
}

fn killed_at_any_moment() {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    let mut random = Random(env::var(SEED).map_or(time, |seed| seed.parse().unwrap()));
    tell(&format!("seed {}", random.0));
    for kill in (0..KILLS).step_by(KILLS_PER_FOLDER) {
        // Alternate between one process and two on the folder, and between one file a day and many.
        let round = kill / KILLS_PER_FOLDER;
        let scenario = if (round / 2).is_multiple_of(2) { "log" } else { "log parts" };
        killed(scenario, 1 + round % 2, &mut random);
    }
}

struct Random(u64);

impl Random {
    /// Returns a number below `limit`, by splitmix64.
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % limit
    }
}

/// Kills children at random moments, some of them while they still recover the lines of the one before. Then one more child
/// recovers the rest, and the lines are checked.
fn killed(scenario: &str, at_once: usize, random: &mut Random) {
    let folder = tempfile::tempdir().unwrap();
    let mut acks = Vec::new();
    for kill in 0..KILLS_PER_FOLDER / at_once {
        let mut children = Vec::new();
        for twin in 0..at_once {
            let id = kill * at_once + twin;
            let path = folder.path().join(format!("{id}.acks"));
            children.push(start(scenario, id, &folder.path().join("log"), &path));
            acks.push((id, path));
        }
        thread::sleep(Duration::from_micros(random.below(60_000)));
        for mut child in children {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
    check(folder.path(), &acks);
}

fn aborted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("0.acks");
    let mut child = start("abort", 0, &folder.path().join("log"), &path);
    assert!(!child.wait().unwrap().success());
    assert_eq!(acked(&path), [10_000, 0, 0, 0]);
    check(folder.path(), &[(0, path)]);
}

fn ends_normally() {
    let folder = tempfile::tempdir().unwrap();
    assert!(start("recover", 0, folder.path(), &folder.path().join("acks")).wait().unwrap().success());
    let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(names.into_iter().all(|name| name.to_str().unwrap().ends_with(".log")));
}

fn start(scenario: &str, id: usize, folder: &Path, acks: &Path) -> Child {
    let mut command = children::command(&format!("{scenario} {id}"), folder);
    command.env(ACKS, acks).stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().unwrap()
}

fn acked(path: &Path) -> [u64; THREADS] {
    let bytes = fs::read(path).unwrap_or_default();
    let mut counts = [0; THREADS];
    for (count, bytes) in counts.iter_mut().zip(bytes.as_chunks().0) {
        *count = u64::from_le_bytes(*bytes);
    }
    counts
}

/// Has the remaining lines recovered. Checks that every reported line is there, and none twice.
fn check(folder: &Path, acks: &[(usize, PathBuf)]) {
    let log = folder.join("log");
    assert!(start("recover", 0, &log, &folder.join("none")).wait().unwrap().success());
    let mut seen: HashMap<(u64, u64), Vec<u64>> = HashMap::new();
    for entry in fs::read_dir(&log).unwrap() {
        let path = entry.unwrap().path();
        assert!(
            path.extension().is_some_and(|extension| extension == "log"),
            "left over: {}",
            path.display()
        );
    }
    for path in day_files(&log) {
        for line in fs::read_to_string(&path).unwrap().lines() {
            let line: serde_json::Value =
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            let number = |field: &str| line[field].as_u64().unwrap();
            seen.entry((number("process"), number("thread"))).or_default().push(number("at"));
        }
    }
    let mut total = 0;
    for (id, path) in acks {
        for (thread, count) in acked(path).into_iter().enumerate() {
            let found = seen.remove(&(*id as u64, thread as u64)).unwrap_or_default();
            // One more line may have been accepted before the thread could report it.
            assert!(found.len() as u64 >= count, "process {id} thread {thread}: {} of {count}", found.len());
            assert!(
                found.len() as u64 <= count + 1,
                "process {id} thread {thread}: {} of {count}",
                found.len()
            );
            let strange = found.iter().enumerate().find(|(at, line)| *at as u64 != **line);
            assert_eq!(
                strange, None,
                "process {id} thread {thread} of {count}: not in order, or not each once"
            );
            total += count;
        }
    }
    assert!(seen.is_empty(), "lines of an unknown thread");
    tell(&format!("{total} lines reported, all there"));
}

fn child(scenario: &str, folder: &Path) {
    let (scenario, id) = scenario.rsplit_once(' ').unwrap();
    let config = Config::new(folder).console(Console::Off).queue_bytes(2 << 20);
    let config = if scenario == "log parts" { config.max_bytes(1 << 20) } else { config };
    let config = config.max_wait(Duration::from_secs(5));
    let guard = configure(&config).unwrap();
    assert!(stats().crash_safe);
    let process: usize = id.parse().unwrap();
    match scenario {
        "recover" => return drop(guard),
        "abort" => {
            log_lines(process, 0, 10_000);
            process::abort();
        }
        _ => {}
    }
    thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || log_lines(process, thread, u64::MAX));
        }
    });
}

fn log_lines(process: usize, thread: usize, count: u64) {
    let acks = fs::OpenOptions::new().write(true).create(true).truncate(false).open(env::var(ACKS).unwrap());
    let acks = acks.unwrap();
    for at in 0..count {
        let before = stats().dropped;
        info!(process, thread, at, capability = "llm.chat", text = "of some length, to fill the file"; "line");
        if stats().dropped != before {
            // The disk was too slow for five seconds, which is no fault of the log.
            let _ = io::stderr().write_all(b"dropped\n");
            process::abort();
        }
        acks.write_all_at(&(at + 1).to_le_bytes(), 8 * thread as u64).unwrap();
    }
}
