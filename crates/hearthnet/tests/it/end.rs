//! The end of a node: nothing that was recorded is lost.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use serde_json::json;

use crate::node::{ECHO, Home, events, request_id};

#[tokio::test]
async fn f4_sigterm_and_sigint_end_with_0_and_everything_flushed() {
    for signal in ["TERM", "INT"] {
        let node = Home::new().start("");
        for _ in 0..50 {
            node.call(ECHO, &json!({})).send().await.unwrap().bytes().await.unwrap();
        }
        node.signal(signal);
        let (status, home) = node.wait();
        assert_eq!(status.code(), Some(0), "{signal}");
        assert_eq!(home.done(None).len(), 50);
        assert_eq!(home.lines().last().unwrap()["msg"], "stopped");
        assert_eq!(event_types(&home), ["node.started", "node.stopped"]);
    }
}

fn event_types(home: &Home) -> Vec<String> {
    let communities = home.data().join("communities");
    let community = std::fs::read_dir(communities).unwrap().next().unwrap().unwrap().path();
    let log = rusqlite::Connection::open(community.join("events.sqlite")).unwrap();
    let mut rows = log.prepare("SELECT event_type FROM events ORDER BY lamport").unwrap();
    rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[tokio::test]
async fn a_short_request_is_finished_and_a_long_one_cancelled() {
    let node = Home::new().start("");
    let call = |frames: u32| node.call(ECHO, &json!({ "input": { "frames": frames, "delay_ms": 100 } }));
    let mut short = call(10).send().await.unwrap().bytes_stream();
    let long = call(10_000).send().await.unwrap();
    let long_id = request_id(&long);
    let mut text = short.next().await.unwrap().unwrap().to_vec();

    let begun = Instant::now();
    node.signal("TERM");
    while let Some(bytes) = short.next().await {
        text.extend_from_slice(&bytes.unwrap());
    }
    assert_eq!(events(&String::from_utf8(text).unwrap()).last().unwrap().0, "done");
    let (status, home) = node.wait();
    assert_eq!(status.code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(15), "draining is bounded: {:?}", begun.elapsed());
    let done = home.done(Some(&long_id));
    assert_eq!(done.len(), 1);
    assert_eq!(done[0]["status"], "cancelled");
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_the_node_up() {
    let node = Home::new().start("");
    node.get("/health").await; // kept alive by the client
    let _silent = std::net::TcpStream::connect(("127.0.0.1", node.port)).unwrap();
    let begun = Instant::now();
    node.stop();
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn the_event_log_has_its_gauges() {
    let node = Home::new().start("");
    let home = node.stop();
    let node = home.start("");
    node.wait_for_metric("hearthnet_event_log_size", "", 3.0).await;
    node.wait_for_metric("hearthnet_event_log_lamport_head", "", 3.0).await;
    std::fs::write(node.home.data().join("blobs/blob"), [0; 4096]).unwrap();
    node.wait_for_metric("hearthnet_blob_storage_bytes", "", 4096.0).await;
    assert_eq!(node.metric("hearthnet_emergency_mode", "").await, Some(1.0));
}
