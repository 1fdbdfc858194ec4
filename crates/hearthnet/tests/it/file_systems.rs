//! Folders on file systems that lack operations. A seccomp filter refuses system calls, or a FUSE file system is
//! mounted.
#![cfg(target_os = "linux")]
#![allow(unsafe_code, reason = "`pre_exec` is unsafe")]

use std::fs;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::node::{Home, Node, text_of};
use crate::seccomp::Filter;

const SYNC: [i64; 2] = [libc::SYS_fsync, libc::SYS_fdatasync];
#[cfg(target_arch = "x86_64")]
const LINKS: [i64; 3] = [libc::SYS_link, libc::SYS_linkat, libc::SYS_renameat2];
#[cfg(not(target_arch = "x86_64"))]
const LINKS: [i64; 2] = [libc::SYS_linkat, libc::SYS_renameat2];
const LOCKS: [i64; 1] = [libc::SYS_flock];
#[cfg(target_arch = "x86_64")]
const MODES: [i64; 3] = [libc::SYS_chmod, libc::SYS_fchmod, libc::SYS_fchmodat];
#[cfg(not(target_arch = "x86_64"))]
const MODES: [i64; 2] = [libc::SYS_fchmod, libc::SYS_fchmodat];

/// Runs `command` in a process whose system calls `calls` fail with `errno`.
fn refused(mut command: Command, calls: &[i64], errno: i32) -> Command {
    let calls: Vec<_> = calls.iter().map(|call| *call as u32).collect();
    let mut filter = Filter::refusing(&calls, errno as u32);
    // SAFETY: `install` makes two system calls and allocates nothing.
    unsafe { command.pre_exec(move || filter.install()) };
    command
}

fn init(home: &Home) -> Command {
    home.command(&["init", "--non-interactive"])
}

fn succeeded(output: &Output, case: &str) {
    assert!(output.status.success(), "{case}: {}", text_of(&output.stderr));
}

/// Returns the files of a home after `init`. None of them is temporary.
fn files(home: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    fn walk(folder: &Path, found: &mut Vec<(PathBuf, Vec<u8>)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => walk(&path, found),
                false => found.push((path.clone(), fs::read(&path).unwrap())),
            }
        }
    }
    let mut found = Vec::new();
    walk(home, &mut found);
    found.sort();
    let left =
        found.iter().find(|(path, _)| path.file_name().unwrap().to_str().unwrap().starts_with(".new-"));
    assert!(left.is_none(), "{left:?}");
    found
}

#[test]
fn init_needs_no_operation_that_a_file_system_may_lack() {
    let errnos = [libc::EINVAL, libc::ENOSYS, libc::EPERM, libc::EOPNOTSUPP, libc::EMLINK, libc::EACCES];
    for calls in [&SYNC[..], &LINKS, &MODES, &[&LINKS[..], &LOCKS].concat()] {
        for errno in errnos {
            let (home, case) = (Home::new(), format!("{calls:?} {errno}"));
            succeeded(&refused(init(&home), calls, errno).output().unwrap(), &case);
            let made = files(home.path());
            let seed = made.iter().find(|(path, _)| path.ends_with("device.ed25519")).unwrap();
            assert_eq!((made.len(), seed.1.len()), (5, 32), "{case}");
            succeeded(&refused(init(&home), calls, errno).output().unwrap(), &case);
            assert_eq!(files(home.path()), made, "{case}: a file that is there is kept");
        }
    }
}

#[test]
fn an_error_of_the_disk_is_no_missing_operation() {
    for (calls, errno) in [(&SYNC[..], libc::EIO), (&SYNC, libc::ENOSPC), (&LINKS, libc::EIO)] {
        let home = Home::new();
        let output = refused(init(&home), calls, errno).output().unwrap();
        assert!(!output.status.success(), "{calls:?} {errno}");
        assert!(!home.data().join("keys/device.ed25519").exists());
    }
}

/// One key is created, and all processes go on with it.
#[test]
fn processes_that_start_at_one_time_make_one_key_without_links() {
    for _ in 0..5 {
        let home = Home::new();
        let start = || {
            let mut command = refused(init(&home), &LINKS, libc::EOPNOTSUPP);
            command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let starting: Vec<_> = (0..8).map(|_| start()).collect();
        for process in starting {
            succeeded(&process.wait_with_output().unwrap(), "at one time");
        }
        // A second run verifies that the public key belongs to the seed, and the signature of the manifest.
        succeeded(&init(&home).output().unwrap(), "afterwards");
        assert_eq!(files(home.path()).len(), 5);
    }
}

#[tokio::test]
async fn a_node_runs_where_nothing_can_be_synced_linked_or_locked() {
    let all = [&SYNC[..], &LINKS, &LOCKS, &MODES].concat();
    let home = Home::new();
    let port = home.configure_free_port("");
    let node = Node::start_by(refused(home.command(&["run"]), &all, libc::ENOSYS), home, port);
    node.call(crate::node::ECHO, &serde_json::json!({})).send().await.unwrap().bytes().await.unwrap();
    node.wait_for_metric("hearthnet_event_log_size", "", 1.0).await;
    let home = node.stop();
    assert_eq!(home.done(None).len(), 1);
    assert!(!home.log_text().contains("event log"), "{}", home.log_text());
}

/// FUSE does not know the flags of `renameat2`, and this file system has no modes.
#[test]
fn init_works_on_a_fuse_file_system() {
    let (below, home) = (tempfile::tempdir().unwrap(), Home::new());
    let mounted = Command::new("bindfs").arg("--chmod-deny").arg(below.path()).arg(home.path()).output();
    if !mounted.is_ok_and(|mounted| mounted.status.success()) {
        let _ = writeln!(std::io::stderr(), "skipped: needs bindfs and the right to mount");
        return;
    }
    let (first, second) = (init(&home).output().unwrap(), init(&home).output().unwrap());
    let unmounted = Command::new("umount").arg(home.path()).status();
    succeeded(&first, "first");
    succeeded(&second, "second");
    assert!(unmounted.unwrap().success());
    assert_eq!(files(below.path()).len(), 5);
}
