//! The doctor in a process of its own: as another user, in another network, on a read-only mount.

use std::io::Write as _;
use std::net::UdpSocket;
use std::os::unix::fs::{chown, lchown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use obs_doctor::{Check, Config, Doctor, LlmBackend, render};
use rustix::process::geteuid;
use serde_json::Value;

use crate::home::{Home, no_bus};

/// User ID that is not root and owns nothing.
pub(crate) const NOBODY: u32 = 65_534;

/// Returns the report of a doctor in network and mount namespaces of its own, which the shell text `setup` prepares; `None`
/// if this machine allows no namespaces.
pub(crate) fn report_in_namespaces(home: &Home, setup: &str) -> Option<Value> {
    in_namespaces(home, setup, r#"exec "$0" "$@""#)
}

/// Returns the report as [`report_in_namespaces`] does, of a user who owns the home and is not root.
pub(crate) fn report_in_namespaces_as_nobody(home: &Home, setup: &str) -> Option<Value> {
    if !*A_USER_MAY_RUN_US {
        return None;
    }
    give_away(home.root());
    let become_nobody = format!(r#"exec setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups "$0" "$@""#);
    in_namespaces(home, setup, &become_nobody)
}

fn in_namespaces(home: &Home, setup: &str, exec: &str) -> Option<Value> {
    if !*NAMESPACES_ARE_ALLOWED {
        return None;
    }
    let mut command = Command::new("unshare");
    command
        .args(["-n", "-m", "sh", "-ec", &format!("{setup}\n{exec}")])
        .arg(std::env::current_exe().unwrap());
    Some(run(home, &mut command))
}

/// Returns the report of a doctor that runs as a user who owns the home and is not root.
pub(crate) fn report_as_nobody(home: &Home) -> Option<Value> {
    give_away(home.root());
    report_as_stranger(home)
}

/// Returns the report of a doctor that runs as a user who neither owns the home nor is root.
pub(crate) fn report_as_stranger(home: &Home) -> Option<Value> {
    if !*A_USER_MAY_RUN_US {
        return None;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.uid(NOBODY).gid(NOBODY);
    Some(run(home, &mut command))
}

/// Returns the report of a stranger who may enter the folders of the home.
pub(crate) fn report_as_stranger_who_may_look(home: &Home) -> Option<Value> {
    crate::home::set_mode(&home.log(), 0o755);
    report_as_stranger(home)
}

/// Returns the report of a doctor with one check that hangs and one that blocks.
pub(crate) fn report_beside_blocked_checks(home: &Home) -> Value {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env("CHILD_HANGS", "1");
    run(home, &mut command)
}

/// Returns the report of a doctor under a seccomp profile that answers the system calls `numbers` with `errno`.
pub(crate) fn report_filtered(home: &Home, errno: i32, numbers: &[i64]) -> Value {
    let mut filter = errno.to_string();
    for number in numbers {
        filter += &format!(" {number}");
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    run(home, command.env("CHILD_FILTER", filter))
}

/// Returns the report of a doctor that can start no thread: `clone` fails with `errno`.
pub(crate) fn report_without_threads(home: &Home, errno: i32) -> Value {
    let mut command = Command::new(std::env::current_exe().unwrap());
    run(home, command.env("CHILD_CLONE_FAILS", errno.to_string()))
}

/// Returns the report of a doctor whose environment names a proxy for every address.
pub(crate) fn report_behind_a_proxy(home: &Home, proxy: &str) -> Value {
    let mut command = Command::new(std::env::current_exe().unwrap());
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env(name, proxy);
    }
    run(home, command.env_remove("NO_PROXY").env_remove("no_proxy"))
}

/// Returns the report of a doctor beside a program that does not share the mDNS port; `None` without a network namespace,
/// because the program would disturb the whole machine.
pub(crate) fn report_without_mdns(home: &Home) -> Option<Value> {
    in_namespaces(home, "ip link set lo up; export CHILD_TAKES_MDNS=1", r#"exec "$0" "$@""#)
}

/// Runs `body`, the body of the test `test`, in a network namespace of its own if this machine allows one.
pub(crate) fn in_own_network(test: &str, body: impl FnOnce()) {
    if std::env::var_os("CHILD_NETWORK").is_some() || !*NAMESPACES_ARE_ALLOWED {
        return body();
    }
    let mut command = Command::new("unshare");
    command.args(["-n", "sh", "-ec", r#"ip link set lo up; exec "$0" "$@""#]).env("CHILD_NETWORK", "1");
    let ran = command.arg(std::env::current_exe().unwrap()).args(["--exact", test]).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(
        ran.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&ran.stderr)
    );
}

static NAMESPACES_ARE_ALLOWED: LazyLock<bool> =
    LazyLock::new(|| Command::new("unshare").args(["-n", "-m", "true"]).status().is_ok_and(|s| s.success()));

static A_USER_MAY_RUN_US: LazyLock<bool> = LazyLock::new(|| {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--list", "--exact", "none"]).uid(NOBODY).gid(NOBODY);
    geteuid().is_root() && command.output().is_ok_and(|out| out.status.success())
});

/// Runs `command`, which executes this test binary, with the one test that writes a report.
fn run(home: &Home, command: &mut Command) -> Value {
    let out = home.root().join("report.json");
    std::fs::write(&out, "").unwrap();
    // Fails without root, when the child has the same user.
    let _ = chown(&out, Some(NOBODY), None);
    command
        .args(["--exact", "child::runs_the_doctor", "--ignored"])
        .env("CHILD_OUT", &out)
        .env("CHILD_DATA", &home.config.data_dir)
        .env("CHILD_LOG", home.config.log_dir.clone().unwrap_or_default())
        .env("CHILD_HOST", &home.config.host)
        .env("CHILD_PORT", home.config.port.to_string())
        .env("CHILD_ANCHORS", home.config.clock_anchors.join(" "))
        .env(
            "CHILD_BACKENDS",
            home.config.llm_backends.iter().map(|one| one.url.as_str()).collect::<String>(),
        );
    let ran = command.output().unwrap();
    let text = std::fs::read_to_string(&out).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|err| {
        let said = [ran.stdout, ran.stderr].concat();
        panic!("no report of the child ({err}): {}", String::from_utf8_lossy(&said))
    })
}

#[test]
#[ignore = "the other half of tests that need a process of their own"]
fn runs_the_doctor() {
    if let Ok(filter) = std::env::var("CHILD_FILTER") {
        // The standard library caches which system calls exist, so the filter has to be active from the start.
        let mut again = Command::new(std::env::current_exe().unwrap());
        again.args(std::env::args_os().skip(1)).env_remove("CHILD_FILTER");
        let numbers: Vec<u32> = filter.split(' ').map(|number| number.parse().unwrap()).collect();
        crate::filter::refuse(&numbers[1..], numbers[0]).unwrap();
        panic!("{}", again.exec());
    }
    let var = |name| std::env::var(name).unwrap();
    let backends = Some(var("CHILD_BACKENDS")).filter(|url| !url.is_empty());
    let config = Config::new(var("CHILD_DATA"))
        .log_dir(Some(PathBuf::from(var("CHILD_LOG"))))
        .host(var("CHILD_HOST"))
        .port(var("CHILD_PORT").parse().unwrap())
        .clock_anchors(var("CHILD_ANCHORS").split_whitespace())
        .llm_backends(backends.map(|url| LlmBackend::new("far", url)));
    let taken = || UdpSocket::bind("0.0.0.0:5353").unwrap();
    let _taken = std::env::var_os("CHILD_TAKES_MDNS").map(|_| taken());
    let mut doctor = Doctor::standard();
    if std::env::var_os("CHILD_HANGS").is_some() {
        doctor.register(Check::new("hangs").run(|_| std::future::pending())).unwrap();
        doctor
            .register(Check::new("blocks").run_blocking(|_| {
                loop {
                    std::thread::park()
                }
            }))
            .unwrap();
    }
    if let Ok(errno) = std::env::var("CHILD_CLONE_FAILS") {
        let numbers = [libc::SYS_clone, libc::SYS_clone3].map(|number| u32::try_from(number).unwrap());
        crate::filter::refuse(&numbers, errno.parse().unwrap()).unwrap();
    }
    let report = doctor.run_all_blocking(&config, &no_bus());
    std::fs::write(var("CHILD_OUT"), render::json(&report)).unwrap();
}

pub(crate) fn give_away(path: &Path) {
    let _ = lchown(path, Some(NOBODY), Some(NOBODY));
    if path.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            give_away(&entry.unwrap().path());
        }
    }
}

pub(crate) fn check<'a>(report: &'a Value, name: &str) -> &'a Value {
    report["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).unwrap()
}

/// Prints that a test was skipped and why, past the capture of test output.
pub(crate) fn skipped(test: &str) {
    let needs = "root, `unshare`, and a test binary that every user may run";
    let _ = writeln!(std::io::stderr(), "{test}: skipped: needs {needs}");
}
