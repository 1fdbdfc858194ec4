//! Hand-over files and day files whose locks are inherited, or that are on file systems without locks. Each line is there
//! once, and processes that die leave a bounded number of files.
//!
//! A seccomp filter that a child installs before it logs refuses system calls. Unsafe are the calls that install it, and
//! `fork`.
#![cfg(target_os = "linux")]
#![allow(unsafe_code)]

mod children;

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};
use std::{env, mem, process, thread};

use children::{ended, hand_over_files, lines};
use obs_log::{Config, Console, configure, info, stats};

/// Variable with the system calls that a child has refused.
const REFUSED: &str = "OBS_LOG_TEST_REFUSED";
const LINES: u64 = 3_200;
/// Number of lines that a process accepts before it aborts.
const ABORTED: u64 = 200;

fn main() {
    let tests: &[(&str, fn())] = &[
        ("a_close_of_a_file_of_the_folder_doubles_no_line", closes),
        ("a_forked_child_that_lives_on_keeps_no_lines", forked),
        ("without_locks_lines_are_written_once_with_one_warning", without_locks),
        ("without_locks_a_restart_loop_leaves_no_pile_of_files", restarts_without_locks),
        ("files_that_cannot_be_adopted_are_bounded", bounded),
        ("without_other_operations_lines_are_written", without_operations),
        ("without_shared_mappings_lines_wait_in_memory", without_mappings),
        ("without_shared_mappings_left_files_stay", left_without_mappings),
        ("without_renames_left_lines_are_written_once", left_without_renames),
        ("without_removals_a_restart_loop_leaves_no_pile_of_files", restarts_without_removals),
        ("lines_wait_for_refused_writes_without_more_files", without_writes),
        ("lines_wait_for_a_folder_beyond_a_quota", without_folder),
        ("a_day_is_compressed_without_fsync_and_not_without_a_disk", compressed_without_fsync),
        ("a_day_that_cannot_be_renamed_or_removed_is_not_there_twice", compressed_without_names),
    ];
    children::main(tests, child);
}

fn closes() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = start("close", folder.path(), "");
    let deadline = Instant::now() + Duration::from_secs(60);
    while first.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline);
        let other = start("come and go", folder.path(), "").wait_with_output().unwrap();
        assert!(other.status.success());
    }
    check_lines(folder.path(), 1, LINES);
}

fn forked() {
    let folder = tempfile::tempdir().unwrap();
    let output = start("fork", folder.path(), "").wait_with_output().unwrap();
    assert!(!output.status.success());
    let child: i32 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
    ended(start("come and go", folder.path(), ""));
    // SAFETY: the child waits for this signal. It is alive, so its PID is not used again.
    assert_eq!(unsafe { libc::kill(child, libc::SIGKILL) }, 0, "it was alive all the time");
    check_lines(folder.path(), 1, ABORTED);
    assert_eq!(hand_over_files(folder.path()), 0);
}

fn without_locks() {
    for errno in [libc::ENOLCK, libc::ENOSYS, libc::EOPNOTSUPP, libc::EINVAL, libc::EPERM] {
        let folder = tempfile::tempdir().unwrap();
        let said = ended(start("unlocked", folder.path(), &refused(&LOCKS, errno)));
        assert_eq!(said.matches("has no locks").count(), 1, "{errno}: {said}");
        check_lines(folder.path(), 1, LINES);
        assert_eq!(hand_over_files(folder.path()), 0);
    }
    // A day file whose lock fails in any other way is written too.
    for errno in [libc::EACCES, libc::EIO] {
        let folder = tempfile::tempdir().unwrap();
        let said = ended(start("unlocked", folder.path(), &refused(&[libc::SYS_flock], errno)));
        assert_eq!(said.matches("has no locks").count(), 1, "{errno}: {said}");
        check_lines(folder.path(), 1, LINES);
    }
}

fn restarts_without_locks() {
    let folder = tempfile::tempdir().unwrap();
    let refused = refused(&LOCKS, libc::ENOSYS);
    const STARTS: u64 = 20;
    for _start in 0..STARTS {
        let output = start("abort", folder.path(), &refused).wait_with_output().unwrap();
        assert!(!output.status.success());
        assert!(hand_over_files(folder.path()) <= 1, "each start adopts the file of the last one");
    }
    ended(start("come and go", folder.path(), &refused));
    assert_eq!(hand_over_files(folder.path()), 0);
    check_lines(folder.path(), STARTS as usize, ABORTED);
}

