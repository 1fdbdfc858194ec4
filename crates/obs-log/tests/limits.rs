//! Limits of the process (`ulimit`). No signal and no panic, one warning, and lines wait in memory.
//!
//! Children set a limit on themselves before they log. Unsafe are the calls that set it and that read the thread's signals.
#![cfg(target_os = "linux")]
#![allow(unsafe_code)]

mod children;

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use std::{mem, thread};

use children::{PATIENCE, ended, hand_over_files, skip, tell};
use obs_log::{Config, Console, ErrorKind, Guard, configure, flush, info, stats};

const LINES: u64 = 100;
const MIB: u64 = 1 << 20;

fn main() {
    let tests: &[(&str, fn())] = &[
        ("a_limit_on_file_sizes_makes_lines_wait_in_memory", hand_over_too_large),
        ("a_limit_that_day_files_meet_loses_no_line", day_file_too_large),
        ("a_pending_or_blocked_signal_stays_as_it_was", signal_stays),
        ("a_limit_on_memory_gives_a_smaller_queue", little_memory),
        ("too_little_memory_for_a_thread_is_an_error", no_thread),
        ("a_user_who_may_start_no_thread_gets_an_error", no_process),
        ("lines_wait_for_a_disk_that_is_full_at_the_start", full_disk),
        ("lines_wait_for_a_disk_that_becomes_full", disk_fills_up),
        ("without_descriptors_lines_wait", few_descriptors),
    ];
    children::main(tests, child);
}

fn hand_over_too_large() {
    for limit in [64 << 10, 4 * MIB] {
        let folder = tempfile::tempdir().unwrap();
        let said = run("file size", limit, folder.path());
        // Once for each of the two configurations.
        assert_eq!(said.matches("no hand-over file").count(), 2, "{said}");
        check_lines(folder.path());
    }
}

fn day_file_too_large() {
    for limit in [0, 4096] {
        let folder = tempfile::tempdir().unwrap();
        let said = run("day file", limit, folder.path());
        assert_eq!(said.matches("cannot write").count(), 1, "{said}");
        assert_eq!(said.matches("no hand-over file").count(), 1, "{said}");
        check_lines(folder.path());
    }
}

fn signal_stays() {
    let folder = tempfile::tempdir().unwrap();
    run("blocked", 4 * MIB, folder.path());
    check_lines(folder.path());
}

fn little_memory() {
    let folder = tempfile::tempdir().unwrap();
    let said = run("memory", 40 * MIB, folder.path());
    assert_eq!(said.matches("no hand-over file").count(), 1, "{said}");
    check_lines(folder.path());
}

fn no_thread() {
    let folder = tempfile::tempdir().unwrap();
    run("thread", MIB, folder.path());
}

fn no_process() {
    let folder = tempfile::tempdir().unwrap();
    let nobody = 65_534;
    if std::os::unix::fs::chown(folder.path(), Some(nobody), Some(nobody)).is_err() {
        return skip("needs root");
    }
    let mut command = command("process", 0, folder.path());
    command.uid(nobody).gid(nobody);
    // The test program may be in a folder that only root can read.
    let Ok(output) = command.output() else { return skip("another user cannot run this test") };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(hand_over_files(folder.path()), 0);
}

fn full_disk() {
    // In turn: neither the folder nor a file can be made; the folder exists; only the day file can be made; files can be
    // made, but not written.
    for (options, has_folder, ballast) in [
        ("size=1m,nr_inodes=1", false, 0),
        ("size=1m,nr_inodes=2", true, 0),
        ("size=64k,nr_inodes=3", true, 0),
        ("size=16k,nr_inodes=16", true, 16 << 10),
        ("size=16k,nr_inodes=16", false, 16 << 10),
    ] {
        let Some(disk) = Disk::mount(options) else { return };
        let folder = disk.path().join("log");
        if has_folder {
            fs::create_dir(&folder).unwrap();
        }
        if ballast > 0 {
            fs::write(disk.path().join("ballast"), vec![0; ballast]).unwrap();
        }
        let said = run("full disk", 0, &folder);
        assert_eq!(said.matches("no hand-over file").count(), 1, "{options} {said}");
        assert_eq!(
            said.matches("cannot write").count(),
            usize::from(options != "size=64k,nr_inodes=3"),
            "{said}"
        );
        check_lines(&folder);
    }
}

