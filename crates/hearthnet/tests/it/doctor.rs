//! `hearthnet doctor` and `GET /doctor` with the real binary. The tests of `obs-doctor` cover the checks themselves.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::node::{Home, Node, free_port};
use crate::pty;
use crate::tls_backend::TlsBackend;

fn initialised() -> Home {
    let home = Home::new();
    home.write_config(&format!("transport = {{ port = {} }}\n", free_port()));
    assert!(home.run(&["init", "--non-interactive"]).status.success());
    home
}

fn doctor(home: &Home, args: &[&str]) -> Output {
    home.run(&[&["doctor", "--offline"], args].concat())
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).expect("JSON alone on stdout")
}

fn status<'a>(report: &'a Value, name: &str) -> &'a str {
    let mut checks = report["checks"].as_array().unwrap().iter();
    checks.find(|check| check["name"] == name).unwrap()["status"].as_str().unwrap()
}

fn key(home: &Home) -> PathBuf {
    home.data().join("keys/device.ed25519")
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

/// Returns content, time and mode of every file in the folder.
fn snapshot(folder: &Path) -> BTreeMap<PathBuf, (Vec<u8>, std::time::SystemTime, u32)> {
    let mut all = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                let meta = fs::metadata(&path).unwrap();
                all.insert(path.clone(), (fs::read(&path).unwrap(), meta.modified().unwrap(), meta.mode()));
            }
        }
        all.insert(
            folder.clone(),
            (Vec::new(), fs::metadata(&folder).unwrap().modified().unwrap(), mode(&folder)),
        );
    }
    all
}

#[test]
fn the_command_changes_nothing() {
    let home = initialised();
    let before = snapshot(home.path());
    for args in [&[][..], &["--json"], &["--fix", "--dry-run"], &["--fix", "--yes"], &["--list"]] {
        assert_eq!(doctor(&home, args).status.code(), Some(0));
    }
    assert_eq!(before, snapshot(home.path()));
}

/// The backend never answers. Neither does the name server, whose clients block.
#[test]
fn the_command_ends_within_5_s_beside_a_silent_backend() {
    let home = initialised();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let config = fs::read_to_string(home.config()).unwrap();
    home.write_config(&format!("{config}\n[[llm.backends]]\nname = \"slow\"\nurl = \"{url}\"\n"));
    let started = Instant::now();
    let output = home.run(&["doctor", "--json"]);
    assert!(started.elapsed() < Duration::from_secs(5));
    let report = json(&output);
    assert_eq!(
        (status(&report, "llm_backend_reachable"), status(&report, "keys_loadable")),
        ("fail", "pass")
    );
    assert_eq!(output.status.code(), Some(1));
}

/// A certificate of its owner's own making is accepted if the system trusts it, and refused otherwise.
#[test]
fn a_backend_behind_https_is_trusted_by_the_certificates_of_the_system() {
    let home = initialised();
    let backend = TlsBackend::start();
    let config = fs::read_to_string(home.config()).unwrap();
    let url = format!("https://localhost:{}", backend.port);
    home.write_config(&format!("{config}\n[[llm.backends]]\nname = \"own\"\nurl = \"{url}\"\n"));
    let trusted = home.path().join("trusted.pem");
    let ask = |certificates: &str| {
        fs::write(&trusted, certificates).unwrap();
        let mut command = home.command(&["doctor", "--only", "llm_backend_reachable", "--json"]);
        json(&command.env("SSL_CERT_FILE", &trusted).env_remove("SSL_CERT_DIR").output().unwrap())
    };
    let known = ask(&backend.certificate);
    assert_eq!(status(&known, "llm_backend_reachable"), "pass", "{known:#}");
    let stranger = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.pem();
    let unknown = ask(&stranger);
    assert_eq!(status(&unknown, "llm_backend_reachable"), "fail");
    assert!(unknown.to_string().contains("certificate"), "{unknown:#}");
}

#[test]
fn a_password_of_the_configuration_is_not_printed() {
    let home = initialised();
    let config = fs::read_to_string(home.config()).unwrap();
    home.write_config(&format!(
        "{config}\n[[llm.backends]]\nname = \"a\"\nurl = \"http://u:hunter2@127.0.0.1:9/\"\n"
    ));
    for args in [&["-v"][..], &["--json"]] {
        let output = doctor(&home, args);
        let all = [output.stdout, output.stderr].concat();
        assert!(!String::from_utf8(all).unwrap().contains("hunter2"));
    }
}

