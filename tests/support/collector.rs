//! Scripted collector of OTLP.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::fmt::Debug;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Collector that answers each connection by a closure.
pub(crate) struct Collector {
    pub(crate) address: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

/// Request that the collector has read.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) head: String,
    /// Body, decompressed.
    pub(crate) body: Vec<u8>,
}

pub(crate) const TAKEN: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";

/// Response to a request one unit of which is rejected, because of `no`.
pub(crate) const ONE_REJECTED: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 8\r\n\r\n\x0a\x06\x08\x01\x12\x02no";

impl Collector {
    /// Reads each request and passes its number and stream to `answer`.
    pub(crate) fn new(answer: impl Fn(usize, &mut TcpStream) + Send + Sync + 'static) -> Collector {
        Collector::with_heads(move |number, _, stream| answer(number, stream))
    }

    /// Does the same as `new`, and passes the head of the request too.
    pub(crate) fn with_heads(
        answer: impl Fn(usize, &str, &mut TcpStream) + Send + Sync + 'static,
    ) -> Collector {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (answer, kept) = (Arc::new(answer), Arc::clone(&requests));
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let (answer, kept) = (Arc::clone(&answer), Arc::clone(&kept));
                std::thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    if let Some(request) = read_request(&mut stream) {
                        kept.lock().unwrap().push(request.clone());
                        answer(number, &request.head, &mut stream);
                    }
                });
            }
        });
        Collector { address, requests }
    }

    pub(crate) fn says(answer: impl Into<Vec<u8>>) -> Collector {
        let answer = answer.into();
        Collector::new(move |_, stream| drop(stream.write_all(&answer)))
    }

    /// Returns the requests so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

fn read_request(stream: &mut TcpStream) -> Option<Request> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let is_post = ["traces", "metrics", "logs"]
        .iter()
        .any(|signal| head.starts_with(&format!("POST /v1/{signal} HTTP/1.1\r\n")));
    assert!(is_post, "{head}");
    assert!(head.contains("content-type: application/x-protobuf\r\n"), "{head}");
    assert!(head.contains("accept: application/x-protobuf, application/json;q=0.9\r\n"), "{head}");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).ok()?;
    if head.contains("content-encoding: gzip\r\n") {
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(body.as_slice()).read_to_end(&mut plain).unwrap();
        body = plain;
    }
    Some(Request { head, body })
}

/// Returns a response without a body, with this status and further lines of its head.
pub(crate) fn status(line: &str) -> Vec<u8> {
    format!("HTTP/1.1 {line}\r\ncontent-length: 0\r\n\r\n").into_bytes()
}

/// Reads the statistics of an exporter until they satisfy `wanted`.
#[track_caller]
pub(crate) fn until<S: Debug>(read: impl Fn() -> S, wanted: impl Fn(&S) -> bool) -> S {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let stats = read();
        if wanted(&stats) {
            return stats;
        }
        assert!(Instant::now() < end, "timed out: {stats:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