/// The owners of the files ran in another PID namespace, as far as the names tell, and had no lock.
fn bounded() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..16 {
        fs::write(folder.path().join(format!(".handover-1-{}-{number}", u64::MAX)), "").unwrap();
    }
    let said = ended(start("memory", folder.path(), ""));
    assert_eq!(said.matches("no hand-over file").count(), 1, "{said}");
    assert_eq!(hand_over_files(folder.path()), 16);
    check_lines(folder.path(), 1, LINES);
}

fn without_operations() {
    let calls =
        [libc::SYS_fallocate, libc::SYS_madvise, libc::SYS_fsync, libc::SYS_statx, libc::SYS_renameat2];
    for (calls, errno) in [
        (&calls[..], libc::ENOSYS),
        (&calls[..4], libc::EOPNOTSUPP),
        (&[libc::SYS_linkat, libc::SYS_rename, libc::SYS_renameat][..], libc::EPERM),
    ] {
        let folder = tempfile::tempdir().unwrap();
        ended(start("log", folder.path(), &refused(calls, errno)));
        check_lines(folder.path(), 1, LINES);
        assert_eq!(hand_over_files(folder.path()), 0);
    }
}

/// Refuses shared mappings alone, because the program itself needs private ones.
fn without_mappings() {
    for errno in [libc::EPERM, libc::ENODEV, libc::ENOMEM, libc::EINVAL] {
        let folder = tempfile::tempdir().unwrap();
        let said = ended(start("memory", folder.path(), &refused(&[libc::SYS_mmap], errno)));
        assert_eq!(said.matches("no hand-over file").count(), 1, "{errno}: {said}");
        check_lines(folder.path(), 1, LINES);
        assert_eq!(hand_over_files(folder.path()), 0);
    }
}

fn left_without_mappings() {
    let folder = tempfile::tempdir().unwrap();
    assert!(!start("abort", folder.path(), "").wait_with_output().unwrap().status.success());
    let before = hand_over_files(folder.path());
    for _start in 0..3 {
        ended(start("come and go", folder.path(), &refused(&[libc::SYS_mmap], libc::ENODEV)));
        assert_eq!(hand_over_files(folder.path()), before);
    }
    ended(start("come and go", folder.path(), ""));
    assert_eq!(hand_over_files(folder.path()), 0);
    check_lines(folder.path(), 1, ABORTED);
}

fn left_without_renames() {
    let folder = tempfile::tempdir().unwrap();
    for errno in [libc::EPERM, libc::ENOSYS, libc::EXDEV] {
        assert!(!start("abort", folder.path(), "").wait_with_output().unwrap().status.success());
        ended(start("come and go", folder.path(), &refused(&RENAMES, errno)));
        assert_eq!(hand_over_files(folder.path()), 0);
    }
    check_lines(folder.path(), 3, ABORTED);
}

fn restarts_without_removals() {
    let folder = tempfile::tempdir().unwrap();
    let refused = refused(&REMOVALS, libc::EPERM);
    const STARTS: usize = 20;
    for _start in 0..STARTS {
        assert!(!start("abort", folder.path(), &refused).wait_with_output().unwrap().status.success());
        assert!(hand_over_files(folder.path()) <= 16, "{}", hand_over_files(folder.path()));
    }
    ended(start("come and go", folder.path(), ""));
    assert_eq!(hand_over_files(folder.path()), 0);
}