fn disk_fills_up() {
    let Some(disk) = Disk::mount("size=16m") else { return };
    let folder = disk.path().join("log");
    let said = run("disk fills up", 0, &folder);
    assert_eq!(said.matches("cannot write").count(), 1, "{said}");
    check_lines(&folder);
}

fn few_descriptors() {
    for left in 0..6 {
        let folder = tempfile::tempdir().unwrap();
        let said = run("descriptors", left, folder.path());
        assert!(said.matches("cannot write").count() <= 1, "{said}");
        assert!(said.matches("no hand-over file").count() <= 1, "{said}");
        assert_eq!(left == 0, said.contains("cannot write"), "{said}");
        check_lines(folder.path());
    }
}

/// Runs a child to its end. Returns its text on stderr.
fn run(scenario: &str, number: u64, folder: &Path) -> String {
    ended(command(scenario, number, folder).spawn().unwrap())
}

/// Returns a command that starts a child with a scenario of this file and its number.
fn command(scenario: &str, number: u64, folder: &Path) -> Command {
    children::command(&format!("{} {number}", scenario.replace(' ', "-")), folder)
}

/// A mounted file system in memory.
struct Disk(tempfile::TempDir);

impl Disk {
    /// Mounts it. `None`, with the reason on stderr, if that is not possible.
    fn mount(options: &str) -> Option<Disk> {
        let disk = Disk(tempfile::tempdir().unwrap());
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(disk.path());
        let done = command.output().is_ok_and(|output| output.status.success());
        if !done {
            skip("needs the right to mount a file system");
        }
        done.then_some(disk)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).output();
    }
}

/// Checks that each line is there once, and no hand-over file.
fn check_lines(folder: &Path) {
    let mut seen: HashMap<u64, u64> = HashMap::new();
    assert_eq!(fs::read_dir(folder).unwrap().count(), children::day_files(folder).len(), "only day files");
    for line in children::lines(folder) {
        *seen.entry(line["at"].as_u64().unwrap()).or_default() += 1;
    }
    assert_eq!((seen.len() as u64, seen.values().sum()), (LINES, LINES));
}

fn child(scenario: &str, folder: &Path) {
    let (scenario, number) = scenario.split_once(' ').unwrap();
    let number = number.parse().unwrap();
    match scenario {
        "file-size" => file_size(number, folder),
        "day-file" => day_file(number, folder),
        "blocked" => blocked(number, folder),
        "memory" => memory(number, folder),
        "thread" => thread(number, folder),
        "descriptors" => descriptors(number, folder),
        "process" => process(folder),
        "full-disk" => full_at_first(folder),
        "disk-fills-up" => fills_up(folder),
        other => unreachable!("{other}"),
    }
}

fn config(folder: &Path, queue_bytes: u64) -> Config {
    let config = Config::new(folder).console(Console::Off).queue_bytes(queue_bytes as usize);
    config.max_wait(Duration::from_secs(20))
}

fn file_size(limit: u64, folder: &Path) {
    set_limit(libc::RLIMIT_FSIZE, limit);
    let _first = configure(&config(folder, 8 * MIB)).unwrap();
    let _second = configure(&config(folder, 16 * MIB)).unwrap();
    assert_eq!(signals(), (false, false), "neither blocked nor pending");
    log_lines();
    assert!(flush(PATIENCE));
    assert!(!stats().crash_safe);
}

fn day_file(limit: u64, folder: &Path) {
    set_limit(libc::RLIMIT_FSIZE, limit);
    let _guard = configure(&config(folder, 8 * MIB)).unwrap();
    log_lines();
    assert!(!flush(Duration::from_millis(300)));
    assert!(stats().write_errors > 0);
    set_limit(libc::RLIMIT_FSIZE, libc::RLIM_INFINITY);
    assert!(flush(PATIENCE));
    assert_eq!((stats().written, stats().dropped), (LINES, 0));
    wait_for(|| stats().crash_safe);
}

/// The caller has blocked the signal, and one is pending already.
fn blocked(limit: u64, folder: &Path) {
    // SAFETY: changes the mask of this thread and sends it a signal that is blocked.
    unsafe {
        let mut only: libc::sigset_t = mem::zeroed();
        libc::sigaddset(&mut only, libc::SIGXFSZ);
        libc::pthread_sigmask(libc::SIG_BLOCK, &only, std::ptr::null_mut());
        libc::raise(libc::SIGXFSZ);
    }
    set_limit(libc::RLIMIT_FSIZE, limit);
    let _guard = configure(&config(folder, 8 * MIB)).unwrap();
    assert_eq!(signals(), (true, true), "blocked and pending");
    log_lines();
    assert!(flush(PATIENCE));
}

