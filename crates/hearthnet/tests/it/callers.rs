//! Callers: lines of the log name them, and `GET /callers` counts them.

use std::time::{Duration, Instant};

use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::node::{ECHO, Home, Node, free_port};
use crate::signed::Signer;

/// Program on another address of this machine.
struct Program(Client);

impl Program {
    fn at(host: u8) -> Program {
        let address = [127, 0, 0, host].into();
        let client =
            Client::builder().no_proxy().timeout(Duration::from_secs(30)).local_address(Some(address));
        Program(client.build().unwrap())
    }

    /// Sends a call that was prepared for another client.
    async fn status(&self, call: RequestBuilder) -> StatusCode {
        let response = self.0.execute(call.build().unwrap()).await.unwrap();
        let status = response.status();
        response.bytes().await.unwrap();
        status
    }
}

/// Starts a node that allows a caller five calls a second.
fn limited() -> Node {
    let (home, port) = (Home::new(), free_port());
    home.write_config(&format!(
        "transport = {{ host = \"127.0.0.1\", port = {port}, rate_limit_soft_rps = 2, rate_limit_hard_rps = 5 }}\n\
         emergency.probe_targets = []\n"
    ));
    Node::start(home, port)
}

/// Returns the caller's `calls`, `refused` and `errors` in a list.
fn counts(list: &Value, caller: impl Fn(&Value) -> bool) -> Option<[&Value; 3]> {
    let found = list.as_array().unwrap().iter().find(|one| caller(one))?;
    for missed in ["calls_missed", "refused_missed", "errors_missed"] {
        assert_eq!(found[missed], 0, "{found}");
    }
    Some([&found["calls"], &found["refused"], &found["errors"]])
}

#[tokio::test]
async fn three_callers_are_named_on_lines_and_counted_exactly() {
    let node = limited();
    let (signer, unsigned, abusive) = (Program::at(2), Program::at(3), Program::at(4));
    let (ada, eve, empty) = (Signer::new(9), Signer::new(8), json!({}));
    for _ in 0..3 {
        assert_eq!(signer.status(ada.signed_call(&node, &empty)).await, 200);
    }
    // A signature of another key. It counts for the address.
    let forged = ada.signed_call(&node, &empty).header("X-HearthNet-Signature", "ed25519:AAAA");
    assert_eq!(signer.status(forged).await, 401);

    assert_eq!(unsigned.status(node.call(ECHO, &empty)).await, 200);
    let claims = node.call(ECHO, &empty).header("X-HearthNet-From", eve.id());
    assert_eq!(unsigned.status(claims).await, 200);
    assert_eq!(unsigned.status(node.call(ECHO, &json!({ "input": { "frames": "3" } }))).await, 400);

    let (begun, mut refused) = (Instant::now(), 0);
    for _ in 0..60 {
        let hostile = "ed25519:\"} INFO forged \u{a0}\u{fe}";
        let call = node.call(ECHO, &empty).header("X-HearthNet-From", hostile);
        refused += u64::from(abusive.status(call).await == 429);
    }
    assert!(refused >= 55_u64.saturating_sub(5 * (begun.elapsed().as_secs() + 1)).max(1), "{refused}");

    let page = node.get("/callers").await;
    assert!(page["since"].as_str().unwrap().ends_with('Z'), "{page}");
    let is_ada = |one: &Value| one["node_id"] == ada.id() && one["address"] == "127.0.0.2";
    let is_at = |one: &Value, address: &str| one["node_id"].is_null() && one["address"] == address;
    let calls = &page["by_calls"];
    assert_eq!(counts(calls, is_ada), Some([&json!(3), &json!(0), &json!(0)]));
    assert_eq!(counts(calls, |one| is_at(one, "127.0.0.2")), Some([&json!(1), &json!(1), &json!(0)]));
    assert_eq!(counts(calls, |one| is_at(one, "127.0.0.3")), Some([&json!(3), &json!(0), &json!(1)]));
    assert_eq!(counts(calls, |one| is_at(one, "127.0.0.4")), Some([&json!(60), &json!(refused), &json!(0)]));
    assert_eq!(calls.as_array().unwrap().len(), 4, "{page:#}");
    assert_eq!(calls[0]["address"], "127.0.0.4", "{page:#}");
    let refusals: Vec<_> =
        page["by_refused"].as_array().unwrap().iter().map(|one| one["refused"].clone()).collect();
    assert_eq!(refusals, [json!(refused), json!(1)]);
    assert_eq!(page["by_errors"].as_array().unwrap().len(), 1);
    assert_eq!(page["by_errors"][0]["address"], "127.0.0.3");
    assert_eq!(node.get("/callers?n=1").await["by_calls"].as_array().unwrap().len(), 1);
    let status = node.get("/status").await;
    assert_eq!(status["callers"]["top"][0]["calls"], 60, "{status:#}");
    let invalid = node.metric("hearthnet_caller_ids_invalid_total", "reason=\"malformed\"").await;
    assert_eq!(invalid, Some(60.0));

    let held_back = wait_for_the_rest(&node, refused).await;
    assert!(held_back.elapsed() < Duration::from_secs(60));

    let home = node.stop();
    assert!(!home.log_text().contains("forged"), "a hostile name is on a line");
    let lines = home.lines();
    let of = |msg: &str, address: &str| -> Vec<&Value> {
        lines.iter().filter(|line| line["msg"] == msg && line["address"] == address).collect()
    };
    for msg in ["routed", "done"] {
        let verified: Vec<_> =
            of(msg, "127.0.0.2").into_iter().filter(|line| line["from_verified"] == true).collect();
        assert_eq!(verified.len(), 3, "{msg}");
        assert!(verified.iter().all(|line| line["from"] == ada.id()), "{verified:?}");
        let unsigned = of(msg, "127.0.0.3");
        assert_eq!(unsigned.len(), 3, "{msg}");
        let claimed: Vec<_> = unsigned.iter().filter(|line| line["from_verified"] == false).collect();
        assert_eq!(claimed.len(), 1, "{msg}");
        assert_eq!(claimed[0]["from"], eve.id());
        assert!(unsigned.iter().filter(|line| line.get("from").is_none()).count() == 2, "{unsigned:?}");
        assert!(of(msg, "127.0.0.4").iter().all(|line| line.get("from").is_none()));
    }
    assert_eq!(of("done", "127.0.0.4").len(), 60);
    // At most one a second, for whichever caller comes first.
    let soft: Vec<_> = lines.iter().filter(|line| line["msg"] == "a call is above the soft limit").collect();
    assert!(!soft.is_empty());
    assert!(soft.iter().all(|line| line["address"].as_str().unwrap().starts_with("127.0.0.")), "{soft:?}");
    let forged = &of("the signature of a call is invalid", "127.0.0.2")[0];
    assert_eq!((&forged["from"], &forged["from_verified"]), (&json!(ada.id()), &json!(false)));
    assert_eq!(forged["reason"], "malformed");

    // One story for a call above the limit: its end, and at most once a second the cause with a count.
    let id = of("done", "127.0.0.4").into_iter().find(|line| line["status"] == "rate_limited").unwrap();
    let story: Vec<_> = lines.iter().filter(|line| line["trace_id"] == id["trace_id"]).collect();
    assert_eq!(story.iter().map(|line| &line["msg"]).collect::<Vec<_>>(), ["call failed", "done"]);
    assert_eq!(story[0]["address"], "127.0.0.4");
    assert!(story[0]["cause"].as_str().unwrap().contains("hard limit"), "{}", story[0]);
}