fn without_writes() {
    for errno in [libc::EDQUOT, libc::EIO, libc::EPERM, libc::EROFS] {
        let folder = tempfile::tempdir().unwrap();
        let said = ended(start("waits", folder.path(), &refused(&[libc::SYS_writev], errno)));
        assert_eq!(said.matches("cannot write").count(), 1, "{errno}: {said}");
        assert!(said.contains(&format!("{ABORTED} lines are not written; the next start will")), "{said}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "the day file and the hand-over file");
        ended(start("come and go", folder.path(), ""));
        check_lines(folder.path(), 1, ABORTED);
        assert_eq!(hand_over_files(folder.path()), 0);
    }
}

fn without_folder() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("log");
    for errno in [libc::EDQUOT, libc::ENOSPC] {
        let said = ended(start("waits", &folder, &refused(&FOLDERS, errno)));
        assert_eq!(said.matches("cannot write").count(), 1, "{errno}: {said}");
        assert!(said.contains(&format!("{ABORTED} lines are lost")), "{said}");
    }
}

fn compressed_without_fsync() {
    if !cfg!(feature = "compress") {
        return;
    }
    let syncs = [libc::SYS_fsync, libc::SYS_fdatasync];
    for (errno, is_compressed) in [
        (libc::EINVAL, true),
        (libc::ENOSYS, true),
        (libc::EOPNOTSUPP, true),
        (libc::EIO, false),
        (libc::ENOSPC, false),
    ] {
        let folder = with_an_old_day();
        let said = ended(start("compress", folder.path(), &refused(&syncs, errno)));
        let name = if is_compressed { "2020-01-02.log.gz" } else { "2020-01-02.log" };
        assert_eq!(names_of_old_day(folder.path()), [name], "{errno}: {said}");
        assert_eq!(said.matches("cannot compress").count(), usize::from(!is_compressed), "{said}");
    }
}

fn compressed_without_names() {
    if !cfg!(feature = "compress") {
        return;
    }
    for (calls, errno) in [
        (&RENAMES[..], libc::EPERM),
        (&RENAMES[..], libc::EIO),
        (&REMOVALS[..], libc::EPERM),
        (&REMOVALS[..], libc::EIO),
        (&[&RENAMES[..], &REMOVALS[..]].concat()[..], libc::EACCES),
    ] {
        let folder = with_an_old_day();
        for _start in 0..2 {
            let said = ended(start("compress", folder.path(), &refused(calls, errno)));
            assert_eq!(names_of_old_day(folder.path()), ["2020-01-02.log"], "{errno}: {said}");
            assert_eq!(said.matches("cannot compress").count(), 1, "{said}");
        }
        let said = ended(start("compress", folder.path(), ""));
        assert_eq!(names_of_old_day(folder.path()), ["2020-01-02.log.gz"], "{said}");
    }
}

fn with_an_old_day() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("2020-01-02.log"), "{}\n").unwrap();
    folder
}

/// Returns the names that readers take for files of that day.
fn names_of_old_day(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name.starts_with("2020")).collect();
    names.sort();
    names
}

const RENAMES: [i64; 3] = [libc::SYS_rename, libc::SYS_renameat, libc::SYS_renameat2];
const REMOVALS: [i64; 2] = [libc::SYS_unlink, libc::SYS_unlinkat];
const FOLDERS: [i64; 2] = [libc::SYS_mkdir, libc::SYS_mkdirat];
const LOCKS: [i64; 2] = [libc::SYS_flock, libc::SYS_fcntl];

fn refused(calls: &[i64], errno: i32) -> String {
    let calls: Vec<_> = calls.iter().map(i64::to_string).collect();
    format!("{errno} {}", calls.join(" "))
}

fn start(scenario: &str, folder: &Path, refused: &str) -> Child {
    children::command(scenario, folder).env(REFUSED, refused).spawn().unwrap()
}

/// Checks that each of `processes` has written the lines 0 to `count`, each once.
fn check_lines(folder: &Path, processes: usize, count: u64) {
    let mut seen: HashMap<(u64, u64), u64> = HashMap::new();
    for line in lines(folder) {
        *seen.entry((line["process"].as_u64().unwrap(), line["at"].as_u64().unwrap())).or_default() += 1;
    }
    let twice = seen.values().filter(|count| **count > 1).count();
    assert_eq!((seen.len() as u64, twice), (processes as u64 * count, 0));
}

