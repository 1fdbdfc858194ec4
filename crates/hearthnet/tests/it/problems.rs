//! Problems of a node: faults grouped by cause.

use std::time::Duration;

use serde_json::{Value, json};

use crate::node::{ECHO, Home, Node, text_of};

/// Returns the problems that the command lists as JSON.
fn listed(home: &Home, args: &[&str]) -> Vec<Value> {
    let all: Vec<_> = ["problems", "--json"].into_iter().chain(args.iter().copied()).collect();
    let output = home.run(&all);
    let text = text_of(&output.stdout);
    let document: Value = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{error}: {text} {}", text_of(&output.stderr)));
    document["problems"].as_array().unwrap().clone()
}

fn failed_echo(problems: &[Value]) -> &Value {
    problems
        .iter()
        .find(|problem| problem["kind"] == "trace" && problem["place"] == ECHO)
        .unwrap_or_else(|| panic!("{problems:?}"))
}

#[tokio::test]
async fn failed_calls_are_one_problem_that_is_muted_and_outlives_the_node() {
    let home = Home::new();
    let nobody = home.run(&["problems"]);
    assert_eq!(nobody.status.code(), Some(3), "no node and no file: {}", text_of(&nobody.stderr));
    let node = home.start("");
    for _ in 0..3 {
        let failing = json!({ "input": { "fail": "timeout" } });
        assert_eq!(node.call(ECHO, &failing).send().await.unwrap().status(), 408);
    }
    let problems = listed(&node.home, &[]);
    let problem = failed_echo(&problems);
    assert_eq!((&problem["count"], &problem["what"]), (&json!(3), &json!("timeout")), "{problem}");
    assert!(problem["trace_id"].is_string(), "{problem}");
    let is_of_echo = |other: &&Value| other.to_string().contains(ECHO);
    assert_eq!(
        problems.iter().filter(is_of_echo).count(),
        1,
        "its lines are not counted again: {problems:?}"
    );
    assert!(node.metric("hearthnet_problems_open", "trace").await.unwrap() >= 1.0);
    let console = node.get("/console/api/v1/problems").await;
    assert_eq!(failed_echo(console["problems"].as_array().unwrap())["count"], 3, "{console}");

    let id = problem["id"].as_str().unwrap().to_owned();
    let muted = node.home.run(&["problems", "mute", &id, "--for", "2h"]);
    assert_eq!(muted.status.code(), Some(0), "{}", text_of(&muted.stderr));
    assert!(!listed(&node.home, &[]).iter().any(|problem| problem["id"] == id.as_str()));
    let unknown = node.home.run(&["problems", "mute", "0000000000"]);
    assert_eq!(unknown.status.code(), Some(1), "{}", text_of(&unknown.stderr));

    let home = node.stop();
    let stored = listed(&home, &["--all"]);
    let problem = failed_echo(&stored);
    assert_eq!((&problem["state"], &problem["count"]), (&json!("muted"), &json!(3)), "{problem}");
    let node = home.start("");
    let restored = listed(&node.home, &["--all"]);
    assert_eq!(failed_echo(&restored)["count"], 3, "{restored:?}");
}

/// Returns the counts of the failed calls by their code.
fn failed_calls(problems: &[Value]) -> Vec<(String, u64)> {
    let is_call = |problem: &&Value| problem["kind"] == "trace";
    let count =
        |problem: &Value| (problem["what"].as_str().unwrap().to_owned(), problem["count"].as_u64().unwrap());
    let mut counts: Vec<_> = problems.iter().filter(is_call).map(count).collect();
    counts.sort();
    counts
}

#[tokio::test]
async fn a_kill_loses_no_error_that_is_some_seconds_old() {
    let node = Home::new().start("");
    let fail = async |code: &str, times: usize| {
        for _ in 0..times {
            node.call(ECHO, &json!({ "input": { "fail": code } })).send().await.unwrap();
        }
    };
    fail("timeout", 5).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    fail("timeout", 20).await;
    fail("internal_error", 20).await;
    fail("partition", 1).await;
    // Errors are stored within two seconds. The rest is for a busy machine.
    tokio::time::sleep(Duration::from_secs(5)).await;
    node.signal("KILL");
    let home = node.wait().1;
    let expected = [("internal_error", 20), ("partition", 1), ("timeout", 25)];
    let expected = expected.map(|(code, count)| (code.to_owned(), count));
    assert_eq!(failed_calls(&listed(&home, &[])), expected, "without a node");
    let node = home.start("");
    assert_eq!(failed_calls(&listed(&node.home, &[])), expected, "after the restart");
    let home = node.stop();
    assert_eq!(failed_calls(&listed(&home, &[])), expected, "after an orderly end");
}

