//! `hearthnet status`: the screen, its exit codes and its JSON.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::process::Output;
use std::thread;

use serde_json::{Value, json};

use crate::node::{ECHO, Home, free_port, text_of};
use crate::pty;

fn status(home: &Home, more: &[&str]) -> Output {
    home.run(&[&["status"][..], more].concat())
}

#[tokio::test]
async fn a_node_with_calls_is_shown_on_one_screen_and_as_json() {
    let node = Home::new().start("identity = { display_name = \"gar\u{e4}ge\" }\n");
    let empty = status(&node.home, &[]);
    assert_eq!(empty.status.code(), Some(0), "{empty:?}");
    let shown = text_of(&empty.stdout);
    assert!(shown.contains("gar\u{e4}ge") && shown.contains("no calls"), "{shown}");

    for n in 0..50 {
        let input = if n % 5 == 0 { json!({ "fail": "timeout" }) } else { json!({}) };
        node.call(ECHO, &json!({ "input": input })).send().await.unwrap();
    }
    let shown = text_of(&status(&node.home, &[]).stdout);
    for part in ["50 calls, 10 failed (20.0 %)", "timeout  10 times", "127.0.0.1 (unsigned)", "this machine"]
    {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let mut command = node.home.command(&["status"]);
    command.env("TERM", "xterm-256color").env("LANG", "C.UTF-8").env_remove("NO_COLOR");
    let terminal = pty::run(command, 80, "").0;
    assert!(terminal.contains("\u{1b}[31m"), "failures are red: {terminal}");
    assert!(terminal.lines().count() <= 23, "{terminal}");

    let document: Value = serde_json::from_slice(&status(&node.home, &["--json"]).stdout).unwrap();
    assert_eq!((&document["version"], &document["recent"]["errors"]), (&json!(1), &json!(10)));
    let url = format!("127.0.0.1:{}", node.port);
    assert_eq!(status(&Home::new(), &["--url", &url]).status.code(), Some(0));
}

/// Serves the same answer to every request, and returns the address.
fn answers(status: &str, body: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let answer =
        format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    address
}

#[test]
fn exit_codes_tell_no_node_from_a_bad_answer() {
    let home = Home::new();
    let asked = format!("127.0.0.1:{}", free_port());
    let absent = status(&home, &["--url", &asked]);
    let said = text_of(&absent.stderr);
    assert_eq!(absent.status.code(), Some(3), "{said}");
    assert!(said.contains(&asked) && said.contains("hearthnet run") && absent.stdout.is_empty(), "{said}");

    for (head, body, code, word) in [
        ("200 OK", "{\"version\":1}", 1, "no status"),
        ("200 OK", "<html>\u{1b}[2J", 1, "no status"),
        ("200 OK", "{\"version\":2,\"node\":{\"id\":\"a\"}}", 1, "version is 2"),
        ("500 Oh No", "\u{1b}[2J", 1, "500"),
        ("404 Not Found", "nothing", 3, "no HearthNet node"),
    ] {
        let refused = status(&home, &["--url", &answers(head, body)]);
        let said = text_of(&refused.stderr);
        assert_eq!(refused.status.code(), Some(code), "{body}: {said}");
        assert!(said.contains(word) && !said.contains('\u{1b}') && refused.stdout.is_empty(), "{said}");
    }
    assert_eq!(status(&home, &["--no-such-option"]).status.code(), Some(2));
}
