//! Change of the log levels of a running node.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::node::{ECHO, Home, Node, text_of};

/// Waits until a line has the message `text`, and returns the line.
fn wait_for(home: &Home, text: &str) -> Value {
    let begun = Instant::now();
    loop {
        if let Some(line) = home.lines().into_iter().rev().find(|line| line["msg"] == text) {
            return line;
        }
        assert!(begun.elapsed() < Duration::from_secs(15), "no line {text}: {}", home.log_text());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Returns the exit code, stdout and stderr of `hearthnet log level`.
fn level(node: &Node, args: &[&str]) -> (Option<i32>, String, String) {
    let all: Vec<_> = ["log", "level"].into_iter().chain(args.iter().copied()).collect();
    let output = node.home.run(&all);
    (output.status.code(), text_of(&output.stdout), text_of(&output.stderr))
}

async fn call(node: &Node) {
    node.call(ECHO, &json!({})).send().await.unwrap().bytes().await.unwrap();
}

#[tokio::test]
async fn a_change_is_applied_at_once_shown_logged_and_undone() {
    let node = Home::new().start("observability.log_level = \"error\"\n");
    let shown = level(&node, &[]);
    assert_eq!((shown.0, shown.1.as_str()), (Some(0), "error, as configured\n"), "{}", shown.2);
    call(&node).await;

    let (code, shown, _) = level(&node, &["hearthnet.trace=info", "--for", "10m"]);
    assert!(code == Some(0) && shown.starts_with("error,hearthnet.trace=info for 10m (until "), "{shown}");
    assert!(shown.ends_with("), then error\n"), "{shown}");
    call(&node).await;
    // The lines of the change are there although the levels before and after hide them.
    let line = wait_for(&node.home, "log levels changed");
    assert_eq!((&line["levels"], &line["for_time"]), (&json!("hearthnet.trace=info"), &json!("10m")));
    assert!(line["by"].as_str().unwrap().contains("127.0.0.1:") && line["until"].is_string(), "{line}");
    wait_for(&node.home, "done");

    // A second change replaces the first, and has a time of its own.
    let (_, shown, _) = level(&node, &["off"]);
    assert!(shown.starts_with("off for 1h (until "), "{shown}");
    let now = node.get("/log/level").await;
    assert_eq!((&now["in_force"], &now["configured"]), (&json!("off"), &json!("error")));
    let left = now["change"]["seconds_left"].as_u64().unwrap();
    assert!((3000..=3600).contains(&left), "{now}");
    let json: Value = serde_json::from_str(&level(&node, &["--json"]).1).unwrap();
    assert_eq!(json["change"]["levels"], "off");

    let (_, shown, _) = level(&node, &["--reset"]);
    assert_eq!(shown, "error, as configured\n");
    wait_for(&node.home, "log levels reset");
    call(&node).await;
    let home = node.stop();
    assert_eq!(home.done(None).len(), 1, "{}", home.log_text());

    let port = home.configure_free_port("observability.log_level = \"error\"\n");
    let node = Node::start(home, port);
    assert_eq!(level(&node, &[]).1, "error, as configured\n");
}

#[tokio::test]
async fn a_change_ends_by_itself_and_a_restart_ends_it_too() {
    let node = Home::new().start("");
    assert_eq!(level(&node, &["debug", "--for", "1s"]).0, Some(0));
    let line = wait_for(&node.home, "log levels expired");
    assert_eq!(line["levels"], "debug");
    assert_eq!(node.get("/log/level").await["change"], Value::Null);

    assert_eq!(level(&node, &["debug", "--for", "24h"]).0, Some(0));
    let home = node.stop();
    let port = home.configure_free_port("");
    let node = Node::start(home, port);
    assert_eq!(level(&node, &[]).1, "info, as configured\n");
}

#[tokio::test]
async fn a_mistake_changes_nothing_and_says_what_is_allowed() {
    let node = Home::new().start("");
    for (args, wanted) in [
        (&["loud"][..], "use off, error, warning, info, debug or trace"),
        (&["debgu"], "did you mean `debug`?"),
        (&["hearthnet.bsu=debug"], "did you mean `hearthnet.bus`?"),
        (&["a b=debug"], "is not a logger"),
        (&["debug", "--for", "25h"], "from 1s to 24h"),
        (&["debug", "--for", "0s"], "from 1s to 24h"),
        (&["debug", "--for", "ten"], "as in 90s, 10m or 1h30m"),
        (&["debug", "--reset"], "cannot be used with"),
        (&["--for", "10m"], "<LEVELS>"),
    ] {
        let (code, _, said) = level(&node, args);
        assert_eq!(code, Some(2), "{args:?}: {said}");
        assert!(said.contains(wanted), "{args:?}: {said}");
    }
    let put = async |body: &str| {
        let answer = node.http.put(node.url("/log/level")).body(body.to_owned()).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let large = format!("{{\"level\":\"{}\"}}", "a".repeat(10_000));
    for (body, kind) in [
        (r#"{"level":"loud"}"#, "unknown_level"),
        (r#"{"level":"a..b=debug"}"#, "bad_target"),
        (r#"{"level":"hearthnet.bsu=debug"}"#, "unknown_component"),
        (r#"{"level":"debug","for_seconds":0}"#, "bad_period"),
        (r#"{"level":"debug","for_seconds":86401}"#, "bad_period"),
        (r#"{"level":"debug","for_seconds":18446744073709551615}"#, "bad_period"),
        (&format!(r#"{{"level":"{}"}}"#, vec!["a=info"; 33].join(",")), "too_much"),
        (r#"{"level":"debug","for":"10m"}"#, "bad_request"),
        (r#"{"level":"debug","reset":true}"#, "bad_request"),
        ("{}", "bad_request"),
        ("", "bad_request"),
        (&large, "bad_request"),
    ] {
        let (status, answer) = put(body).await;
        assert_eq!(
            (status, &answer["error"], &answer["kind"]),
            (400, &json!("bad_request"), &json!(kind)),
            "{body}"
        );
        assert!(answer["message"].is_string() && answer["advice"].is_string());
    }
    assert_eq!(put(r#"{"level":"debug","for_seconds":600}"#).await.1["in_force"], "debug");
    assert_eq!(put(r#"{"reset":true}"#).await.1["change"], Value::Null);

    let foreign = node.http.put(node.url("/log/level")).header("Origin", "http://evil.example");
    assert_eq!(foreign.body(r#"{"level":"off"}"#).send().await.unwrap().status(), 404);
    let changes = node.stop().lines().iter().filter(|line| line["msg"] == "log levels changed").count();
    assert_eq!(changes, 1);
}

#[tokio::test]
async fn another_user_of_this_machine_sees_the_levels_and_changes_nothing() {
    let node = Home::new().start("");
    for (user, status) in [(12_345, "403 Forbidden"), (65_534, "403 Forbidden"), (0, "200 OK")] {
        if let Some(answer) = node.sent_as(user, "PUT /log/level", r#"{"level":"off"}"#) {
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "user {user}: {answer}");
            let in_force = if user == 0 { "off" } else { "info" };
            assert_eq!(node.get("/log/level").await["in_force"], in_force, "user {user}");
        }
        if let Some(answer) = node.asked_as(user, "/log/level") {
            assert!(answer.starts_with("HTTP/1.1 200 OK"), "user {user}: {answer}");
        }
    }
}

#[test]
fn without_a_node_the_exit_code_is_3_and_a_mistake_is_found_first() {
    let home = Home::new();
    home.configure_free_port("");
    for (args, code) in
        [(&["log", "level"][..], 3), (&["log", "level", "debug"], 3), (&["log", "level", "loud"], 2)]
    {
        assert_eq!(home.run(args).status.code(), Some(code), "{args:?}");
    }
    let text = fs::read_to_string(home.config()).unwrap();
    assert!(!text.is_empty() && !home.log().exists(), "nothing is made");
}