/// Waits until the log accounts for all refused calls while the node is idle. No call, flush or end of the process makes
/// the last count appear.
async fn wait_for_the_rest(node: &Node, refused: u64) -> Instant {
    let begun = Instant::now();
    loop {
        let text = node.home.log_text();
        // The last line may be half written.
        let lines = text.lines().filter_map(|line| serde_json::from_str(line).ok());
        let told: u64 = lines.map(|line: Value| told_of_refusals(&line)).sum();
        if told == refused {
            return begun;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{told} of {refused} are in the log");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Returns the number of refused calls that a line tells of.
fn told_of_refusals(line: &Value) -> u64 {
    let suppressed = line["suppressed"].as_u64().unwrap_or_default();
    match line["msg"].as_str().unwrap() {
        "call failed" if line["code"] == "rate_limited" => 1 + suppressed,
        "lines suppressed" if line["key"].as_str().unwrap().contains("rate_limited") => suppressed,
        _ => 0,
    }
}

#[tokio::test]
async fn callers_are_shown_to_this_machine_alone_and_n_has_bounds() {
    let node = Home::new().start("");
    let page = node.get("/callers").await;
    for list in ["by_calls", "by_refused", "by_errors"] {
        assert_eq!(page[list], json!([]), "{page}");
    }
    for (query, said) in [
        ("n=0", "1 to 512"),
        ("n=513", "1 to 512"),
        ("n=x", "1 to 512"),
        ("n=1&n=1", "twice"),
        ("top=3", "allowed is n"),
    ] {
        let response = node.http.get(node.url(&format!("/callers?{query}"))).send().await.unwrap();
        assert_eq!(response.status(), 400, "{query}");
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["error"], "bad_request");
        assert!(body["message"].as_str().unwrap().contains(said), "{query}: {body}");
    }
    for (name, value) in [("Host", "evil.example"), ("Origin", "http://evil.example"), ("Via", "1.1 proxy")] {
        let response = node.http.get(node.url("/callers")).header(name, value).send().await.unwrap();
        assert_eq!(response.status(), 404, "{name}: {value}");
    }
    let posted = node.http.post(node.url("/callers")).send().await.unwrap();
    assert_eq!(posted.status(), 405);
}

/// A call after the time in `Retry-After` is answered.
#[tokio::test]
async fn a_refused_caller_is_told_when_to_call_again() {
    let node = limited();
    let begun = Instant::now();
    let wait = loop {
        let response = node.call(ECHO, &json!({})).send().await.unwrap();
        if response.status() == 429 {
            break response.headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap();
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "no call is refused");
    };
    assert_eq!(wait, 1, "whole seconds, at least one");
    tokio::time::sleep(Duration::from_secs(wait)).await;
    assert_eq!(node.call(ECHO, &json!({})).send().await.unwrap().status(), 200);
}
