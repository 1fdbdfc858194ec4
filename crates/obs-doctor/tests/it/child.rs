//! The doctor in a process of its own: another user, another network, a read-only mount.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use obs_doctor::{Check, Config, Doctor, render};
use serde_json::Value;

use crate::home::{Home, no_bus};

/// A user that is not root and owns nothing.
pub(crate) const NOBODY: u32 = 65_534;

/// Runs the doctor on `home` in a process that `prepare` has set up; `None` when this machine does not let us.
///
/// `wrapper` is a shell text that ends by running `"$0" "$@"`.
pub(crate) fn report(
    home: &Home,
    wrapper: Option<&str>,
    prepare: impl FnOnce(&mut Command),
) -> Option<Value> {
    let out = home.root().join("report.json");
    std::fs::write(&out, "").unwrap();
    std::os::unix::fs::chown(&out, Some(NOBODY), None).ok()?;
    let exe = std::env::current_exe().unwrap();
    let mut command = match wrapper {
        Some(text) => {
            let mut command = Command::new("unshare");
            command.args(["-n", "-m", "sh", "-ec", text]).arg(&exe);
            command
        }
        None => Command::new(&exe),
    };
    command.args(["--exact", "child::runs_the_doctor", "--ignored"]).stdout(Stdio::null());
    command
        .env("CHILD_OUT", &out)
        .env("CHILD_DATA", &home.config.data_dir)
        .env("CHILD_HOST", &home.config.host);
    command.env("CHILD_PORT", home.config.port.to_string());
    prepare(&mut command);
    let status = command.status().ok()?;
    let text = std::fs::read_to_string(&out).unwrap();
    assert!(status.success() || text.is_empty(), "the child failed after it had written its report");
    serde_json::from_str(&text).ok()
}

#[test]
#[ignore = "the other half of tests that need a process of their own"]
fn runs_the_doctor() {
    let var = |name| std::env::var(name).unwrap();
    let config =
        Config::new(var("CHILD_DATA")).host(var("CHILD_HOST")).port(var("CHILD_PORT").parse().unwrap());
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
    let report = doctor.run_all_blocking(&config, &no_bus());
    std::fs::write(var("CHILD_OUT"), render::json(&report)).unwrap();
}

/// As [`report`], as a user who owns the home and is not root.
pub(crate) fn report_as_nobody(home: &Home) -> Option<Value> {
    give_away(home.root());
    report(home, None, |command| {
        command.uid(NOBODY).gid(NOBODY);
    })
}

pub(crate) fn give_away(path: &Path) {
    let _ = std::os::unix::fs::lchown(path, Some(NOBODY), Some(NOBODY));
    if path.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            give_away(&entry.unwrap().path());
        }
    }
}

pub(crate) fn check<'a>(report: &'a Value, name: &str) -> &'a Value {
    report["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).unwrap()
}

/// Says why a test shows nothing on this machine.
pub(crate) fn skipped(test: &str) {
    skipped_for("root, `unshare` and a test binary that every user may run", test);
}

#[expect(clippy::print_stdout, reason = "a test that shows nothing must say so")]
pub(crate) fn skipped_for(need: &str, test: &str) {
    println!("{test}: skipped: needs {need}");
}
