//! Ends of a process, each in a child: queued lines are in the file. And the console of a process.

mod children;

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};
use std::{fs, panic, process, thread};

use children::{lines, tell};
use obs_log::{
    Config, Console, ErrorKind, Logger, configure, exception, info, log, log_enabled, warn_limited,
};

const LINES: usize = 10_000;
const FORK_THREADS: usize = 4;

fn main() {
    let tests: &[(&str, fn())] = &[
        ("no_end_of_a_process_loses_its_last_lines", every_end),
        ("a_forked_child_neither_writes_the_lines_of_its_parent_nor_hangs", forked),
        ("suppressed_lines_are_counted_at_exit", suppressed_at_exit),
        ("a_console_that_is_a_pipe_has_no_colour", console),
        ("a_blocked_stderr_holds_up_no_writer", blocked_stderr),
    ];
    children::main(tests, child);
}

fn every_end() {
    lost_tail("return", |child| assert!(child.wait().unwrap().success()));
    lost_tail("exit", |child| assert_eq!(child.wait().unwrap().code(), Some(3)));
    lost_tail("panic", |child| assert_eq!(child.wait().unwrap().code(), Some(101)));
    lost_tail("thread panic", |child| assert!(child.wait().unwrap().success()));
    for (scenario, signal) in [("TERM", 15), ("INT", 2), ("HUP", 1)] {
        lost_tail("signal", |child| {
            wait_for_line(child);
            let kill = Command::new("kill").arg(format!("-{scenario}")).arg(child.id().to_string()).status();
            assert!(kill.unwrap().success());
            assert_eq!(child.wait().unwrap().signal(), Some(signal), "the process dies of the signal");
        });
    }
}

fn start(scenario: &str, folder: &Path) -> Child {
    // With the signals of a terminal. Under nohup this process ignores SIGHUP, and a child would too.
    let mut command = children::command_by(&["env", "--default-signal"], scenario, folder);
    command.env_remove("NO_COLOR").spawn().unwrap()
}

/// Runs a child to the end that `end` gives it, and checks its lines.
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

fn suppressed_at_exit() {
    let folder = tempfile::tempdir().unwrap();
    assert!(start("limited", folder.path()).wait().unwrap().success());
    let lines = lines(folder.path());
    assert_eq!((lines.len(), &lines[1]["suppressed"]), (2, &99.into()));
}

/// Control characters are shown as escapes.
fn console() {
    let folder = tempfile::tempdir().unwrap();
    let output = start("console", folder.path()).wait_with_output().unwrap();
    let shown = String::from_utf8(output.stderr).unwrap();
    assert!(shown.ends_with(" INFO  exit  evil\\u{1b}[31m\\n  node=7H4G ms=12\n"), "{shown:?}");
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
    assert_eq!(lines(folder.path())[0]["msg"], "evil\u{1b}[31m\n");
}

/// The output of the console and of the warnings is never read.
fn blocked_stderr() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("log");
    let mut child = start("blocked stderr", &folder);
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

/// Logs while the disk fails for a moment, which is reported on a blocked stderr.
fn log_while_stderr_blocks(folder: &Path) {
    let aside = folder.with_extension("aside");
    assert!(obs_log::stats().write_errors == 0);
    // These are more than the pipe takes. The console's thread blocks and holds the lock of stderr.
    (0..LINES).for_each(|at| info!(at; "line"));
    thread::sleep(Duration::from_millis(200));
    fs::rename(folder, &aside).unwrap();
    fs::write(folder, "in the way").unwrap();
    info!(at = LINES; "line");
    let patience = Instant::now() + Duration::from_secs(20);
    while obs_log::stats().write_errors < 2 && Instant::now() < patience {
        thread::sleep(Duration::from_millis(5));
    }
    fs::remove_file(folder).unwrap();
    fs::rename(&aside, folder).unwrap();
    // A flush would wait for the console, which is blocked.
    while obs_log::stats().written < LINES as u64 + 1 && Instant::now() < patience {
        thread::sleep(Duration::from_millis(5));
    }
    let stats = obs_log::stats();
    process::exit(i32::from(stats.write_errors < 2 || stats.written != LINES as u64 + 1));
}

fn child(scenario: &str, folder: &Path) {
    let console = match scenario {
        "console" | "blocked stderr" => Console::Always,
        _ => Console::Off,
    };
    let config = Config::new(folder).console(console);
    // As if a thread that never ends had the guard, so that it is never dropped.
    std::mem::forget(configure(&config).unwrap());
    static LOG: Logger = Logger::new("exit");
    match scenario {
        "limited" => return (0..100).for_each(|_| warn_limited!(LOG, "k", "m")),
        "fork" => return log_and_fork(folder),
        "blocked stderr" => return log_while_stderr_blocks(folder),
        "console" => return info!(logger: LOG, node = "7H4G", ms = 12; "evil\u{1b}[31m\n"),
        _ => (0..LINES).for_each(|at| info!(at; "line")),
    }
    match scenario {
        "exit" => process::exit(3),
        "panic" => panic!("on purpose"),
        "thread panic" => assert!(thread::spawn(|| panic!("on purpose")).join().is_err()),
        "signal" => {
            tell("ready");
            thread::sleep(Duration::from_secs(60));
        }
        _ => {}
    }
}

/// Forks while other threads log and hold locks.
fn log_and_fork(folder: &Path) {
    let forks = thread::scope(|scope| {
        for thread in 0..FORK_THREADS {
            scope.spawn(move || (0..LINES).for_each(|at| info!(at = thread * LINES + at; "line")));
        }
        (0..20).map(|count| fork(count, folder)).collect::<Vec<_>>()
    });
    forks.into_iter().for_each(wait_for);
}

#[allow(unsafe_code, reason = "the standard library cannot fork")]
fn fork(count: usize, folder: &Path) -> libc::pid_t {
    // SAFETY: the child only does what the locks of its threads allow, which is tested here, and ends itself.
    let pid = unsafe { libc::fork() };
    assert_ne!(pid, -1);
    if pid != 0 {
        return pid;
    }
    let done = panic::catch_unwind(|| in_forked_child(folder));
    match count % 2 {
        _ if done.is_err() => process::abort(),
        // With exit handlers, and without.
        0 => process::exit(0),
        // SAFETY: ends the process.
        _ => unsafe { libc::_exit(0) },
    }
}

fn in_forked_child(folder: &Path) {
    static LOG: Logger = Logger::new("exit");
    let second = Duration::from_secs(1);
    info!("from the child");
    warn_limited!(LOG, "k", "from the child");
    exception!(LOG, std::fmt::Error; "from the child");
    assert!(!obs_log::flush(second), "there is no writer");
    assert!(!log_enabled!(log::Level::Error));
    let refused = configure(&Config::new(folder).console(Console::Off).level("debug"));
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Thread);
    // The panic hook flushes too.
    assert!(panic::catch_unwind(|| panic!("on purpose")).is_err());
    assert!(obs_log::stats().dropped > 0);
}

/// Waits for the end of a child. Kills one that hangs, and fails.
#[allow(unsafe_code, reason = "the standard library cannot wait for a fork")]
fn wait_for(pid: libc::pid_t) {
    let patience = Instant::now() + Duration::from_secs(30);
    let mut status = 0;
    // SAFETY: writes the status to the local.
    while unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG) } == 0 {
        if Instant::now() > patience {
            // SAFETY: the child has not been waited for, so the PID is still its own.
            unsafe { libc::kill(pid, libc::SIGKILL) };
            panic!("a forked child hangs");
        }
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(status, 0, "a forked child did not end well");
}