#[test]
fn output_has_colour_and_width_on_a_terminal_only() {
    let home = initialised();
    let at = |columns, args: &[&str], env: &[(&str, &str)]| {
        let mut command = home.command(&[&["doctor", "--offline"], args].concat());
        for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "LC_ALL", "LC_CTYPE"] {
            command.env_remove(name);
        }
        command.env("LANG", "C.UTF-8").env("TERM", "xterm").envs(env.iter().map(|(name, value)| {
            // Stands for a byte that is not UTF-8.
            (*name, OsStr::from_bytes(if *value == "?" { b"\xff" } else { value.as_bytes() }))
        }));
        pty::run(command, columns, "").0
    };
    for columns in [80, 40] {
        let shown = at(columns, &[], &[]);
        assert!(shown.contains("\u{1b}[32m✔"), "{shown}");
        let plain = at(columns, &[], &[("NO_COLOR", "1")]);
        assert!(!plain.contains('\u{1b}') && plain.contains("✔ keys_present"), "{plain}");
        assert!(plain.lines().all(|line| line.chars().count() <= columns.into()), "{plain}");
        assert_eq!(at(columns, &["--color", "never"], &[]).lines().count(), plain.lines().count());
        assert!(at(columns, &["--color", "always"], &[("NO_COLOR", "1")]).contains('\u{1b}'));
        assert!(!at(columns, &[], &[("NO_COLOR", "?")]).contains('\u{1b}'), "whatever it says");
        assert!(at(columns, &[], &[("LANG", "C")]).replace('\u{1b}', "").is_ascii());
        let dumb = at(columns, &[], &[("TERM", "dumb")]);
        assert!(dumb.is_ascii() && !dumb.contains('\u{1b}') && dumb.contains("[ok]"), "{dumb}");
        assert!(at(columns, &[], &[("TERM", "dumb"), ("CLICOLOR_FORCE", "1")]).contains('\u{1b}'));
    }
    let piped = String::from_utf8(doctor(&home, &[]).stdout).unwrap();
    assert!(!piped.contains('\u{1b}') && piped.lines().any(|line| line.chars().count() > 80), "{piped}");
}

#[test]
fn exit_codes() {
    let home = initialised();
    let code = |args: &[&str]| doctor(&home, args).status.code();
    assert_eq!((code(&[]), code(&["--check", "nosuch"]), code(&["--nosuch"])), (Some(0), Some(2), Some(2)));
    let unknown = doctor(&home, &["--only", "disk_space,nosuch"]);
    let said = String::from_utf8(unknown.stderr).unwrap();
    assert!(
        unknown.stdout.is_empty() && said.contains("nosuch") && said.contains("recent_error_rate"),
        "{said}"
    );
    // A warning is a failure with --strict only.
    let log = fs::read_dir(home.data().join("communities")).unwrap().next().unwrap().unwrap().path();
    fs::write(log.join("events.sqlite-journal"), [1; 512]).unwrap();
    assert_eq!((code(&[]), code(&["--strict"])), (Some(0), Some(1)));
    set_mode(&key(&home), 0o640);
    assert_eq!(
        (code(&[]), code(&["--json"]), code(&["-q"]), code(&["--skip", "keys_present"])),
        (Some(1), Some(1), Some(1), Some(0))
    );
    assert_eq!(
        (code(&["--check", "disk_space"]), code(&["--check", "keys_present"]), code(&["--list"])),
        (Some(0), Some(1), Some(0))
    );
}

/// A reader that leaves early, as in `hearthnet doctor | head -1`, does not change the verdict. A report that cannot
/// be written has none.
#[test]
fn a_gone_reader_keeps_the_verdict_and_a_full_disk_is_an_error() {
    let home = initialised();
    let to = |stdout: Stdio, args: &[&str]| {
        let mut command = home.command(&[&["doctor", "--offline"], args].concat());
        command.stdout(stdout).stderr(Stdio::piped()).output().unwrap()
    };
    let closed = || {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        Stdio::from(writer)
    };
    for args in [&[][..], &["--json"], &["-v"], &["--list"]] {
        let gone = to(closed(), args);
        assert_eq!((gone.status.code(), String::from_utf8(gone.stderr).unwrap()), (Some(0), String::new()));
    }
    set_mode(&key(&home), 0o644);
    assert_eq!(to(closed(), &[]).status.code(), Some(1));
    let full = to(fs::File::options().write(true).open("/dev/full").unwrap().into(), &["--json"]);
    assert_eq!(full.status.code(), Some(2));
    assert!(String::from_utf8(full.stderr).unwrap().contains("cannot write the report"));
}

#[test]
fn only_list_and_quiet_limit_the_output() {
    let home = initialised();
    let text = |args: &[&str]| String::from_utf8(doctor(&home, args).stdout).unwrap();
    assert_eq!(text(&["-q"]), "", "nothing is wrong");
    let listed = text(&["--list"]);
    assert_eq!(listed.lines().count(), 19);
    assert_eq!(listed.lines().next(), Some("keys_present             Identity"));
    let listed: Value = serde_json::from_str(&text(&["--list", "--json"])).unwrap();
    assert_eq!(
        (&listed[1]["name"], &listed[1]["after"][0]),
        (&"keys_loadable".into(), &"keys_present".into())
    );

    let some =
        json(&doctor(&home, &["--only", "disk_space,keys_loadable", "--skip", "disk_space", "--json"]));
    let names: Vec<_> = some["checks"].as_array().unwrap().iter().map(|check| &check["name"]).collect();
    assert_eq!(names, ["keys_loadable", "disk_space"], "in the order of all");
    assert_eq!((status(&some, "keys_loadable"), status(&some, "disk_space")), ("pass", "skip"));
    assert!(text(&["-v"]).contains("available_bytes: ") && !text(&[]).contains("available_bytes"));

    set_mode(&key(&home), 0o644);
    let quiet = text(&["-q"]);
    assert!(
        quiet.starts_with("Identity\n  ✘ keys_present  ") && quiet.contains("→ fix: chmod 600 "),
        "{quiet}"
    );
    assert_eq!(quiet.matches("✘").count(), 1, "the dependent is skipped: {quiet}");
}

