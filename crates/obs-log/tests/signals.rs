//! Signals of a process, each in a child. An ignored signal stays ignored. A process that has to end ends with the status that
//! a shell expects, also as process 1. A process that continues has a working log.
#![allow(unsafe_code, reason = "the standard library has no signals")]

mod children;

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{fs, io, mem, process, ptr, thread};

use children::{PATIENCE, tell, wait_until};
use libc::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, c_int};
use obs_log::{Config, Console, configure, info};

const LINES: usize = 1_000;

fn main() {
    let tests: &[(&str, fn())] = &[
        ("an_ignored_signal_stays_ignored", ignored),
        ("nohup_keeps_its_promise", nohup_keeps_its_promise),
        ("process_1_ends_with_the_status_of_the_signal", process_1_ends_with_the_status_of_the_signal),
        ("process_1_goes_on_after_a_signal_that_is_not_handled", process_1_goes_on),
        ("a_signal_that_is_blocked_waits", a_signal_that_is_blocked_waits),
        ("a_signal_that_every_other_thread_blocks_ends_the_process", blocked_by_all_other_threads),
        ("a_handler_that_calls_ours_keeps_the_process_and_its_log", chained),
        ("a_handler_that_is_reset_and_calls_ours_keeps_the_process_and_its_log", chained_once),
        ("a_handler_that_gives_the_signal_back_to_ours_ends_the_process", given_back),
        ("a_handler_from_before_ours_stays", handled_before),
        ("a_handler_that_comes_while_the_log_ends_keeps_the_process_and_its_log", taken_over),
        ("a_second_signal_while_the_log_ends_is_one_end", a_second_signal_while_the_log_ends),
        ("a_forked_child_dies_of_its_signal_alone", a_forked_child_dies_of_its_signal_alone),
        ("a_program_that_took_our_descriptor_dies_of_its_signal", without_descriptor),
    ];
    children::main(tests, child);
}

/// Child that has logged [`LINES`] lines and waits for words on its stdin.
struct Program {
    folder: tempfile::TempDir,
    child: Child,
    lines: BufReader<process::ChildStdout>,
}

