//! Peers and callers that violate the protocol.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::task::JoinSet;

use crate::node::{ECHO, Home, Node};

fn raw(node: &Node, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", node.port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn hostile_requests_are_counted_and_the_node_goes_on() {
    let node = Home::new().start("");
    let head = "POST /bus/v1/call HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";
    let call = |headers: &[u8]| [head.as_bytes(), headers, b"Content-Length: 2\r\n\r\n{}"].concat();
    assert!(raw(&node, &call(b"X-HearthNet-Capability: \xff\xfe\r\n")).starts_with("HTTP/1.1 400"));
    let nonsense_from = b"X-HearthNet-Capability: experimental.echo\r\nX-HearthNet-From: \xff\r\n";
    assert!(raw(&node, &call(nonsense_from)).starts_with("HTTP/1.1 200"));
    let long = format!("X-HearthNet-Capability: {}\r\n", "a".repeat(2000));
    assert!(raw(&node, &call(long.as_bytes())).starts_with("HTTP/1.1 404"));
    let deep = "[".repeat(100_000);
    let deep =
        format!("{head}X-HearthNet-Capability: {ECHO}\r\nContent-Length: {}\r\n\r\n{deep}", deep.len());
    assert!(raw(&node, deep.as_bytes()).starts_with("HTTP/1.1 400"));
    assert_eq!(node.metric("hearthnet_requests_total", "").await, Some(4.0));

    raw(&node, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc");
    let endless = format!("GET / HTTP/1.1\r\nX: {}", "a".repeat(1 << 20));
    for cut in [5, 20, 70_000, endless.len()] {
        let _ = TcpStream::connect(("127.0.0.1", node.port)).unwrap().write_all(&endless.as_bytes()[..cut]);
    }
    assert_eq!(node.get("/health").await["status"], "ok");
    let home = node.stop();
    assert_eq!(home.done(None).len(), 4);
}

/// Idle connections of one host do not keep other hosts out.
#[tokio::test]
async fn one_host_cannot_take_all_connections() {
    let node = Home::new().start("");
    let mut idle = Vec::new();
    for _ in 0..260 {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
        let connected = socket.connect(([127, 0, 0, 1], node.port).into());
        idle.extend(tokio::time::timeout(Duration::from_secs(5), connected).await.unwrap());
    }
    // Connections beyond the share of the host are closed at once. Those within it stay open.
    let mut ends = idle.iter_mut().rev().map(|connection| connection.read_u8());
    let closed = tokio::time::timeout(Duration::from_secs(10), ends.next().unwrap()).await.unwrap();
    assert_eq!(closed.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
    drop(ends);
    assert!(tokio::time::timeout(Duration::from_millis(50), idle[0].read_u8()).await.is_err());
    assert_eq!(node.get("/health").await["status"], "ok");
    drop(idle);
    let home = node.stop();
    assert!(home.log_text().contains("too many connections are open"));
}

/// A body of 1 MiB can take 32 MiB once it is parsed, for as long as its caller wants.
#[tokio::test]
async fn many_large_bodies_at_one_time_do_not_fill_the_memory() {
    let node = Home::new().start("");
    let zeros = vec![0; 500_000];
    let body = json!({ "input": { "delay_ms": 3000, "text": "still here", "zeros": zeros } });
    let calls = (0..40).map(|_| node.call(ECHO, &body).send());
    for answer in futures_util::future::join_all(calls).await {
        let answer = answer.unwrap().json::<Value>().await.unwrap();
        assert_eq!(answer["output"]["text"], "still here");
    }
    if let Some(peak) = node.peak_memory() {
        assert!(peak < 500 << 20, "{} MiB", peak >> 20);
    }
}

/// Bodies beyond the budget are refused. Small ones are answered meanwhile.
#[tokio::test]
async fn large_bodies_beyond_the_budget_are_refused_and_small_ones_are_not() {
    let node = Home::new().start("");
    let large = |delay_ms| json!({ "input": { "delay_ms": delay_ms, "text": "x".repeat(1_000_000) } });
    let mut calls: JoinSet<_> = (0..80).map(|_| node.call(ECHO, &large(60_000)).send()).collect();
    // The other calls wait for a minute.
    let refused = calls.join_next().await.unwrap().unwrap().unwrap();
    assert_eq!(refused.status().as_u16(), 429);
    assert_eq!(refused.json::<Value>().await.unwrap()["error"], "capacity_exceeded");
    let small = node.call(ECHO, &json!({})).send().await.unwrap();
    assert_eq!(small.status().as_u16(), 200);

    let refused = node.metric("hearthnet_requests_total", "result=\"capacity_exceeded\"").await;
    assert!(refused >= Some(1.0), "{refused:?}");

    calls.shutdown().await;
    let begun = Instant::now();
    while node.call(ECHO, &large(0)).send().await.unwrap().status().as_u16() != 200 {
        assert!(begun.elapsed() < Duration::from_secs(20), "the budget is used up, but no body holds it");
    }
}

#[tokio::test]
async fn invented_names_of_a_peer_do_not_displace_ours() {
    let node = Home::new().start("");
    for i in 0..400 {
        node.call(&format!("made.up.{i}"), &json!({})).send().await.unwrap();
    }
    node.call(ECHO, &json!({})).send().await.unwrap();
    assert_eq!(node.metric("hearthnet_requests_total", "").await, Some(401.0), "totals stay exact");
    assert_eq!(node.metric("hearthnet_requests_total", ECHO).await, Some(1.0));
    let others = "capability=\"__overflow__\"";
    assert_eq!(
        node.metric("hearthnet_requests_total", others).await,
        Some(400.0),
        "one name for all of them"
    );
    assert_eq!(node.metric("hearthnet_requests_total", "made.up").await, None);
    let traces = node.get("/trace/recent?n=10&capability=made.up.7").await;
    assert_eq!(traces["traces"][0]["capability"], "made.up.7", "a trace has the name as it was sent");
}

/// A peer appears after a flood of names that would have taken every series.
#[tokio::test]
async fn a_late_peer_has_series_of_its_own_after_a_flood() {
    let peer = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = peer.local_addr().unwrap();
    let node = Home::new().start(&format!("discovery.static_peers = [\"http://{address}\"]\n"));
    for round in 0..30 {
        let calls = (0..20).map(|i| node.call(&format!("made.up.{round}.{i}"), &json!({})).send());
        for call in calls.collect::<Vec<_>>() {
            call.await.unwrap();
        }
    }
    let manifest = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"node_id\":\"p\",\"community_id\":\"c\",\"capabilities\":[\"rag.query\"]}";
    answer_with(peer, manifest);
    node.wait_for_metric("hearthnet_nodes_online", "community=\"c\"", 1.0).await;
    node.call("rag.query", &json!({})).send().await.unwrap();
    for (family, labels) in [
        ("hearthnet_requests_total", "capability=\"rag.query\",result=\"internal_error\""),
        ("hearthnet_request_duration_seconds_count", "capability=\"rag.query\""),
        ("hearthnet_request_duration_ms_count", "capability=\"rag.query\""),
    ] {
        node.wait_for_metric(family, labels, 1.0).await;
    }
    let health = "capability=\"rag.query\",node=\"p\"";
    node.wait_for_metric("hearthnet_capability_health_success_rate", health, 0.0).await;
}

/// Serves `bytes` to each connection, for as long as the test runs.
fn peer_that_says(bytes: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    answer_with(listener, bytes);
    format!("\"http://{address}\"")
}

fn answer_with(listener: TcpListener, bytes: &'static [u8]) {
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(bytes);
        }
    });
}

#[tokio::test]
async fn hostile_peers_do_not_stop_the_node() {
    let manifest = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"node_id\":\"odd\",\"community_id\":\"c\",\"capabilities\":[\"rag.query\"]}";
    let peers = [
        peer_that_says(b""),
        peer_that_says(b"\x00\xff nonsense"),
        peer_that_says(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n[[["),
        peer_that_says(b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n"),
        // This peer answers every request with its manifest, so that a call to it gets no valid answer.
        peer_that_says(manifest),
    ];
    let node = Home::new().start(&format!("discovery.static_peers = [{}]\n", peers.join(", ")));
    node.wait_for_metric("hearthnet_nodes_online", "community=\"c\"", 1.0).await;
    let answer = node.call("rag.query", &json!({})).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 500, "an object that is no answer");
    assert_eq!(answer.json::<Value>().await.unwrap()["error"], "internal_error");
    assert_eq!(node.get("/ready").await["peers"], 1);
}
