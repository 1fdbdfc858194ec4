//! The ends of a process, each in a child: what was logged is in the file (L10); and its console (L11).
//!
//! A program of its own, without the test harness, because the return of `main` is one of its subjects.

mod by_name;

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, panic, process, thread};

use obs_log::{
    Config, Console, ErrorKind, Logger, configure, exception, info, log, log_enabled, warn_limited,
};

const SCENARIO: &str = "OBS_LOG_TEST_SCENARIO";
const FOLDER: &str = "OBS_LOG_TEST_FOLDER";
const LINES: usize = 10_000;
const FORK_THREADS: usize = 4;

fn main() {
    if let Ok(scenario) = env::var(SCENARIO) {
        return child(&scenario);
    }
    by_name::run(&[
        ("pain_01_lost_tail_in_none_of_the_ends", pain_01_lost_tail_in_none_of_the_ends),
        ("l10_a_forked_child_neither_writes_its_parent_s_lines_nor_hangs", forked),
        ("l5_what_the_rate_limit_held_back_is_told_at_exit", suppressed_at_exit),
        ("l11_a_console_that_is_a_pipe", console),
        ("l8_a_standstill_of_stderr_holds_up_no_writer", standstill),
    ]);
}

/// L10.
fn pain_01_lost_tail_in_none_of_the_ends() {
    lost_tail("return", |child| assert!(child.wait().unwrap().success()));
    lost_tail("exit", |child| assert_eq!(child.wait().unwrap().code(), Some(3)));
    lost_tail("panic", |child| assert_eq!(child.wait().unwrap().code(), Some(101)));
    lost_tail("thread panic", |child| assert!(child.wait().unwrap().success()));
    for (scenario, signal) in [("TERM", 15), ("INT", 2), ("HUP", 1)] {
        lost_tail("signal", |child| {
            wait_for_line(child);
            let kill = Command::new("kill").arg(format!("-{scenario}")).arg(child.id().to_string()).status();
            assert!(kill.unwrap().success());
            assert_eq!(child.wait().unwrap().signal(), Some(signal), "dies of the signal as it would have");
        });
    }
}

fn start(scenario: &str, folder: &Path) -> Child {
    // With every signal as in a terminal: under nohup this process ignores SIGHUP, and a child would too.
    let mut command = Command::new("env");
    command.arg("--default-signal").arg(env::current_exe().unwrap());
    command.env(SCENARIO, scenario).env(FOLDER, folder).env_remove("NO_COLOR");
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn lines(folder: &Path) -> Vec<serde_json::Value> {
    let mut files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let file = files.find(|path| path.extension().is_some()).unwrap();
    fs::read_to_string(file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn lost_tail(scenario: &str, end: impl FnOnce(&mut Child)) {
    let folder = tempfile::tempdir().unwrap();
    let mut child = start(scenario, folder.path());
    end(&mut child);
    let lines = lines(folder.path());
    assert_eq!(lines.len(), LINES, "{scenario}");
    assert!(lines.iter().enumerate().all(|(at, line)| line["at"] == at), "{scenario}");
}

fn wait_for_line(child: &mut Child) {
    use std::io::{BufRead, BufReader};
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
}

/// Pain: fork (T#2047).
fn forked() {
    let folder = tempfile::tempdir().unwrap();
    let output = start("fork", folder.path()).wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = lines(folder.path());
    let mut found: Vec<_> = lines.iter().filter_map(|line| line["at"].as_u64()).collect();
    found.sort_unstable();
    assert_eq!((found.len(), lines.len()), (FORK_THREADS * LINES, FORK_THREADS * LINES));
    assert!(found.into_iter().enumerate().all(|(at, line)| at as u64 == line), "a line twice");
    let left = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 1, "a hand-over file is left");
}

/// L5: counters are flushed at shutdown.
fn suppressed_at_exit() {
    let folder = tempfile::tempdir().unwrap();
    assert!(start("limited", folder.path()).wait().unwrap().success());
    let lines = lines(folder.path());
    assert_eq!((lines.len(), &lines[1]["suppressed"]), (2, &99.into()));
}

/// L11: no colour into a pipe, control characters shown.
fn console() {
    let folder = tempfile::tempdir().unwrap();
    let output = start("console", folder.path()).wait_with_output().unwrap();
    let shown = String::from_utf8(output.stderr).unwrap();
    assert!(shown.ends_with(" INFO  exit  evil\\u{1b}[31m\\n  node=7H4G ms=12\n"), "{shown:?}");
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
    assert_eq!(lines(folder.path())[0]["msg"], "evil\u{1b}[31m\n");
}

/// L8, L9: nobody reads what the console and the warnings write.
fn standstill() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("log");
    let mut child = start("standstill", &folder);
    let patience = Instant::now() + Duration::from_secs(60);
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > patience {
            child.kill().unwrap();
            panic!("the process hangs");
        }
        thread::sleep(Duration::from_millis(10));
    };
    assert!(status.success(), "{status}");
    let lines = lines(&folder);
    let found = lines.iter().filter(|line| line["logger"] == "exit").count();
    assert_eq!(found, LINES + 1);
}

