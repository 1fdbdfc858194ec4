//! Harness of tests whose subject is a whole process. The test program starts itself as the children.
//!
//! The standard harness does not fit, because the end of `main`, signals and the streams of the process are subjects.
#![allow(dead_code, reason = "each test uses a part")]

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use libtest_mimic::{Arguments, Trial};

const SCENARIO: &str = "OBS_LOG_TEST_SCENARIO";
const FOLDER: &str = "OBS_LOG_TEST_FOLDER";

/// Maximum time that a test waits for something that has to happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Runs `child` with the scenario and the folder of the parent, if this process was started as a child. Otherwise runs the
/// tests that the command line asks for.
pub(crate) fn main(tests: &[(&str, fn())], child: fn(&str, &Path)) {
    if let (Ok(scenario), Some(folder)) = (env::var(SCENARIO), env::var_os(FOLDER)) {
        return child(&scenario, &PathBuf::from(folder));
    }
    let trial = |(name, test): &(&str, fn())| {
        let test = *test;
        Trial::test(*name, move || {
            test();
            Ok(())
        })
    };
    let mut arguments = Arguments::from_args();
    // One at a time, because the tests measure times and use whole file systems.
    arguments.test_threads = Some(1);
    libtest_mimic::run(&arguments, tests.iter().map(trial).collect()).exit_if_failed();
}

/// Returns a command that starts this program as a child.
pub(crate) fn command(scenario: &str, folder: &Path) -> Command {
    as_child(Command::new(env::current_exe().unwrap()), scenario, folder)
}

/// Returns a command that starts this program as a child by `prefix`, a command that takes another one.
pub(crate) fn command_by(prefix: &[&str], scenario: &str, folder: &Path) -> Command {
    let mut command = Command::new(prefix[0]);
    command.args(&prefix[1..]).arg(env::current_exe().unwrap());
    as_child(command, scenario, folder)
}

/// Returns `command`, which starts this program, with the scenario and the folder of a child, and with piped output.
pub(crate) fn as_child(mut command: Command, scenario: &str, folder: &Path) -> Command {
    command.env(SCENARIO, scenario).env(FOLDER, folder);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Waits for a child that has to end well. Returns its text on stderr.
pub(crate) fn ended(child: Child) -> String {
    let Output { status, stderr, .. } = child.wait_with_output().unwrap();
    let said = String::from_utf8(stderr).unwrap();
    assert!(status.success(), "{status} {said}");
    said
}

/// Returns the day files of a folder, in the order they were written.
pub(crate) fn day_files(folder: &Path) -> Vec<PathBuf> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let parse = |name: OsString| obs_log::DayFileName::parse(name.to_str()?);
    let mut names: Vec<_> = names.filter_map(parse).collect();
    names.sort();
    names.into_iter().map(|name| folder.join(name.to_string())).collect()
}

/// Returns the lines of a folder, in the order they were written.
pub(crate) fn lines(folder: &Path) -> Vec<serde_json::Value> {
    let text: String = day_files(folder).iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    text.lines().map(parse).collect()
}

/// Returns the number of hand-over files in a folder.
pub(crate) fn hand_over_files(folder: &Path) -> usize {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_str().unwrap().starts_with(".handover-")).count()
}

/// Waits until `done`.
pub(crate) fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Says on stderr why a test checks nothing.
pub(crate) fn skip(reason: &str) {
    let _ = writeln!(io::stderr(), "skipped: {reason}");
}

/// Prints a figure of the test, or an answer to the parent.
#[allow(clippy::print_stdout, reason = "stdout is the way to the parent")]
pub(crate) fn tell(text: &str) {
    println!("{text}");
}
