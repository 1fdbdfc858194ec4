//! `exception!` as its caller sees it: quick, and not lost by a kill right afterwards.
//!
//! The test starts itself as the children, so that each has a process whose symbols nobody has loaded yet.

mod by_name;

use std::backtrace::Backtrace;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, process};

use by_name::tell;
use obs_log::{Config, Console, Logger, configure, exception, flush, info, stats};

const SCENARIO: &str = "OBS_LOG_TEST_SCENARIO";
const FOLDER: &str = "OBS_LOG_TEST_FOLDER";
const PATIENCE: Duration = Duration::from_secs(30);
/// Calls that are measured; fewer than have a backtrace in a second.
const CALLS: usize = 12;

static LOG: Logger = Logger::new("test");

fn main() {
    if let Ok(scenario) = env::var(SCENARIO) {
        return child(&scenario, Path::new(&env::var(FOLDER).unwrap()));
    }
    by_name::run(&[
        ("a_caller_does_not_wait_for_symbols", caller),
        ("a_kill_right_after_an_exception_loses_nothing", killed),
        ("a_kill_after_the_line_was_written_doubles_nothing", killed_later),
        ("the_console_has_the_symbols_too", console),
    ]);
}

/// The first call of a process, and later ones from other places, against the time of a look-up in the same process.
fn caller() {
    let folder = tempfile::tempdir().unwrap();
    let (told, _) = run("measure", folder.path());
    tell(&told);
    let lines = lines(folder.path());
    let failed: Vec<_> = lines.iter().filter(|line| line["msg"] == "failed").collect();
    assert_eq!(failed.len(), CALLS);
    for line in failed {
        assert!(line["backtrace"].as_str().unwrap().contains("measure"), "{line}");
        assert_eq!(line["error_type"], "core::fmt::Error");
    }
    let order: Vec<_> = lines.iter().filter_map(|line| line["at"].as_u64()).collect();
    assert_eq!(order, (0..2 * CALLS as u64).collect::<Vec<_>>(), "lines stay in the order of their calls");
}

fn killed() {
    let folder = tempfile::tempdir().unwrap();
    run("kill", folder.path());
    run("recover", folder.path());
    let lines = lines(folder.path());
    let notes: Vec<_> = lines.iter().filter_map(|line| line["at"].as_u64()).collect();
    assert_eq!(notes, [0, 1, 2]);
    let backtrace = |at: usize| lines[at]["backtrace"].as_str().unwrap();
    assert!(lines.iter().all(|line| line["error"] == "an error occurred when formatting an argument"));
    // The writer may have been quicker than the kill.
    for at in 0..2 {
        let text = backtrace(at);
        assert!(
            text.contains("addresses only") && text.contains("+0x") || text.contains("fail_here"),
            "{text}"
        );
    }
}

fn killed_later() {
    let folder = tempfile::tempdir().unwrap();
    run("kill later", folder.path());
    run("recover", folder.path());
    let lines = lines(folder.path());
    let notes: Vec<_> = lines.iter().filter_map(|line| line["at"].as_u64()).collect();
    assert_eq!(notes, [0, 1]);
    // The second was known when it was made: its line has the symbols, whoever writes it.
    assert!(lines.iter().all(|line| line["backtrace"].as_str().unwrap().contains("fail_here")));
}

fn console() {
    let folder = tempfile::tempdir().unwrap();
    let (_, said) = run("console", folder.path());
    assert_eq!(said.matches("failed").count(), 1, "{said}");
    assert!(said.contains("backtrace=") && said.contains("fail_here"), "{said}");
    assert!(!said.contains("addresses only"), "{said}");
}

fn run(scenario: &str, folder: &Path) -> (String, String) {
    let mut command = Command::new(env::current_exe().unwrap());
    let output = command.env(SCENARIO, scenario).env(FOLDER, folder).output().unwrap();
    let [told, said] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert_eq!(output.status.success(), !scenario.starts_with("kill"), "{scenario}: {said}");
    (told, said)
}

fn lines(folder: &Path) -> Vec<serde_json::Value> {
    let mut lines = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        assert!(path.extension().is_some_and(|extension| extension == "log"), "{}", path.display());
        lines.extend(
            fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()),
        );
    }
    lines
}

fn child(scenario: &str, folder: &Path) {
    let console = if scenario == "console" { Console::Always } else { Console::Off };
    let _guard = configure(&Config::new(folder).console(console)).unwrap();
    match scenario {
        "measure" => measure(),
        "kill" => {
            (0..3).for_each(fail_here);
            kill();
        }
        "kill later" => {
            for at in 0..2 {
                fail_here(at);
                assert!(at > 0 || flush(PATIENCE));
            }
            assert_eq!(stats().dropped, 0);
            kill();
        }
        "console" => fail_here(0),
        _ => {}
    }
}

fn fail_here(at: u64) {
    exception!(LOG, std::fmt::Error, at; "failed");
}

fn kill() {
    let _ = Command::new("kill").args(["-9", &process::id().to_string()]).status();
    loop {
        std::thread::park();
    }
}

fn measure() {
    /// Calls from `CALLS` places, each of which has a stack of its own.
    fn deeper(left: usize, times: &mut Vec<Duration>) {
        if left == 0 {
            return;
        }
        let at = 2 * times.len();
        let started = Instant::now();
        exception!(LOG, std::fmt::Error, at; "failed");
        times.push(started.elapsed());
        info!(logger: LOG, at = at + 1; "after");
        deeper(left - 1, times);
    }
    let mut times = Vec::new();
    deeper(CALLS, &mut times);
    let started = Instant::now();
    assert!(flush(PATIENCE));
    let flushed = started.elapsed();
    // What a look-up takes that finds the tables of the process loaded.
    let started = Instant::now();
    assert!(Backtrace::force_capture().to_string().contains("measure"));
    let looked_up = started.elapsed();
    let first = times[0];
    times.sort();
    let median = times[CALLS / 2];
    tell(&format!("first {first:?} median {median:?} flush {flushed:?} look-up {looked_up:?}"));
    assert!(median < Duration::from_millis(5) && median < flushed, "{median:?} of {flushed:?}");
}