impl Program {
    /// Starts `scenario` by `prefix`, a command that takes a command.
    fn start(prefix: &[&str], scenario: &str) -> Program {
        let folder = tempfile::tempdir().unwrap();
        let mut command = children::command_by(prefix, scenario, folder.path());
        let mut child = command.stdin(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut program = Program { folder, child, lines };
        program.expect("ready");
        program
    }

    /// Starts `scenario` with the signals of a terminal. This process may have been started under nohup.
    fn in_terminal(scenario: &str) -> Program {
        Program::start(&["env", "--default-signal"], scenario)
    }

    fn expect(&mut self, word: &str) {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        assert_eq!(line.trim_end(), word);
    }

    /// Passes `word` to the child and waits until it has done so.
    fn say(&mut self, word: &str) {
        writeln!(self.child.stdin.as_ref().unwrap(), "{word}").unwrap();
        self.expect(word);
    }

    fn signal(&self, signal: c_int) {
        kill(self.child.id().cast_signed(), signal);
    }

    fn wait(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "the process does not end");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Lets the process end, and checks that all its lines are there.
    fn end(mut self, lines: usize) {
        drop(self.child.stdin.take());
        assert_eq!(self.wait().code(), Some(0));
        self.check(lines);
    }

    fn check(&self, lines: usize) {
        let numbers: Vec<_> =
            children::lines(self.folder.path()).iter().map(|line| line["at"].as_u64()).collect();
        assert_eq!(numbers, (0..lines as u64).map(Some).collect::<Vec<_>>());
        assert_eq!(fs::read_dir(self.folder.path()).unwrap().count(), 1, "a hand-over file is left");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn kill(pid: libc::pid_t, signal: c_int) {
    // SAFETY: sends a signal to a process that this one has started and not yet waited for.
    assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
}

fn ignored() {
    for (name, signal) in [("INT", SIGINT), ("TERM", SIGTERM), ("HUP", SIGHUP)] {
        let ignoring = format!("--ignore-signal={name}");
        let mut program = Program::start(&["env", "--default-signal", &ignoring], "plain");
        program.signal(signal);
        program.say("line");
        program.end(LINES + 1);
    }
}

fn nohup_keeps_its_promise() {
    let mut program = Program::start(&["env", "--default-signal", "nohup"], "plain");
    program.signal(SIGHUP);
    program.say("line");
    program.signal(SIGTERM);
    assert_eq!(program.wait().signal(), Some(SIGTERM));
    program.check(LINES + 1);
}

/// Starts process 1 of a new namespace. Returns it with its PID in ours, or `None` without the right to make a namespace.
fn process_1(scenario: &str) -> Option<(Program, libc::pid_t)> {
    let made = Command::new("unshare").args(["--pid", "--fork", "true"]).output();
    if !made.is_ok_and(|made| made.status.success()) {
        children::skip("needs the right to make a namespace of processes");
        return None;
    }
    let prefix = ["unshare", "--pid", "--fork", "--kill-child", "env", "--default-signal"];
    let mut program = Program::start(&prefix, scenario);
    program.say("pid 1");
    let unshare = program.child.id();
    let children = fs::read_to_string(format!("/proc/{unshare}/task/{unshare}/children")).unwrap();
    Some((program, children.trim().parse().unwrap()))
}

fn process_1_ends_with_the_status_of_the_signal() {
    for signal in [SIGTERM, SIGINT, SIGHUP] {
        let Some((mut program, pid)) = process_1("plain") else { return };
        program.say("line");
        kill(pid, signal);
        assert_eq!(program.wait().code(), Some(128 + signal), "the status that a shell shows");
        program.check(LINES + 1);
    }
}

/// The kernel drops a SIGQUIT for a process 1 that does not handle it.
fn process_1_goes_on() {
    let Some((mut program, pid)) = process_1("plain") else { return };
    kill(pid, SIGQUIT);
    program.say("line");
    program.say("safe");
    program.end(LINES + 1);
}

fn a_signal_that_is_blocked_waits() {
    let mut program = Program::in_terminal("blocked everywhere");
    program.signal(SIGTERM);
    program.say("line");
    program.say("safe");
    program.end(LINES + 1);
}

/// When the log has ended, every thread of the program blocks the signal.
fn blocked_by_all_other_threads() {
    let mut program = Program::in_terminal("plain");
    program.say("hold");
    program.say("line");
    program.signal(SIGTERM);
    program.say("block");
    program.say("release");
    assert_eq!(program.wait().signal(), Some(SIGTERM));
}

fn chained() {
    let mut program = Program::in_terminal("chained");
    for _ in 0..3 {
        program.signal(SIGTERM);
        program.say("handled");
    }
    program.say("line");
    program.say("safe");
    program.end(LINES + 1);
}

fn chained_once() {
    let mut program = Program::in_terminal("chained once");
    program.signal(SIGTERM);
    program.say("handled");
    program.say("line");
    program.say("safe");
    program.signal(SIGTERM);
    assert_eq!(program.wait().signal(), Some(SIGTERM), "the handler is gone");
}

fn given_back() {
    let mut program = Program::in_terminal("given back");
    program.signal(SIGTERM);
    assert_eq!(program.wait().signal(), Some(SIGTERM));
    program.check(LINES);
}

fn handled_before() {
    let mut program = Program::in_terminal("handled before");
    program.signal(SIGTERM);
    program.say("handled");
    program.say("line");
    program.say("safe");
    program.end(LINES + 1);
}

/// When the log has ended, the signal is no longer ours.
fn taken_over() {
    let mut program = Program::in_terminal("plain");
    program.say("hold");
    program.say("line");
    program.signal(SIGTERM);
    program.say("take over");
    program.say("release");
    program.say("line");
    program.say("safe");
    program.end(LINES + 2);
}

fn a_second_signal_while_the_log_ends() {
    let mut program = Program::in_terminal("plain");
    for signal in [SIGTERM, SIGTERM, SIGINT, SIGHUP, SIGTERM] {
        program.signal(signal);
    }
    let died_of = program.wait().signal().unwrap();
    assert!([SIGTERM, SIGINT, SIGHUP].contains(&died_of), "{died_of}");
    program.check(LINES);
}

fn a_forked_child_dies_of_its_signal_alone() {
    let mut program = Program::in_terminal("plain");
    program.say("fork");
    program.say("line");
    program.say("safe");
    program.end(LINES + 1);
}

/// The pipe of our handler is closed, and its number belongs to another file.
fn without_descriptor() {
    let mut program = Program::in_terminal("without descriptor");
    program.signal(SIGTERM);
    assert_eq!(program.wait().signal(), Some(SIGTERM));
}

/// Number of runs of a handler of the program.
static HANDLED: AtomicUsize = AtomicUsize::new(0);
static BEFORE: AtomicUsize = AtomicUsize::new(0);

extern "C" fn handler(_signal: c_int) {
    HANDLED.fetch_add(1, Ordering::SeqCst);
}

extern "C" fn chain(signal: c_int) {
    let before = BEFORE.load(Ordering::SeqCst);
    // SAFETY: the address of the former handler, which is a function of one number.
    let before: extern "C" fn(c_int) = unsafe { mem::transmute(ptr::with_exposed_provenance::<()>(before)) };
    before(signal);
    HANDLED.fetch_add(1, Ordering::SeqCst);
}

extern "C" fn give_back(signal: c_int) {
    set_handler(BEFORE.load(Ordering::SeqCst), 0);
    // SAFETY: async-signal-safe. The signal is delivered when this handler returns.
    unsafe { libc::raise(signal) };
}

/// Sets the handler of SIGTERM. Returns the former one.
fn set_handler(handler: libc::sighandler_t, flags: c_int) -> libc::sighandler_t {
    // SAFETY: zeroed values of the type are valid; each handler here is async-signal-safe.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        let mut before: libc::sigaction = mem::zeroed();
        action.sa_sigaction = handler;
        action.sa_flags = flags;
        assert_eq!(libc::sigaction(SIGTERM, &raw const action, &raw mut before), 0);
        before.sa_sigaction
    }
}

fn address(handler: extern "C" fn(c_int)) -> libc::sighandler_t {
    handler as *const () as libc::sighandler_t
}

/// Blocks SIGTERM in this thread and in those that it starts from now on.
fn block() {
    // SAFETY: changes the mask of the calling thread only; the set is initialised by `sigemptyset`.
    unsafe {
        let mut set: libc::sigset_t = mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, SIGTERM);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, ptr::null_mut());
    }
}

