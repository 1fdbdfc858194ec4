//! Shutdown of a node. Nothing that was recorded is lost.

use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use serde_json::json;

use crate::node::{ECHO, Home, events, request_id};

#[tokio::test]
async fn sigterm_and_sigint_end_with_0_and_everything_flushed() {
    for signal in ["TERM", "INT"] {
        // A test in the background of a shell has SIGINT ignored, and the node would inherit that.
        let node = Home::new().start_under(&["env", "--default-signal"]);
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

#[tokio::test]
async fn a_signal_that_was_ignored_at_the_start_stays_ignored() {
    let in_background = ["sh", "-c", "trap '' INT; exec \"$@\"", "sh"];
    let nohup = ["env", "--default-signal", "nohup"];
    let deaf = ["env", "--default-signal", "--ignore-signal=TERM"];
    for (prefix, ignored, end) in
        [(&in_background[..], "INT", "TERM"), (&nohup, "HUP", "TERM"), (&deaf, "TERM", "INT")]
    {
        let node = Home::new().start_under(prefix);
        for _ in 0..3 {
            node.signal(ignored);
            node.call(ECHO, &json!({})).send().await.unwrap().bytes().await.unwrap();
        }
        node.signal(end);
        let (status, home) = node.wait();
        assert_eq!(status.code(), Some(0), "{ignored}");
        assert_eq!(home.done(None).len(), 3);
        assert_eq!(event_types(&home), ["node.started", "node.stopped"]);
        let stopping = home.lines().into_iter().find(|line| line["msg"] == "stopping").unwrap();
        assert_eq!(stopping["signal"], format!("SIG{end}"));
    }
}

/// The kernel does not apply the default action of a signal to process 1 of a container.
#[tokio::test]
async fn as_process_1_a_node_ends_with_the_status_of_the_signal() {
    let made = Command::new("unshare").args(["--pid", "--fork", "true"]).output();
    if !made.is_ok_and(|made| made.status.success()) {
        let _ = writeln!(std::io::stderr(), "skipped: needs the right to make a namespace of processes");
        return;
    }
    for (signal, code) in [("TERM", 0), ("INT", 0), ("HUP", 0)] {
        let prefix = ["unshare", "--pid", "--fork", "--kill-child", "env", "--default-signal"];
        let node = Home::new().start_under(&prefix);
        node.call(ECHO, &json!({})).send().await.unwrap().bytes().await.unwrap();
        let unshare = node.pid();
        let process_1 = std::fs::read_to_string(format!("/proc/{unshare}/task/{unshare}/children")).unwrap();
        let sent = Command::new("kill").arg(format!("-{signal}")).arg(process_1.trim()).status();
        assert!(sent.unwrap().success());
        let (status, home) = node.wait();
        assert_eq!(status.code(), Some(code), "{signal}");
        assert_eq!(home.done(None).len(), 1, "{signal}");
        let left = std::fs::read_dir(home.log()).unwrap().count();
        assert_eq!(left, 1, "a hand-over file is left");
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

/// A second Ctrl-C, or a second signal of a supervisor, ends the wait for open calls.
#[tokio::test]
async fn a_second_signal_ends_a_node_at_once_and_nothing_recorded_is_lost() {
    for (first, second, status) in [("TERM", "TERM", 143), ("INT", "INT", 130), ("TERM", "INT", 130)] {
        let node = Home::new().start_under(&["env", "--default-signal"]);
        let body = json!({ "input": { "frames": 10_000, "delay_ms": 100 } });
        let mut long = node.call(ECHO, &body).send().await.unwrap();
        let id = request_id(&long);
        long.chunk().await.unwrap();
        node.signal(first);
        wait_for_line(&node.home, "stopping").await;
        let begun = Instant::now();
        node.signal(second);
        let (ended, home) = node.wait();
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        assert_eq!(ended.code(), Some(status), "{first} {second}");
        assert_eq!(home.done(Some(&id))[0]["status"], "cancelled");
        assert_eq!(home.lines().last().unwrap()["msg"], "stopped");
        assert_eq!(event_types(&home), ["node.started", "node.stopped"]);
        let left = std::fs::read_dir(home.log()).unwrap().count();
        assert_eq!(left, 1, "everything is in the day file");
    }
}

/// A hanging disk may delay the node after its calls have ended. A signal still ends it then.
#[tokio::test]
async fn signals_without_end_end_a_node() {
    let node = Home::new().start_under(&["env", "--default-signal"]);
    let body = json!({ "input": { "frames": 10_000, "delay_ms": 100 } });
    let _long = node.call(ECHO, &body).send().await.unwrap();
    let begun = Instant::now();
    for _ in 0..20 {
        node.signal("TERM");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (ended, home) = node.wait();
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert!(ended.code() == Some(143) || ended.signal() == Some(15), "{ended}");
    // The next start writes the lines that the last signal left in the journal.
    let home = home.start("").stop();
    let first = home.lines().into_iter().find(|line| line["msg"] == "stopping").unwrap();
    assert_eq!(first["signal"], "SIGTERM");
}

async fn wait_for_line(home: &Home, text: &str) {
    let begun = Instant::now();
    while !home.lines().iter().any(|line| line["msg"] == text) {
        assert!(begun.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
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