/// Sends a change of a problem, and returns the status and the message of the refusal.
async fn put(node: &Node, id: &str, body: &str) -> (u16, Value) {
    let answer =
        node.http.put(node.url(&format!("/problems/{id}"))).body(body.to_owned()).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn a_problem_is_muted_until_a_time_and_a_mistake_changes_nothing() {
    let node = Home::new().start("");
    node.call(ECHO, &json!({ "input": { "fail": "timeout" } })).send().await.unwrap();
    let list = node.get("/problems").await;
    let id = failed_echo(list["problems"].as_array().unwrap())["id"].as_str().unwrap().to_owned();
    let state = async || {
        let list = node.get("/problems").await;
        let problem = failed_echo(list["problems"].as_array().unwrap()).clone();
        (problem["state"].as_str().unwrap().to_owned(), problem["muted_until"].clone())
    };

    let until =
        (chrono::Utc::now() + chrono::Duration::hours(2)).to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let (status, _) = put(&node, &id, &json!({ "mute_until": until }).to_string()).await;
    assert_eq!((status, state().await), (200, ("muted".to_owned(), json!(until))));
    let large = " ".repeat(2_000);
    for (body, reason) in [
        ("", "the body is wrong"),
        ("{", "the body is wrong"),
        ("[]", "the body"),
        ("{}", "none of the fields"),
        (r#"{"mute_until":"soon"}"#, "RFC 3339"),
        (r#"{"mute_until":"2020-01-01T00:00:00Z"}"#, "in the future"),
        (r#"{"mute_seconds":-1}"#, "the body is wrong"),
        (r#"{"mute_seconds":99999999999}"#, "a year at most"),
        (r#"{"mute_seconds":60,"unmute":true}"#, "several"),
        (r#"{"<script>":1}"#, "unknown field"),
        (&large, "larger than 1024 bytes"),
    ] {
        let (status, refused) = put(&node, &id, body).await;
        assert_eq!((status, &refused["error"]), (400, &json!("bad_request")), "{body}: {refused}");
        assert!(refused["message"].as_str().unwrap().contains(reason), "{body}: {refused}");
    }
    for id in ["none", "00000000000000000000", "%00", "..%2f..%2fetc"] {
        let (status, refused) = put(&node, id, r#"{"unmute":true}"#).await;
        assert_eq!(status, 400, "{id}: {refused}");
    }
    assert_eq!(put(&node, "0000000000", r#"{"unmute":true}"#).await.0, 404);
    assert_eq!(state().await.0, "muted", "no mistake changed it");
    let with_query = node.http.get(node.url("/problems?all=1")).send().await.unwrap();
    assert_eq!(with_query.status(), 400);

    assert_eq!(put(&node, &id, r#"{"unmute":true}"#).await.0, 200);
    assert_eq!(state().await, ("open".to_owned(), Value::Null));
}

#[tokio::test]
async fn others_can_neither_read_nor_mute_problems() {
    let node = Home::new().start("");
    node.call(ECHO, &json!({ "input": { "fail": "timeout" } })).send().await.unwrap();
    let list = node.get("/problems").await;
    let id = failed_echo(list["problems"].as_array().unwrap())["id"].as_str().unwrap().to_owned();
    let change = format!("/problems/{id}");
    for path in ["/problems", &change] {
        let put = |name: &str, value: &str| {
            let request = if path == "/problems" {
                node.http.get(node.url(path))
            } else {
                node.http.put(node.url(path))
            };
            request.header(name, value).body(r#"{"mute_seconds":60}"#)
        };
        // Another machine behind a proxy, a page of another site, and a name that leads here.
        for (name, value) in [
            ("x-forwarded-for", "192.168.1.7"),
            ("origin", "http://127.0.0.1:7860"),
            ("host", "evil.example"),
        ] {
            assert_eq!(put(name, value).send().await.unwrap().status(), 404, "{path} {name}");
        }
    }
    for (user, status) in [(12_345, "403 Forbidden"), (65_534, "403 Forbidden"), (0, "200 OK")] {
        if let Some(answer) = node.asked_as(user, "/problems") {
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "user {user}: {answer}");
            assert_eq!(answer.contains("timeout"), user == 0, "user {user}: {answer}");
        }
    }
    assert_eq!(failed_echo(node.get("/problems").await["problems"].as_array().unwrap())["state"], "open");
}

#[tokio::test]
async fn a_webhook_that_hangs_holds_up_neither_a_call_nor_the_end() {
    let webhook = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", webhook.local_addr().unwrap());
    let node = Home::new().start(&format!("[observability]\nproblems_webhook = \"{url}\""));
    node.call(ECHO, &json!({ "input": { "fail": "timeout" } })).send().await.unwrap();
    // It is asked, and never answers.
    let asked = tokio::task::spawn_blocking(move || webhook.accept().unwrap()).await.unwrap();
    node.call(ECHO, &json!({ "input": {} })).send().await.unwrap().error_for_status().unwrap();
    node.signal("TERM");
    let begun = std::time::Instant::now();
    let (status, _) = node.wait();
    // The hook itself gives up after ten seconds.
    assert!(status.success() && begun.elapsed().as_secs() < 8, "{status} after {:?}", begun.elapsed());
    drop(asked);
}
