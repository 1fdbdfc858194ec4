//! Output without a reader, or that cannot be written.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::node::{Home, text_of};

const LINE: &str =
    r#"{"ts":"2026-05-26T08:14:22.281Z","level":"info","logger":"hearthnet.bus","msg":"routed"}"#;

/// Returns a home with one line in its log.
fn quiet_home() -> Home {
    let home = Home::new();
    fs::create_dir_all(home.log()).unwrap();
    fs::write(home.log().join("2026-05-26.log"), format!("{LINE}\n")).unwrap();
    home
}

fn ended(child: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(Instant::now() < deadline, "the command goes on");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The log is quiet. No write fails that could show that the reader is gone.
#[test]
fn a_followed_quiet_log_ends_with_its_reader() {
    let home = quiet_home();
    for args in [&["log", "--follow"][..], &["log", "--follow", "--json"]] {
        let mut child = home.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut first = String::new();
        let mut reader = BufReader::new(child.stdout.take().unwrap());
        reader.read_line(&mut first).unwrap();
        assert!(first.contains("routed"), "{first}");
        drop(reader);
        assert_eq!(ended(&mut child).code(), Some(0), "{args:?}");
        assert_eq!(text_of(&child.wait_with_output().unwrap().stderr), "", "{args:?}");
    }
}

#[test]
fn a_pipe_without_a_reader_is_no_error() {
    let home = Home::new();
    home.run(&["init", "--non-interactive"]);
    fs::create_dir_all(home.log()).unwrap();
    fs::write(home.log().join("2026-05-26.log"), format!("{LINE}\n").repeat(10_000)).unwrap();
    for args in [
        &["log"][..],
        &["log", "--json"],
        &["version"],
        &["version", "--json"],
        &["--help"],
        &["init"],
        &["doctor", "--list"],
    ] {
        let mut child = home.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}: {output:?}");
        assert_eq!(text_of(&output.stderr), "", "{args:?}");
    }
}

/// The node answers, but the output of the command has no reader.
#[test]
fn traces_that_nothing_reads_are_no_error() {
    let node = Home::new().start("");
    let port = node.port.to_string();
    let called = node.home.run(&["call", "experimental.echo", "--port", &port]);
    assert_eq!(called.status.code(), Some(0), "{called:?}");
    for args in [&["trace", "recent"][..], &["trace", "recent", "10000", "--json"]] {
        let mut command = node.home.command(&[args, &["--port", &port]].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}: {output:?}");
        assert_eq!(text_of(&output.stderr), "", "{args:?}");
    }
    for args in [
        &["trace", "recent"][..],
        &["trace", "recent", "10000", "--json"],
        &["status"],
        &["caps"],
        &["problems"],
        &["call", "experimental.echo"],
    ] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let output = node.home.command(&[args, &["--port", &port]].concat()).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(5), "{args:?}: {output:?}");
    }
}

/// A full disk has its own exit code, also below standard output. The message blames nothing else.
#[test]
fn a_full_standard_output_is_exit_5_and_is_named() {
    let home = quiet_home();
    for args in [
        &["version"][..],
        &["--help"],
        &["log", "--help"],
        &["log"],
        &["log", "--json"],
        &["log", "--lines", "1"],
        &["log", "--follow"],
        &["init", "--non-interactive"],
        &["config", "check"],
        &["completions", "bash"],
        &["man"],
        &["export", "--out", "-"],
        &["report", "--out", "-"],
    ] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let output = home.command(args).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(5), "{args:?}: {output:?}");
        let said = text_of(&output.stderr);
        let expected = "hearthnet: cannot write to standard output: No space left on device (os error 28)\n";
        assert_eq!(said, expected, "{args:?}");
    }
}
