//! Calls of every outcome. Each is recorded exactly once.

use std::time::Duration;

use futures_util::StreamExt as _;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::node::{ECHO, Home, events, request_id};

#[tokio::test]
async fn each_outcome_has_its_status_and_code_and_one_trace_line_and_count() {
    let node = Home::new().start("");
    let big = json!({ "input": { "text": "x".repeat(1 << 20) } });
    let fail = |code: &str| json!({ "input": { "fail": code } });
    let cases = [
        (node.call(ECHO, &json!({ "input": { "text": "hi" } })), 200, "ok"),
        (node.call(ECHO, &json!({})), 200, "ok"),
        (node.call("experimental.node.status", &json!({})), 200, "ok"),
        (node.call(ECHO, &fail("timeout")), 408, "timeout"),
        (node.call(ECHO, &fail("expired")), 410, "expired"),
        (node.call(ECHO, &fail("capacity_exceeded")), 429, "capacity_exceeded"),
        (node.call(ECHO, &fail("no such code")), 400, "bad_request"),
        (node.call(ECHO, &json!({ "input": { "frames": "3" } })), 400, "schema_mismatch"),
        (node.call(ECHO, &json!([])), 400, "schema_mismatch"),
        (node.call(ECHO, &json!({})).header("X-HearthNet-Capability-Version", "2.0"), 400, "schema_mismatch"),
        (node.call(ECHO, &json!({})).body("{\"input\":"), 400, "bad_request"),
        (node.call(ECHO, &json!({})).body(""), 400, "bad_request"),
        (node.call(ECHO, &big), 413, "bad_request"),
        (node.call("no.such.capability", &json!({})), 404, "not_found"),
        (node.call("llm.chat", &json!({})), 404, "not_found"),
        (node.post().body("{}"), 400, "bad_request"),
        (node.call(ECHO, &json!({})).header("X-HearthNet-Capability", "another"), 400, "bad_request"),
        (node.call(ECHO, &json!({})).header("X-HearthNet-Signature", "ed25519:zz"), 401, "invalid_signature"),
    ];
    let calls = cases.len();
    for (call, status, code) in cases {
        let response = call.send().await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{code}");
        let id = request_id(&response);
        let body: Value = response.json().await.unwrap();
        match code {
            "ok" => assert!(body["output"].is_object(), "{body}"),
            code => assert!(body["error"] == code && body["message"].is_string(), "{code}: {body}"),
        }
        assert_eq!(node.trace(&id).await["status"], code);
    }
    assert_eq!(node.metric("hearthnet_requests_total", "").await, Some(calls as f64));
    let home = node.stop();
    assert_eq!(home.done(None).len(), calls);
}

#[tokio::test]
async fn a_thousand_calls_add_up_in_metrics_traces_and_log() {
    const CALLS: usize = 1000;
    let node = Home::new().start("");
    let inputs = [
        json!({ "input": { "text": "hi" } }),
        json!({ "input": { "fail": "internal_error" } }),
        json!({ "input": { "frames": 3 } }),
        json!({ "input": { "frames": 2, "fail": "partition" } }),
        json!({ "input": { "frames": -1 } }),
    ];
    let calls = futures_util::stream::iter((0..CALLS).map(|i| {
        let call = node.call(ECHO, &inputs[i % inputs.len()]);
        async move {
            let response = call.send().await.unwrap();
            let id = request_id(&response);
            response.bytes().await.unwrap();
            id
        }
    }));
    let ids: Vec<String> = calls.buffer_unordered(16).collect().await;

    let counted =
        async |result: &str| node.metric("hearthnet_requests_total", &format!("result=\"{result}\"")).await;
    node.wait_for_metric("hearthnet_requests_total", "", CALLS as f64).await;
    for (result, share) in
        [("ok", 0.4), ("internal_error", 0.2), ("partition", 0.2), ("schema_mismatch", 0.2)]
    {
        assert_eq!(counted(result).await, Some(CALLS as f64 * share), "{result}");
    }
    assert_eq!(node.metric("hearthnet_active_streams", ECHO).await, Some(0.0));
    let recent = node.get("/trace/recent?n=10000").await;
    let known: Vec<&str> = recent["traces"]
        .as_array()
        .unwrap()
        .iter()
        .map(|trace| trace["trace_id"].as_str().unwrap())
        .collect();
    assert!(ids.iter().all(|id| known.contains(&id.as_str())));

    let home = node.stop();
    let done = home.done(None);
    assert_eq!(done.len(), CALLS);
    assert!(done.iter().all(|line| ids.iter().any(|id| line["trace_id"] == *id)));
}

#[tokio::test]
async fn a_stream_ends_in_exactly_one_done_or_error() {
    let node = Home::new().start("");
    let stream = async |input: Value| {
        let response = node.call(ECHO, &json!({ "input": input })).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let id = request_id(&response);
        (id, events(&response.text().await.unwrap()))
    };
    let names = |events: &[(String, Value)]| events.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();

    let (id, good) = stream(json!({ "text": "hi", "frames": 2, "delay_ms": 1 })).await;
    assert_eq!(names(&good), ["chunk", "chunk", "done"]);
    assert_eq!(node.trace(&id).await["status"], "ok");

    let (id, bad) = stream(json!({ "frames": 1, "fail": "capacity_exceeded" })).await;
    assert_eq!(names(&bad), ["chunk", "error"]);
    assert_eq!(bad[1].1["error"], "capacity_exceeded");
    assert_eq!(node.trace(&id).await["status"], "capacity_exceeded");
}

#[tokio::test]
async fn a_caller_that_leaves_is_recorded_once_as_cancelled() {
    let node = Home::new().start("");
    for input in [json!({ "frames": 100, "delay_ms": 50 }), json!({ "delay_ms": 20_000 })] {
        let call = node.call(ECHO, &json!({ "input": input })).send();
        let gone =
            tokio::time::timeout(Duration::from_millis(300), async { call.await.unwrap().bytes().await });
        assert!(gone.await.is_err());
    }
    node.wait_for_metric("hearthnet_requests_total", "result=\"cancelled\"", 2.0).await;
    node.wait_for_metric("hearthnet_active_streams", ECHO, 0.0).await;
    assert_eq!(node.metric("hearthnet_requests_total", "").await, Some(2.0));
    assert_eq!(
        node.metric("hearthnet_capability_health_success_rate", "").await,
        None,
        "no verdict on the node"
    );
    let home = node.stop();
    assert_eq!(home.done(None).len(), 2);
}

#[tokio::test]
async fn one_well_formed_request_id_is_taken_and_anything_else_replaced() {
    let node = Home::new().start("");
    let answered = async |ids: &[&str]| {
        let mut call = node.call(ECHO, &json!({}));
        for id in ids {
            call = call.header("X-HearthNet-Request-Id", *id);
        }
        request_id(&call.send().await.unwrap())
    };
    let id = "01HXR3F2Q4T6V8X0Z2B4D6F8HJ";
    assert_eq!(answered(&[id]).await, id);
    for hostile in [&[][..], &[id, id], &["../../etc/passwd"], &["01HXR3F2Q4T6V8X0Z2B4D6F8H"]] {
        let fresh = answered(hostile).await;
        assert_eq!(fresh.len(), 26);
        assert!(!hostile.contains(&fresh.as_str()));
    }
    let home = node.stop();
    assert!(!home.log_text().contains("passwd"));
}