fn child(scenario: &str, folder: &Path) {
    match scenario {
        "blocked everywhere" => block(),
        "handled before" => drop(set_handler(address(handler), 0)),
        _ => {}
    }
    let _guard = configure(&Config::new(folder).console(Console::Off)).unwrap();
    let before = |before| BEFORE.store(before, Ordering::SeqCst);
    match scenario {
        "chained" => before(set_handler(address(chain), libc::SA_RESTART)),
        "chained once" => before(set_handler(address(chain), libc::SA_RESTART | libc::SA_RESETHAND)),
        "given back" => before(set_handler(address(give_back), libc::SA_RESTART)),
        _ => {}
    }
    (0..LINES).for_each(|at| info!(at; "line"));
    tell("ready");
    if scenario == "without descriptor" {
        replace_pipes();
    }
    serve(folder);
}

/// Opens another file under the number of each pipe that is written to. One of them is ours.
fn replace_pipes() {
    use std::os::fd::AsRawFd as _;
    let other = fs::OpenOptions::new().write(true).open("/dev/null").unwrap();
    let is_pipe = |number: &c_int| {
        let leads_to = |link: std::path::PathBuf| link.to_string_lossy().starts_with("pipe:");
        fs::read_link(format!("/proc/self/fd/{number}")).is_ok_and(leads_to)
    };
    let is_written = |number: &c_int| {
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{number}")).unwrap_or_default();
        info.lines().any(|line| line.starts_with("flags:") && line.ends_with('1'))
    };
    let pipes: Vec<_> = (3..64).filter(is_pipe).filter(is_written).collect();
    assert!(!pipes.is_empty());
    for number in pipes {
        // SAFETY: no value owns this end of the pipe, which the log keeps for the life of the process.
        assert_eq!(unsafe { libc::dup2(other.as_raw_fd(), number) }, number);
    }
}

/// Replaces the log's folder by a file until [`release`], so that the end of the log has to wait.
fn hold(folder: &Path) {
    fs::rename(folder, folder.with_extension("aside")).unwrap();
    fs::write(folder, "in the way").unwrap();
}

fn release(folder: &Path) {
    fs::remove_file(folder).unwrap();
    fs::rename(folder.with_extension("aside"), folder).unwrap();
}

/// Does what the words on stdin ask for, and repeats each when it is done.
fn serve(folder: &Path) {
    let mut next = LINES;
    let mut handled = 0;
    for word in io::stdin().lines() {
        let word = word.unwrap();
        match word.as_str() {
            "line" => {
                info!(at = next; "line");
                next += 1;
            }
            "pid 1" => assert_eq!(process::id(), 1),
            "handled" => {
                handled += 1;
                wait_until("a handled signal", || HANDLED.load(Ordering::SeqCst) >= handled);
            }
            "safe" => check_log(folder),
            "hold" => hold(folder),
            "release" => release(folder),
            "take over" => drop(set_handler(address(handler), libc::SA_RESTART)),
            "block" => block(),
            "fork" => fork_and_kill(),
            word => panic!("{word}?"),
        }
        tell(&word);
    }
}

/// Checks that the log is crash-safe and drops nothing.
fn check_log(folder: &Path) {
    assert!(obs_log::flush(PATIENCE));
    wait_until("a hand-over file", || obs_log::flush(PATIENCE) && obs_log::stats().crash_safe);
    assert_eq!(children::hand_over_files(folder), 1);
    assert_eq!(obs_log::stats().dropped, 0);
}

/// Forks a child that waits, and sends it SIGTERM.
fn fork_and_kill() {
    // SAFETY: the child only sleeps and ends.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        thread::sleep(PATIENCE);
        // SAFETY: ends the process.
        unsafe { libc::_exit(0) };
    }
    kill(pid, SIGTERM);
    let mut status = 0;
    let begun = Instant::now();
    // SAFETY: writes the status to the local.
    while unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG) } == 0 {
        assert!(begun.elapsed() < PATIENCE, "the child does not die");
        thread::sleep(Duration::from_millis(5));
    }
    assert!(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == SIGTERM, "{status}");
}