fn memory(more: u64, folder: &Path) {
    set_limit(libc::RLIMIT_AS, size_of("VmSize:") + more);
    let _guard = configure(&config(folder, 64 * MIB)).unwrap();
    assert!(!stats().crash_safe);
    log_lines();
    assert!(flush(PATIENCE));
}

fn thread(more: u64, folder: &Path) {
    set_limit(libc::RLIMIT_DATA, size_of("VmData:") + more);
    let error = configure(&config(folder, MIB)).map(|_: Guard| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Thread, "{error}");
}

/// Checks the error under a limit that counts the threads of the user, who has one.
fn process(folder: &Path) {
    set_limit(libc::RLIMIT_NPROC, 1);
    let error = configure(&config(folder, MIB)).map(|_: Guard| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Thread, "{error}");
}

/// Logs while the disk is full, then gives the disk room.
fn full_at_first(folder: &Path) {
    let _guard = configure(&config(folder, MIB)).unwrap();
    assert!(!stats().crash_safe);
    log_lines();
    let _ = flush(Duration::from_millis(300));
    let mut command = Command::new("mount");
    command.args(["-o", "remount,size=64m,nr_inodes=1000"]).arg(folder.parent().unwrap());
    assert!(command.status().unwrap().success());
    assert!(flush(PATIENCE));
    assert_eq!((stats().written, stats().dropped), (LINES, 0));
    wait_for(|| stats().crash_safe);
}

fn fills_up(folder: &Path) {
    let _guard = configure(&config(folder, MIB)).unwrap();
    assert!(stats().crash_safe);
    let ballast = folder.with_file_name("ballast");
    let mut file = File::create(&ballast).unwrap();
    while file.write_all(&[0; 1024]).is_ok() {}
    log_lines();
    assert!(!flush(Duration::from_millis(300)));
    assert!(stats().crash_safe, "lines that wait are still in the hand-over file");
    drop(file);
    fs::remove_file(ballast).unwrap();
    assert!(flush(PATIENCE));
    assert_eq!((stats().written, stats().dropped), (LINES, 0));
}

fn descriptors(left: u64, folder: &Path) {
    set_limit(libc::RLIMIT_NOFILE, 64);
    let mut taken = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        taken.push(file);
    }
    taken.truncate(taken.len() - left as usize);
    let _guard = configure(&config(folder, 8 * MIB)).unwrap();
    log_lines();
    assert_eq!(flush(Duration::from_millis(300)), left > 0);
    drop(taken);
    assert!(flush(PATIENCE));
    assert_eq!((stats().written, stats().dropped), (LINES, 0));
    wait_for(|| stats().crash_safe);
}

fn log_lines() {
    for at in 0..LINES {
        info!(at; "a line that is long enough for a hundred of them not to fit in one page");
    }
}

fn wait_for(there: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !there() {
        assert!(Instant::now() < deadline);
        // A flush makes the writer look for its hand-over file.
        flush(Duration::from_millis(10));
        thread::sleep(Duration::from_millis(10));
    }
}

fn set_limit(resource: libc::__rlimit_resource_t, soft: u64) {
    // SAFETY: both calls read or write a local.
    unsafe {
        let mut limit: libc::rlimit = mem::zeroed();
        assert_eq!(libc::getrlimit(resource, &mut limit), 0);
        limit.rlim_cur = soft.min(limit.rlim_max);
        assert_eq!(libc::setrlimit(resource, &limit), 0);
    }
}

/// Whether SIGXFSZ is blocked in this thread, and whether one is pending.
fn signals() -> (bool, bool) {
    // SAFETY: both calls write to locals.
    unsafe {
        let [mut blocked, mut pending]: [libc::sigset_t; 2] = mem::zeroed();
        libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &mut blocked);
        libc::sigpending(&mut pending);
        let has = |set: &libc::sigset_t| libc::sigismember(set, libc::SIGXFSZ) == 1;
        (has(&blocked), has(&pending))
    }
}

/// Returns the bytes of memory in a row of this process's status.
fn size_of(row: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(row)).unwrap();
    tell(line);
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}
