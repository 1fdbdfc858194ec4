//! Two nodes that are peers of each other.

use serde_json::{Value, json};

use crate::backend::{Backend, Script};
use crate::node::{ECHO, Home, Node, events, free_port, request_id};

/// Starts two nodes that know each other. The second has a language model.
async fn pair(script: Script) -> (Node, Node, Backend) {
    let backend = Backend::start(script).await;
    let ports = [free_port(), free_port()];
    let config = |us: usize, more: &str| {
        format!(
            "transport = {{ host = \"127.0.0.1\", port = {}, rate_limit_soft_rps = 0, rate_limit_hard_rps = 0, \
             call_timeout_seconds = 2 }}\nemergency = {{ probe_targets = [] }}\n\
             discovery = {{ static_peers = [\"http://127.0.0.1:{}\"] }}\n{more}",
            ports[us],
            ports[1 - us],
        )
    };
    let (one, two) = (Home::new(), Home::new());
    one.write_config(&config(0, ""));
    two.write_config(&config(1, &backend.section()));
    let two = Node::start(two, ports[1]);
    let one = Node::start(one, ports[0]);
    one.wait_for_metric("hearthnet_nodes_online", &two.id().await, 1.0).await;
    (one, two, backend)
}

fn chat(stream: bool) -> Value {
    json!({ "input": { "messages": [{ "role": "user", "content": "Hi" }], "stream": stream } })
}

#[tokio::test]
async fn one_call_through_both_has_one_trace_id_in_both_logs() {
    let (one, two, _backend) = pair(Script { tokens: vec!["Ja", "."], ..Script::default() }).await;
    let (first, second) = (one.id().await, two.id().await);
    let response = one.call("llm.chat", &chat(true)).send().await.unwrap();
    let id = request_id(&response);
    let frames = events(&response.text().await.unwrap());
    assert_eq!(frames.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["token", "token", "done"]);

    let (here, there) = (one.trace(&id).await, two.trace(&id).await);
    assert_eq!((&here["status"], &there["status"]), (&json!("ok"), &json!("ok")));
    assert_eq!(here["spans"][0]["name"], "forward");
    assert_eq!(here["spans"][0]["fields"]["to"], second);
    assert_eq!(there["spans"][0]["name"], "backend");
    let labels = format!("node=\"{second}\"");
    assert_eq!(one.metric("hearthnet_capability_health_success_rate", &labels).await, Some(1.0));
    assert_eq!(two.metric("hearthnet_signature_failures_total", "").await, None, "our own signature holds");

    let answer = one.call("llm.chat", &chat(false)).send().await.unwrap();
    assert_eq!(answer.json::<Value>().await.unwrap()["output"]["message"]["content"], "Ja.");

    let (one, two) = (one.stop(), two.stop());
    assert_eq!((one.done(Some(&id)).len(), two.done(Some(&id)).len()), (1, 1));
    let routed =
        two.lines().into_iter().find(|line| line["msg"] == "routed" && line["trace_id"] == id).unwrap();
    assert_eq!(routed["from"], first);
}

/// A client that retries keeps its request ID, and may do so within a moment.
#[tokio::test]
async fn identical_calls_in_one_moment_are_forwarded_and_none_is_a_replay() {
    let (one, two, _backend) = pair(Script { tokens: vec!["Ja"], ..Script::default() }).await;
    let call = || {
        one.call("llm.chat", &chat(false))
            .header("X-HearthNet-Request-Id", "01HXR3F2Q4T6V8X0Z2B4D6F8HJ")
            .send()
    };
    for answer in futures_util::future::join_all((0..20).map(|_| call())).await {
        assert_eq!(answer.unwrap().status().as_u16(), 200);
    }
    assert_eq!(two.metric("hearthnet_signature_failures_total", "").await, None);
}

#[tokio::test]
async fn a_peers_error_is_passed_on_with_its_code() {
    let (one, _two, _backend) = pair(Script { status: Some(429), ..Script::default() }).await;
    let answer = one.call("llm.chat", &chat(true)).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 429);
    let id = request_id(&answer);
    assert_eq!(answer.json::<Value>().await.unwrap()["error"], "capacity_exceeded");
    let trace = one.trace(&id).await;
    assert_eq!(
        (&trace["status"], &trace["spans"][0]["name"]),
        (&json!("capacity_exceeded"), &json!("forward"))
    );
    assert_eq!(trace["spans"][0]["fields"]["error"], "capacity_exceeded");
}

#[tokio::test]
async fn a_peer_that_is_gone_is_a_partition_and_one_that_is_slow_a_timeout() {
    let slow = std::time::Duration::from_secs(20);
    let (one, two, _backend) = pair(Script { tokens: vec!["a"], delay: slow, ..Script::default() }).await;
    two.signal("STOP");
    let answer = one.call("llm.chat", &chat(true)).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 408);
    assert_eq!(answer.json::<Value>().await.unwrap()["error"], "timeout");
    two.signal("KILL");
    drop(two);
    let answer = one.call("llm.chat", &chat(true)).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 503);
    assert_eq!(answer.json::<Value>().await.unwrap()["error"], "partition");
    one.wait_for_metric("hearthnet_nodes_online", "", 0.0).await;
    let answer = one.call("llm.chat", &chat(true)).send().await.unwrap();
    assert_eq!(
        answer.json::<Value>().await.unwrap()["error"],
        "partition",
        "what it offered is not forgotten"
    );
}

#[tokio::test]
async fn a_call_is_forwarded_once() {
    let (one, two, _backend) = pair(Script::default()).await;
    let answer = one.call("llm.chat", &chat(true)).header("X-HearthNet-Hops", "1").send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 404);
    let answer =
        one.call("llm.chat", &chat(true)).header("X-HearthNet-From", one.id().await).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 404);
    assert_eq!(two.metric("hearthnet_requests_total", "").await, None);
    assert_eq!(
        one.call(ECHO, &json!({})).header("X-HearthNet-Hops", "1").send().await.unwrap().status(),
        200
    );
}