#[test]
fn fix_asks_at_a_terminal_and_checks_again() {
    let home = initialised();
    let fix =
        |answer| pty::run(home.command(&["doctor", "--offline", "--fix", "--color", "never"]), 200, answer);
    for no in ["n\n", "\n", "\u{4}"] {
        set_mode(&key(&home), 0o644);
        let (shown, code) = fix(no);
        assert!(shown.contains("device.ed25519 (it has mode 0644)? [y/N]"), "{shown}");
        assert_eq!((mode(&key(&home)), code), (0o644, Some(1)), "{shown}");
    }
    let (shown, code) = fix("y\n");
    assert_eq!((mode(&key(&home)), code), (0o600, Some(0)), "{shown}");
    assert!(
        shown.contains("✘ keys_present")
            && shown.contains("checking again")
            && shown.contains("✔ keys_present"),
        "{shown}"
    );
    assert!(fix("y\n").0.contains("nothing to repair"));
}

#[test]
fn fix_in_a_script_needs_yes_and_prints_one_report() {
    let home = initialised();
    set_mode(&key(&home), 0o666);
    for args in [&["--fix"][..], &["--fix", "--dry-run"]] {
        let output = doctor(&home, args);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("chmod 600 ") && said.contains("mode 0666"), "{said}");
        assert_eq!((mode(&key(&home)), output.status.code()), (0o666, Some(1)));
    }
    // A file that was not checked is not repaired.
    doctor(&home, &["--fix", "--yes", "--only", "disk_space"]);
    assert_eq!(mode(&key(&home)), 0o666);
    let output = doctor(&home, &["--fix", "--yes", "--json"]);
    assert_eq!((mode(&key(&home)), output.status.code()), (0o600, Some(0)));
    assert_eq!(status(&json(&output), "keys_present"), "pass");

    let (real, link) = (home.path().join("real"), key(&home));
    fs::rename(&link, &real).unwrap();
    set_mode(&real, 0o644);
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let output = doctor(&home, &["--fix", "--yes"]);
    assert!(String::from_utf8(output.stderr).unwrap().contains("symbolic link"));
    assert_eq!((mode(&real), output.status.code()), (0o644, Some(1)));
}

/// The node and the command see the same node and reach the same verdicts.
#[tokio::test]
async fn both_vantage_points_agree() {
    let node = Home::new().start("[discovery]\nmdns_enabled = false\n");
    let inside = node.http.get(node.url("/doctor")).send().await.unwrap();
    assert_eq!(inside.status(), 200);
    let inside: Value = inside.json().await.unwrap();
    let outside = json(&node.home.run(&["doctor", "--json"]));
    for report in [&inside, &outside] {
        for name in [
            "keys_present",
            "keys_loadable",
            "community_present",
            "event_log_writable",
            "transport_port",
            "at_least_one_capability",
        ] {
            assert_eq!(status(report, name), "pass", "{report:#}");
        }
        let checks = report["checks"].as_array().unwrap();
        let port = checks.iter().find(|check| check["name"] == "transport_port").unwrap();
        assert!(port["detail"].as_str().unwrap().contains("served by this node"), "{port}");
        assert_eq!(port["evidence"]["node_id"], inside["node_id"]);
    }
    assert_eq!(inside["node_id"], outside["node_id"]);

    // A foreign name that resolves to this address may belong to an attacker.
    let rebound = node.http.get(node.url("/doctor")).header("Host", "evil.example").send().await.unwrap();
    assert_eq!(rebound.status(), 403);
}

#[tokio::test]
async fn a_doctor_on_a_timer_shows_its_results_as_metrics() {
    let node = Home::new()
        .start("[discovery]\nmdns_enabled = false\n[observability]\ndoctor_interval_seconds = 60\n");
    let line = "hearthnet_doctor_check_ok{check=\"keys_present\"} 1";
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let page = node.http.get(node.url("/metrics")).send().await.unwrap().text().await.unwrap();
        if page.contains(line) {
            let lines = |name: &str| page.lines().filter(|line| line.starts_with(name)).count();
            assert_eq!(lines("hearthnet_doctor_check_ok{"), 19, "{page}");
            assert_eq!(lines("hearthnet_doctor_check_duration_seconds{"), 19, "{page}");
            break;
        }
        assert!(Instant::now() < until, "{page}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    drop::<Node>(node);
    let refused = Home::new();
    refused.write_config("[observability]\ndoctor_interval_seconds = 5\n");
    let output = refused.run(&["run"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("doctor_interval_seconds") && said.contains("10 to 86400"), "{said}");
}
