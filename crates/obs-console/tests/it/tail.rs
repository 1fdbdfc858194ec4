//! The tail of the log.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::time::Instant;

use obs_console::api::TailLines;

use crate::server::{DEADLINE, Server, by_none, until};

fn open(server: &Server, headers: &str) -> BufReader<TcpStream> {
    let mut connection = server.connect();
    let request = server.request("GET /console/api/v1/logs/tail?level=info", headers, "");
    connection.write_all(request.as_bytes()).unwrap();
    BufReader::new(connection)
}

/// Returns the next line that begins with this text, without it. `None` at the end.
fn next(events: &mut BufReader<TcpStream>, start: &str) -> Option<String> {
    let began = Instant::now();
    let mut line = String::new();
    while events.read_line(&mut line).unwrap_or(0) > 0 {
        // Heartbeats come forever.
        assert!(began.elapsed() < DEADLINE, "no line begins with {start}");
        if let Some(rest) = line.strip_prefix(start) {
            return Some(rest.trim_end().to_owned());
        }
        line.clear();
    }
    None
}

#[test]
fn a_tail_counts_what_it_leaves_out() {
    let server = Server::local();
    server.fake.lines.store(1234, Ordering::SeqCst);
    let mut events = open(&server, "");
    assert_eq!(next(&mut events, "content-type: ").as_deref(), Some("text/event-stream"));
    assert_eq!(next(&mut events, "event: ").as_deref(), Some("lines"));
    let (mut shown, mut skipped) = (0, 0);
    for _ in 0..2 {
        let event: TailLines = serde_json::from_str(&next(&mut events, "data: ").unwrap()).unwrap();
        shown += event.lines.len() as u64;
        skipped += event.skipped;
        assert_eq!(shown + skipped, event.written);
        assert_eq!(event.lines.last().unwrap()["n"], event.written - 1, "the newest are shown");
    }
    assert_eq!(shown, 1000);
}

#[test]
fn viewers_are_bounded_and_make_room_when_they_go() {
    let server = Server::local();
    let mut viewers: Vec<_> = (0..16).map(|_| open(&server, "")).collect();
    for viewer in &mut viewers {
        assert_eq!(next(viewer, "retry: ").as_deref(), Some("2000"));
    }
    assert_eq!(server.get("/console/api/v1/logs/tail", "").status, 503);
    assert_eq!(server.get("/console/api/v1/overview", "").status, 200);
    drop(viewers);
    until("the tails end", || server.fake.tails.load(Ordering::SeqCst) == 0);
    // The place of a viewer is free a moment after its tail has ended.
    until("there is room", || next(&mut open(&server, ""), "retry: ").is_some());
}

#[test]
fn a_tail_ends_with_its_session() {
    let server = Server::start("127.0.0.1", obs_console::Mode::Lan, by_none);
    let cookie = server.log_in();
    let mut events = open(&server, &cookie);
    assert!(next(&mut events, "retry: ").is_some());
    let headers = format!("X-HearthNet-Console: 1\r\n{cookie}");
    assert_eq!(server.send("DELETE /console/api/v1/sessions/1", &headers, "").status, 204);
    assert_eq!(next(&mut events, "event: ").as_deref(), Some("failed"));
    assert!(next(&mut events, "data: ").unwrap().contains("the session has ended"));
    assert_eq!(next(&mut events, "event: "), None);
}

#[test]
fn a_tail_ends_with_the_node() {
    let server = Server::local();
    let mut events = open(&server, "");
    assert!(next(&mut events, "retry: ").is_some());
    server.fake.stops.store(true, Ordering::SeqCst);
    assert_eq!(next(&mut events, "event: ").as_deref(), Some("failed"));
    assert!(next(&mut events, "data: ").unwrap().contains("the node stops"));
    assert_eq!(next(&mut events, "event: "), None);
}