/// With the disk out of order for a moment, which is told on a stderr that stands still.
fn log_while_stderr_stands_still() {
    let folder = PathBuf::from(env::var(FOLDER).unwrap());
    let aside = folder.with_extension("aside");
    assert!(obs_log::stats().write_errors == 0);
    // More than the pipe takes: the console's thread waits, and holds the lock of stderr.
    (0..LINES).for_each(|at| info!(at; "line"));
    thread::sleep(Duration::from_millis(200));
    fs::rename(&folder, &aside).unwrap();
    fs::write(&folder, "in the way").unwrap();
    info!(at = LINES; "line");
    let patience = Instant::now() + Duration::from_secs(20);
    while obs_log::stats().write_errors < 2 && Instant::now() < patience {
        thread::sleep(Duration::from_millis(5));
    }
    fs::remove_file(&folder).unwrap();
    fs::rename(&aside, &folder).unwrap();
    obs_log::flush(Duration::from_secs(20));
    let stats = obs_log::stats();
    process::exit(i32::from(stats.write_errors < 2 || stats.written != LINES as u64 + 1));
}

#[allow(clippy::print_stdout, reason = "tells the parent that it may send the signal")]
fn child(scenario: &str) {
    let console = match scenario {
        "console" | "standstill" => Console::Always,
        _ => Console::Off,
    };
    let config = Config::new(env::var(FOLDER).unwrap()).console(console);
    // As if it had been kept by a thread that never ends: nobody drops it.
    std::mem::forget(configure(&config).unwrap());
    static LOG: Logger = Logger::new("exit");
    match scenario {
        "limited" => return (0..100).for_each(|_| warn_limited!(LOG, "k", "m")),
        "fork" => return log_and_fork(),
        "standstill" => return log_while_stderr_stands_still(),
        "console" => return info!(logger: LOG, node = "7H4G", ms = 12; "evil\u{1b}[31m\n"),
        _ => (0..LINES).for_each(|at| info!(at; "line")),
    }
    match scenario {
        "exit" => process::exit(3),
        "panic" => panic!("on purpose"),
        "thread panic" => assert!(thread::spawn(|| panic!("on purpose")).join().is_err()),
        "signal" => {
            println!("ready");
            thread::sleep(Duration::from_secs(60));
        }
        _ => {}
    }
}

/// Forks while other threads log, and so hold locks.
fn log_and_fork() {
    let forks = thread::scope(|scope| {
        for thread in 0..FORK_THREADS {
            scope.spawn(move || (0..LINES).for_each(|at| info!(at = thread * LINES + at; "line")));
        }
        (0..20).map(fork).collect::<Vec<_>>()
    });
    forks.into_iter().for_each(wait_for);
}

#[allow(unsafe_code, reason = "the standard library cannot fork")]
fn fork(count: usize) -> libc::pid_t {
    // SAFETY: the child does what its threads' locks allow it, which is what is tested, and ends itself.
    let pid = unsafe { libc::fork() };
    assert_ne!(pid, -1);
    if pid != 0 {
        return pid;
    }
    let done = panic::catch_unwind(in_forked_child);
    match count % 2 {
        _ if done.is_err() => process::abort(),
        // With handlers of the process's end, and without.
        0 => process::exit(0),
        // SAFETY: ends the process.
        _ => unsafe { libc::_exit(0) },
    }
}

fn in_forked_child() {
    static LOG: Logger = Logger::new("exit");
    let second = Duration::from_secs(1);
    info!("from the child");
    warn_limited!(LOG, "k", "from the child");
    exception!(LOG, std::fmt::Error; "from the child");
    assert!(!obs_log::flush(second), "nobody is here to write");
    assert!(!log_enabled!(log::Level::Error));
    let folder = env::var(FOLDER).unwrap();
    let refused = configure(&Config::new(folder).console(Console::Off).level("debug"));
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Thread);
    // The hook of a panic flushes, too.
    assert!(panic::catch_unwind(|| panic!("on purpose")).is_err());
    assert!(obs_log::stats().dropped > 0);
}

/// Waits for the end of a child; one that hangs is killed by its signal, and this process with it.
#[allow(unsafe_code, reason = "the standard library cannot wait for a fork")]
fn wait_for(pid: libc::pid_t) {
    let patience = Instant::now() + Duration::from_secs(30);
    let mut status = 0;
    // SAFETY: writes the status to the local.
    while unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG) } == 0 {
        if Instant::now() > patience {
            // SAFETY: the child of this process that is still there.
            unsafe { libc::kill(pid, libc::SIGKILL) };
            panic!("a forked child hangs");
        }
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(status, 0, "a forked child did not end well");
}
