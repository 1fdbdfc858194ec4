//! `GET /status`: the document, its bounds, and the callers who do not see it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::node::{ECHO, Home, Node, free_port, request_id, text_of};

/// Checks the document against `docs/status.schema.json`.
pub(crate) fn assert_valid(document: &Value) {
    let schema = include_str!("../../../../docs/status.schema.json");
    let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
    compiler.add_resource("mem:///status", serde_json::from_str(schema).unwrap()).unwrap();
    let index = compiler.compile("mem:///status", &mut schemas).unwrap();
    if let Err(error) = schemas.validate(document, index) {
        panic!("{error:#}\n{document:#}");
    }
}

async fn status(node: &Node) -> Value {
    let document = node.get("/status").await;
    assert_valid(&document);
    document
}

#[tokio::test]
async fn a_node_without_calls_reports_itself() {
    let node = Home::new().start("");
    let mut document = status(&node).await;
    let until = Instant::now() + Duration::from_secs(20);
    // The first lines and the first event are on the disk a moment after the node answers.
    while (document["disk"]["log_bytes"] == 0 || document["lamport_head"].is_null()) && Instant::now() < until
    {
        tokio::time::sleep(Duration::from_millis(20)).await;
        document = status(&node).await;
    }
    let us = node.id().await;
    assert_eq!((&document["node"]["id"], &document["node"]["pid"]), (&json!(us), &json!(node.pid())));
    assert_eq!(document["node"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(document["community"], json!({ "id": us, "members": 1 }));
    assert_eq!(document["listening"][0]["address"], format!("127.0.0.1:{}", node.port));
    assert_eq!(document["listening"][0]["reachable_from"], "this machine");
    let open = document["open_without_credentials"].as_array().unwrap();
    assert!(open.contains(&json!("/metrics")) && !open.contains(&json!("/doctor")), "{open:?}");
    let names: Vec<_> = document["capabilities"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names, [ECHO, "experimental.node.status"]);
    assert_eq!(document["recent"]["requests"], 0);
    assert!(document["disk"]["log_bytes"].as_u64().unwrap() > 0, "{document:#}");
    assert!(document["lamport_head"].as_i64().unwrap() > 0, "{document:#}");
}

#[tokio::test]
async fn exports_are_shown_with_their_collector_and_since_when_they_fail() {
    let collector = format!("http://127.0.0.1:{}", free_port());
    let node = Home::new().start(&format!(
        "observability = {{ otlp_endpoint = \"{collector}\", otlp_metrics = true, otlp_metrics_interval_seconds = 1, otlp_logs = true }}\n"
    ));
    assert_eq!(status(&Home::new().start("")).await["exports"], json!([]));
    node.call(ECHO, &json!({})).send().await.unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    let exports = loop {
        let exports = status(&node).await["exports"].as_array().unwrap().clone();
        if exports.iter().all(|export| export["failing_since"].is_string()) {
            break exports;
        }
        assert!(Instant::now() < until, "{exports:#?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let signals: Vec<_> = exports.iter().map(|export| export["signal"].as_str().unwrap()).collect();
    assert_eq!(signals, ["traces", "metrics", "logs"]);
    for export in &exports {
        assert_eq!((&export["endpoint"], &export["exported"]), (&json!(collector), &json!(0)));
    }
    let shown = text_of(&node.home.run(&["status"]).stdout);
    assert!(shown.contains("exports   sent 0 traces (failing for "), "{shown}");
    // Metrics may be lost by now.
    let metrics = shown.split_once(", 0 metrics (").map(|(_, rest)| rest.contains("failing for "));
    assert_eq!(metrics, Some(true), "{shown}");
    let ran = text_of(&node.home.run(&["doctor", "--only", "trace_export"]).stdout);
    assert!(ran.contains("the collector does not accept traces, metrics and log lines"), "{ran}");
}

#[tokio::test]
async fn failed_calls_are_counted_by_cause_with_a_trace_to_look_at() {
    let closed = free_port();
    let llm =
        format!("[[llm.backends]]\nname = \"stopped\"\nurl = \"http://127.0.0.1:{closed}\"\nmodel = \"m\"\n");
    let node = Home::new().start(&llm);
    let chat = json!({ "input": { "messages": [{ "role": "user", "content": "Hi" }] } });
    let mut last = String::new();
    for _ in 0..3 {
        let response = node.call("llm.chat", &chat).send().await.unwrap();
        assert_eq!(response.status(), 503);
        last = request_id(&response);
    }
    node.call(ECHO, &json!({})).send().await.unwrap();
    // The failure of a stream comes after its status 200.
    let fails = json!({ "input": { "frames": 1, "fail": "timeout" } });
    node.call(ECHO, &fails).send().await.unwrap().text().await.unwrap();

    let document = status(&node).await;
    let recent = &document["recent"];
    assert_eq!((&recent["requests"], &recent["errors"]), (&json!(5), &json!(4)), "{recent:#}");
    let cause = &recent["causes"][0];
    let text = cause["cause"].as_str().unwrap();
    assert!(text.contains(&format!("127.0.0.1:{closed}")) && text.contains("connection refused"), "{text}");
    assert_eq!(
        (&cause["capability"], &cause["code"], &cause["count"], &cause["trace_id"]),
        (&json!("llm.chat"), &json!("partition"), &json!(3), &json!(last))
    );
    assert_eq!(recent["causes"][1]["code"], "timeout");
    let chat =
        document["capabilities"].as_array().unwrap().iter().find(|one| one["name"] == "llm.chat").unwrap();
    assert_eq!((&chat["model"], &chat["health"]), (&json!("m"), &json!(0.0)));
    assert!(chat["p50_ms"].is_number(), "{chat}");
}

#[tokio::test]
async fn hostile_texts_stay_bounded_and_harmless() {
    let model = "[[llm.backends]]\nname = \"b\"\nurl = \"http://127.0.0.1:1\"\nmodel = \"m\"\n";
    let node = Home::new().start(model);
    for n in 0..60 {
        let name = format!("\u{1b}[2J{n}{}", "x".repeat(500));
        let chat = json!({ "params": { "model": name }, "input": { "messages": [] } });
        node.call("llm.chat", &chat).send().await.unwrap();
        node.call(&format!("invented.{n}"), &json!({})).send().await.unwrap();
    }
    let document = status(&node).await;
    let text = document.to_string();
    assert!(text.len() < 20_000, "{} bytes", text.len());
    assert!(!text.contains("\\u001b") && !text.contains("invented"), "{text}");
    let recent = &document["recent"];
    assert_eq!((&recent["requests"], &recent["errors"]), (&json!(120), &json!(120)));
    let names: BTreeMap<_, _> = recent["by_capability"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["capability"].as_str().unwrap(), one["requests"].as_u64().unwrap()))
        .collect();
    assert_eq!(names, BTreeMap::from([("llm.chat", 60), ("unknown", 60)]));
    assert!(recent["causes"].as_array().unwrap().len() <= 9, "{recent:#}");
}

#[tokio::test]
async fn other_machines_and_other_sites_get_the_answer_to_an_unknown_path() {
    let node = Home::new().start("");
    let unknown = node.http.get(node.url("/no/such/path")).send().await.unwrap();
    let (status, body) = (unknown.status(), unknown.text().await.unwrap());
    for (name, value) in [
        ("Host", "evil.example"),
        ("Host", "localhost.evil.example:7080"),
        ("Origin", "http://evil.example"),
        ("Origin", "null"),
        ("X-Forwarded-For", "192.0.2.1"),
    ] {
        for method in ["GET", "HEAD", "PUT", "OPTIONS"] {
            let request = node.http.request(method.parse().unwrap(), node.url("/status")).header(name, value);
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), status, "{method} {name}: {value}");
            if method != "HEAD" {
                assert_eq!(response.text().await.unwrap(), body, "{method} {name}: {value}");
            }
        }
    }
    let localhost = format!("localhost:{}", node.port);
    let response = node.http.get(node.url("/status")).header("Host", localhost).send().await.unwrap();
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn peers_are_shown_with_their_state_and_capabilities() {
    let ports = [free_port(), free_port(), free_port()];
    let config = |us: usize, peers: &[u16]| {
        let peers: Vec<_> = peers.iter().map(|port| format!("\"http://127.0.0.1:{port}\"")).collect();
        format!(
            "transport = {{ host = \"127.0.0.1\", port = {} }}\nemergency = {{ probe_targets = [] }}\n\
             identity = {{ display_name = \"node {us}\" }}\ndiscovery = {{ static_peers = [{}] }}\n",
            ports[us],
            peers.join(", "),
        )
    };
    let (one, two) = (Home::new(), Home::new());
    one.write_config(&config(0, &[ports[1], ports[2]]));
    two.write_config(&config(1, &[]));
    let two = Node::start(two, ports[1]);
    let one = Node::start(one, ports[0]);
    let there = two.id().await;
    one.wait_for_metric("hearthnet_nodes_online", &there, 1.0).await;
    let document = status(&one).await;
    let peers = document["peers"].as_array().unwrap();
    assert_eq!((&peers[0]["node_id"], &peers[0]["name"]), (&json!(there), &json!("node 1")));
    assert_eq!((&peers[0]["state"], &peers[0]["error"]), (&json!("answers"), &Value::Null));
    assert_eq!(peers[0]["url"], format!("http://127.0.0.1:{}", ports[1]));
    assert_eq!((&peers[1]["state"], &peers[1]["node_id"]), (&json!("never answered"), &Value::Null));
    let remote: Vec<_> =
        document["capabilities"].as_array().unwrap().iter().filter(|one| one["local"] == false).collect();
    assert_eq!(remote.len(), 2, "{document:#}");
    assert_eq!((&remote[0]["node"], &remote[0]["version"]), (&json!(there), &json!("1.0")));
}
