//! A scripted collector, and an export to it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use obs_trace::otlp::{Config, Exporter, Stats};
use obs_trace::{Store, new_trace};

/// Collector that answers each connection by a closure.
pub(crate) struct Collector {
    pub(crate) address: String,
    pub(crate) bodies: Arc<Mutex<Vec<Vec<u8>>>>,
}

pub(crate) const TAKEN: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";

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
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let (answer, kept) = (Arc::new(answer), Arc::clone(&bodies));
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let (answer, kept) = (Arc::clone(&answer), Arc::clone(&kept));
                std::thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    if let Some((head, body)) = read_request(&mut stream) {
                        kept.lock().unwrap().push(body);
                        answer(number, &head, &mut stream);
                    }
                });
            }
        });
        Collector { address, bodies }
    }

    pub(crate) fn says(answer: impl Into<Vec<u8>>) -> Collector {
        let answer = answer.into();
        Collector::new(move |_, stream| drop(stream.write_all(&answer)))
    }

    pub(crate) fn requests(&self) -> usize {
        self.bodies.lock().unwrap().len()
    }
}

fn read_request(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("content-type: application/x-protobuf\r\n"), "{head}");
    assert!(head.contains("accept: application/x-protobuf, application/json;q=0.9\r\n"), "{head}");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).ok()?;
    if head.contains("content-encoding: gzip\r\n") {
        let mut spans = Vec::new();
        flate2::read::GzDecoder::new(body.as_slice()).read_to_end(&mut spans).unwrap();
        return Some((head, spans));
    }
    Some((head, body))
}

pub(crate) fn status(line: &str) -> Vec<u8> {
    format!("HTTP/1.1 {line}\r\ncontent-length: 0\r\n\r\n").into_bytes()
}

/// Returns a configuration with short delays.
pub(crate) fn config(address: &str) -> Config {
    Config::new(address)
        .interval(Duration::from_millis(20))
        .timeout(Duration::from_secs(1))
        .first_delay(Duration::from_millis(5))
}

pub(crate) struct Export {
    pub(crate) store: Store,
    pub(crate) exporter: Exporter,
}

impl Export {
    pub(crate) fn to(config: &Config) -> Export {
        let store = Store::default();
        let exporter = Exporter::start(&store, config).unwrap();
        Export { store, exporter }
    }

    /// Ends `n` traces of two exported spans each.
    pub(crate) fn traces(&self, n: usize) {
        let _scope = self.store.enter();
        for _ in 0..n {
            new_trace("llm.chat").run(|| obs_trace::in_span("forward", || ()));
        }
    }

    /// Waits until the statistics satisfy `wanted`.
    #[track_caller]
    pub(crate) fn until(&self, wanted: impl Fn(&Stats) -> bool) -> Stats {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            let stats = self.exporter.stats();
            all_counted(&stats);
            if wanted(&stats) {
                return stats;
            }
            assert!(Instant::now() < end, "timed out: {stats:?}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

#[track_caller]
pub(crate) fn all_counted(stats: &Stats) {
    let waiting = (stats.waiting + stats.sending) as u64;
    assert_eq!(stats.offered, stats.exported + stats.failed + stats.dropped + waiting, "{stats:?}");
}
