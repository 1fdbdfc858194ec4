//! `hearthnet export`: contents of the archive, secrets, and failures that leave no file.
#![cfg(target_os = "linux")]
#![allow(unsafe_code, reason = "`pre_exec` is unsafe")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::node::{ECHO, Home, request_id, text_of};
use crate::pty;
use crate::seccomp::Filter;

/// Secrets in places where a user may put them.
const SECRETS: &str = "
# planted-comment
[[llm.backends]]
name = \"a\"
url = \"http://127.0.0.1:9\"
api_key_env = \"sk-planted-key-in-the-wrong-place\"
[ui]
password = \"planted-password\"
link = \"http://ada:planted-user@host/?key=planted-query\"
";

/// Unpacks the archive by the program `tar`, and returns the sorted names in it.
fn unpack(archive: &Path, into: &Path) -> Vec<String> {
    let listed = Command::new("tar").arg("-tzf").arg(archive).output().unwrap();
    assert!(listed.status.success(), "{listed:?}");
    assert!(Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(into).status().unwrap().success());
    let listed = text_of(&listed.stdout);
    let mut names: Vec<_> = listed.lines().map(|name| name.split_once('/').unwrap().1.to_owned()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn an_archive_has_all_of_the_user_and_no_secret() {
    let node = Home::new().start(SECRETS);
    let id = request_id(&node.call(ECHO, &json!({ "input": {} })).send().await.unwrap());
    node.trace(&id).await;
    let out = tempfile::tempdir().unwrap();
    let ran = node.home.run(&["export", "--out", out.path().to_str().unwrap()]);
    assert_eq!(
        (ran.status.code(), text_of(&ran.stderr)),
        (Some(0), String::new()),
        "nothing is drawn in a pipe"
    );
    let made: Vec<_> = fs::read_dir(out.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [archive] = &made[..] else { panic!("one file: {made:?}") };
    assert!(text_of(&ran.stdout).contains(archive.to_str().unwrap()), "{ran:?}");
    assert_eq!(fs::metadata(archive).unwrap().permissions().mode() & 0o777, 0o600);

    let unpacked = tempfile::tempdir().unwrap();
    let names = unpack(archive, unpacked.path());
    let root = fs::read_dir(unpacked.path()).unwrap().next().unwrap().unwrap().path();
    let read = |name: &str| fs::read_to_string(root.join(name)).unwrap();
    let manifest: Value = serde_json::from_str(&read("manifest.json")).unwrap();
    let mut listed: Vec<_> =
        manifest["entries"].as_array().unwrap().iter().map(|entry| entry["path"].as_str().unwrap()).collect();
    for entry in manifest["entries"].as_array().unwrap() {
        let length = fs::metadata(root.join(entry["path"].as_str().unwrap())).unwrap().len();
        assert_eq!(entry["bytes"], length, "{entry}");
    }
    listed.push("manifest.json");
    listed.sort_unstable();
    assert_eq!(names, listed);
    assert_eq!(manifest["made_by"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(manifest["node"]["id"], node.id().await);
    assert_eq!(manifest["left_out"], json!([]));
    let day = names.iter().find(|name| name.starts_with("log/2")).unwrap();
    assert!(read(day).contains("\"starting\"") || read(day).contains(&id), "{}", read(day));
    assert!(read("traces/recent.json").contains(&id));
    assert!(read("metrics.txt").contains("hearthnet_requests_total"));
    assert!(read("settings/config.toml").contains("[redacted]"));
    assert!(read("doctor.json").contains("keys_present"));
    assert!(read("community/manifest.json").contains("node_id"));
    assert!(names.contains(&"history/events.jsonl".to_owned()));

    // No secret and no key is in any of the files.
    let seed = fs::read(node.home.data().join("keys/device.ed25519")).unwrap();
    for name in &names {
        let content = fs::read(root.join(name)).unwrap();
        let has = |needle: &[u8]| content.windows(needle.len()).any(|part| part == needle);
        assert!(!has(b"planted") && !has(&seed), "{name}");
        assert_eq!(fs::metadata(root.join(name)).unwrap().permissions().mode() & 0o077, 0, "{name}");
    }

    // The archive may go to a pipe.
    let piped = node.home.run(&["export", "--out", "-"]);
    assert!(piped.status.success() && piped.stdout.starts_with(&[0x1f, 0x8b]), "{}", text_of(&piped.stderr));
    let again = out.path().join("again.tar.gz");
    fs::write(&again, &piped.stdout).unwrap();
    let place = tempfile::tempdir().unwrap();
    assert_eq!(unpack(&again, place.path()), names);
}

/// Lines of the log, traces and events have times.
#[tokio::test]
async fn an_archive_of_a_period_has_what_is_of_it() {
    let node = Home::new().start("");
    let id = request_id(&node.call(ECHO, &json!({ "input": {} })).send().await.unwrap());
    node.trace(&id).await;
    let line = |time: &str, msg: &str| {
        format!("{{\"ts\":\"{time}\",\"level\":\"info\",\"logger\":\"a\",\"msg\":\"{msg}\"}}\n")
    };
    let old = [
        line("2026-05-26T07:59:59.999Z", "early"),
        line("2026-05-26T08:00:00.000Z", "first"),
        line("2026-05-26T09:00:00.000Z", "last"),
        line("2026-05-26T09:00:00.001Z", "late"),
    ];
    let day = node.home.log().join("2026-05-26.log");
    fs::write(&day, old.concat()).unwrap();
    assert!(Command::new("gzip").arg(&day).status().unwrap().success());
    let export = |args: &[&str]| {
        let archive = node.home.path().join("part.tar.gz");
        let out = ["export", "--force", "--json", "--out", archive.to_str().unwrap()];
        let ran = node.home.run(&[&out, args].concat());
        assert_eq!(ran.status.code(), Some(0), "{ran:?}");
        let place = tempfile::tempdir().unwrap();
        let names = unpack(&archive, place.path());
        let root = fs::read_dir(place.path()).unwrap().next().unwrap().unwrap().path();
        let read = move |name: &str| fs::read_to_string(root.join(name)).unwrap();
        let texts = ["traces/recent.json", "history/events.jsonl"].map(read.clone());
        let log = names.iter().filter(|name| name.starts_with("log/")).map(|name| (name.clone(), read(name)));
        (texts, log.collect::<Vec<_>>(), serde_json::from_slice::<Value>(&ran.stdout).unwrap(), place)
    };
    let ([traces, events], log, manifest, _) =
        export(&["--since", "2026-05-26T08:00:00Z", "--until", "2026-05-26T09:00:00Z"]);
    assert_eq!(log, [("log/2026-05-26.log".to_owned(), old[1..3].concat())]);
    assert!(!traces.contains(&id) && events.is_empty(), "{traces} {events}");
    assert_eq!(manifest["since"], "2026-05-26T08:00:00.000Z");
    let ([traces, events], log, ..) = export(&["--since", "1h"]);
    assert!(traces.contains(&id) && !events.is_empty(), "{traces} {events}");
    assert!(log.len() == 1 && log[0].1.contains("\"done\""), "{log:?}");
    let (_, log, manifest, _) = export(&["--until", "2020-01-01"]);
    assert!(log.is_empty(), "{log:?}");
    let left_out = manifest["left_out"].to_string();
    assert!(left_out.contains("no lines until 2020-01-01"), "{left_out}");

    for (args, word) in
        [(&["--since", "soon"][..], "yesterday"), (&["--since", "1h", "--until", "2h"], "later than")]
    {
        let ran = node.home.run(&[&["export"], args].concat());
        assert!(ran.status.code() == Some(2) && text_of(&ran.stderr).contains(word), "{args:?}: {ran:?}");
    }
}

#[test]
fn an_existing_file_is_kept_and_a_node_that_does_not_run_is_named() {
    let home = Home::new();
    home.configure_free_port("");
    assert!(home.run(&["init", "--non-interactive"]).status.success());
    let archive = home.path().join("a.tar.gz");
    let out = ["export", "--out", archive.to_str().unwrap()];
    fs::write(&archive, "mine").unwrap();
    let refused = home.run(&out);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text_of(&refused.stderr).contains("--force"), "{refused:?}");
    assert_eq!(fs::read(&archive).unwrap(), b"mine");

    let forced = home.run(&[&out[..], &["--force", "--json"]].concat());
    assert_eq!(forced.status.code(), Some(0), "{forced:?}");
    let said = text_of(&forced.stderr);
    assert!(said.contains("left out traces: no node is running") && said.contains("left out log"), "{said}");
    let manifest: Value = serde_json::from_slice(&forced.stdout).unwrap();
    assert_eq!(manifest["path"], archive.to_str().unwrap());
    assert!(
        manifest["left_out"].as_array().unwrap().iter().any(|left| left["what"] == "traces"),
        "{manifest}"
    );
    let place = tempfile::tempdir().unwrap();
    assert!(unpack(&archive, place.path()).contains(&"settings/config.toml".to_owned()));

    for (args, code, word) in [
        (&["export", "--out", "-", "--json"][..], 2, "stdout"),
        (&["export", "--out", "/dev/null"], 1, "not a file"),
        (&["export", "--out", "/nonexistent/a.tar.gz"], 1, "cannot write"),
    ] {
        let ran = home.run(args);
        assert!(ran.status.code() == Some(code) && text_of(&ran.stderr).contains(word), "{args:?}: {ran:?}");
    }
    let (shown, code) = pty::run(home.command(&["export", "--out", "-"]), 80, "");
    assert!(code == Some(2) && shown.contains("not for a terminal"), "{shown}");
}

#[test]
fn a_full_disk_is_exit_5_and_leaves_no_file() {
    let home = Home::new();
    home.configure_free_port("");
    let out = tempfile::tempdir().unwrap();
    let mut command = home.command(&["export", "--out", out.path().to_str().unwrap()]);
    let mut filter = Filter::refusing(&[libc::SYS_fsync as u32], libc::ENOSPC as u32);
    // SAFETY: `install` makes two system calls and allocates nothing.
    unsafe { command.pre_exec(move || filter.install()) };
    let ran = command.output().unwrap();
    assert_eq!(ran.status.code(), Some(5), "{ran:?}");
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 0, "no partial file");

    let mut command = home.command(&["export", "--out", "-"]);
    command.stdout(Stdio::from(fs::File::options().write(true).open("/dev/full").unwrap()));
    assert_eq!(command.output().unwrap().status.code(), Some(5));
}
