//! `exception!` from the caller's side: quick, and not lost by a kill right afterwards.
//!
//! Each case has a process of its own, whose symbols are not loaded yet.

mod children;

use std::backtrace::Backtrace;
use std::path::Path;
use std::process::{self, Command};
use std::time::{Duration, Instant};

use children::{PATIENCE, lines, tell};
use obs_log::{Config, Console, Logger, configure, exception, flush, info, stats};

/// Number of calls that are measured, which is less than the backtraces of a second.
const CALLS: usize = 12;

static LOG: Logger = Logger::new("test");

fn main() {
    let tests: &[(&str, fn())] = &[
        ("a_caller_does_not_wait_for_symbols", caller),
        ("a_call_during_a_look_up_does_not_wait_for_it", caller_beside),
        ("a_kill_right_after_an_exception_loses_nothing", killed),
        ("a_kill_after_the_line_was_written_doubles_nothing", killed_later),
        ("the_console_has_the_symbols_too", console),
    ];
    children::main(tests, child);
}

/// Measures the first call of a process, and later ones from other places, against a look-up in the same process.
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

fn caller_beside() {
    let folder = tempfile::tempdir().unwrap();
    let (told, _) = run("measure beside", folder.path());
    tell(&told);
    let lines = lines(folder.path());
    assert_eq!(lines.len(), CALLS);
    assert!(lines.iter().all(|line| line["backtrace"].as_str().unwrap().contains("fail_here")));
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
    // The stack of the second was known when it was made, so its line has the symbols in any case.
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
    let output = children::command(scenario, folder).output().unwrap();
    let [told, said] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert_eq!(output.status.success(), !scenario.starts_with("kill"), "{scenario}: {said}");
    (told, said)
}

fn child(scenario: &str, folder: &Path) {
    let console = if scenario == "console" { Console::Always } else { Console::Off };
    let _guard = configure(&Config::new(folder).console(console)).unwrap();
    match scenario {
        "measure" => measure(),
        "measure beside" => measure_beside(),
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
        "console" => {
            fail_here(0);
            // A sanitizer makes the look-up slower than the end of a process waits for it.
            assert!(flush(PATIENCE));
        }
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
    /// Calls `exception!` from `CALLS` stacks that all differ.
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
    // A look-up that finds the symbols of the process loaded.
    let started = Instant::now();
    assert!(Backtrace::force_capture().to_string().contains("measure"));
    let looked_up = started.elapsed();
    let first = times[0];
    times.sort();
    let median = times[CALLS / 2];
    tell(&format!("first {first:?} median {median:?} flush {flushed:?} look-up {looked_up:?}"));
    assert!(median < Duration::from_millis(5) && median < flushed, "{median:?} of {flushed:?}");
}

/// Calls `exception!` again and again while the writer looks up the symbols of the first call.
fn measure_beside() {
    let started = Instant::now();
    fail_here(0);
    let times = (1..CALLS as u64).map(|at| {
        std::thread::sleep(Duration::from_millis(10));
        let started = Instant::now();
        fail_here(at);
        started.elapsed()
    });
    let slowest = times.max().unwrap();
    assert!(flush(PATIENCE));
    let looked_up = started.elapsed();
    tell(&format!("slowest {slowest:?} first look-up {looked_up:?}"));
    assert!(slowest < looked_up / 2, "{slowest:?} of {looked_up:?}");
}