fn child(scenario: &str, folder: &Path) {
    refuse(&env::var(REFUSED).unwrap());
    let config = Config::new(folder).console(Console::Off).queue_bytes(1 << 20);
    #[cfg(feature = "compress")]
    let config = config.compress(scenario == "compress");
    let _guard = configure(&config.max_wait(Duration::from_secs(20))).unwrap();
    match scenario {
        "come and go" => {}
        "close" => log_lines(LINES, || {
            for entry in fs::read_dir(folder).unwrap().flatten() {
                drop(File::open(entry.path()));
            }
        }),
        "fork" => {
            fork_one_that_waits();
            log_lines(ABORTED, || {});
            process::abort();
        }
        "abort" => {
            log_lines(ABORTED, || {});
            process::abort();
        }
        "waits" => {
            log_lines(ABORTED, || {});
            assert!(!obs_log::flush(Duration::from_millis(300)));
            let stats = stats();
            assert_eq!((stats.written, stats.dropped), (0, 0));
            assert!(stats.write_errors > 0);
        }
        "compress" => {
            // The compressing thread warns when it fails. Otherwise the day is compressed soon.
            let patience = Instant::now() + Duration::from_millis(500);
            while Instant::now() < patience && !folder.join("2020-01-02.log.gz").exists() {
                thread::sleep(Duration::from_millis(5));
            }
            thread::sleep(Duration::from_millis(100));
        }
        scenario => {
            log_lines(LINES, || {});
            assert!(obs_log::flush(Duration::from_secs(20)));
            let stats = stats();
            assert_eq!((stats.unlocked, stats.crash_safe), (scenario == "unlocked", scenario != "memory"));
            assert_eq!((stats.written, stats.write_errors), (LINES, 0));
        }
    }
}

fn log_lines(count: u64, between: impl Fn()) {
    let process = process::id();
    for at in 0..count {
        info!(process, at; "line");
        if at.is_multiple_of(16) {
            between();
            thread::yield_now();
        }
    }
}

/// Forks a child that waits for its end. Prints its PID on stdout.
fn fork_one_that_waits() {
    // SAFETY: the child only makes calls that a forked child of many threads may make.
    match unsafe { libc::fork() } {
        0 => {
            // Otherwise the test would wait for the end of the pipes.
            // SAFETY: nothing else in the child uses them.
            unsafe { (libc::close(1), libc::close(2)) };
            loop {
                // SAFETY: only waits.
                unsafe { libc::pause() };
            }
        }
        child => children::tell(&child.to_string()),
    }
}

/// Makes system calls fail: "<errno> <number> <number> …". Of `fcntl`, only locks fail, of `mmap` only shared mappings.
fn refuse(refused: &str) {
    let mut numbers = refused.split_whitespace().map(|number| number.parse::<u32>().unwrap());
    let Some(errno) = numbers.next() else { return };
    let load = |offset: u32| instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset, 0, 0);
    let skip_unless =
        |value: u32, skipped: u8| instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, value, 0, skipped);
    let answer = |value: u32| instruction(libc::BPF_RET | libc::BPF_K, value, 0, 0);
    let number = mem::offset_of!(libc::seccomp_data, nr) as u32;
    let argument = |at: u32| mem::offset_of!(libc::seccomp_data, args) as u32 + 8 * at;
    let skip_unless_bit = |value: u32, skipped: u8| {
        instruction(libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K, value, 0, skipped)
    };
    let error = answer(libc::SECCOMP_RET_ERRNO | errno);
    let mut filter = Vec::new();
    for call in numbers {
        filter.push(load(number));
        if i64::from(call) == libc::SYS_fcntl {
            filter.extend([
                skip_unless(call, 3),
                load(argument(1)),
                skip_unless(libc::F_OFD_SETLK as u32, 1),
            ]);
        } else if i64::from(call) == libc::SYS_mmap {
            let shared = libc::MAP_SHARED as u32;
            filter.extend([skip_unless(call, 3), load(argument(3)), skip_unless_bit(shared, 1)]);
        } else {
            filter.push(skip_unless(call, 1));
        }
        filter.push(error);
    }
    filter.push(answer(libc::SECCOMP_RET_ALLOW));
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: the program and its instructions live during the call, which copies them.
    let installed = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) == 0
    };
    assert!(installed, "{}", std::io::Error::last_os_error());
}

fn instruction(code: u32, k: u32, jt: u8, jf: u8) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt, jf, k }
}
