//! T8: the export to a collector, and what collectors do to it. The ones here lie; the real one is asked
//! in the conformance suite.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use obs_trace::otlp::{Config, Exporter, Stats};
use obs_trace::{Store, new_trace};

/// A collector that does with each connection what it is told; `n` counts them.
struct Collector {
    address: String,
    bodies: Arc<Mutex<Vec<Vec<u8>>>>,
}

const TAKEN: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";

impl Collector {
    /// Reads each request and lets `answer` do the rest.
    fn new(answer: impl Fn(usize, &mut TcpStream) + Send + Sync + 'static) -> Collector {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let (answer, kept) = (Arc::new(answer), Arc::clone(&bodies));
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let (answer, kept) = (Arc::clone(&answer), Arc::clone(&kept));
                std::thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    if let Some(body) = read_request(&mut stream) {
                        kept.lock().unwrap().push(body);
                        answer(number, &mut stream);
                    }
                });
            }
        });
        Collector { address, bodies }
    }

    fn says(answer: impl Into<Vec<u8>>) -> Collector {
        let answer = answer.into();
        Collector::new(move |_, stream| drop(stream.write_all(&answer)))
    }

    fn requests(&self) -> usize {
        self.bodies.lock().unwrap().len()
    }
}

fn read_request(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("content-type: application/x-protobuf\r\n"), "{head}");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).ok()?;
    Some(body)
}

fn status(line: &str) -> Vec<u8> {
    format!("HTTP/1.1 {line}\r\ncontent-length: 0\r\n\r\n").into_bytes()
}

/// Quick, so that a test need not wait.
fn config(address: &str) -> Config {
    Config::new(address)
        .interval(Duration::from_millis(20))
        .timeout(Duration::from_secs(1))
        .first_delay(Duration::from_millis(5))
}

struct Export {
    store: Store,
    exporter: Exporter,
}

impl Export {
    fn to(config: &Config) -> Export {
        let store = Store::default();
        let exporter = Exporter::start(&store, config).unwrap();
        Export { store, exporter }
    }

    /// Ends so many traces of two spans each, the trace itself included.
    fn traces(&self, n: usize) {
        let _scope = self.store.enter();
        for _ in 0..n {
            new_trace("llm.chat").run(|| obs_trace::in_span("forward", || ()));
        }
    }

    /// Waits until the statistics are as wanted.
    #[track_caller]
    fn until(&self, wanted: impl Fn(&Stats) -> bool) -> Stats {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            let stats = self.exporter.stats();
            all_counted(&stats);
            if wanted(&stats) {
                return stats;
            }
            assert!(Instant::now() < end, "never came: {stats:?}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

#[track_caller]
fn all_counted(stats: &Stats) {
    let waiting = (stats.waiting + stats.sending) as u64;
    assert_eq!(stats.offered, stats.exported + stats.failed + stats.dropped + waiting, "{stats:?}");
}

#[test]
fn t8_traces_are_sent_in_batches_after_their_time() {
    let collector = Collector::says(TAKEN);
    let export = Export::to(&config(&collector.address).batch_spans(10));
    export.traces(3);
    let stats = export.until(|stats| stats.exported == 3);
    assert_eq!((stats.exported_spans, stats.retries, stats.is_failing), (6, 0, false));
    let before = collector.requests();
    export.traces(100);
    let stats = export.until(|stats| stats.exported == 103);
    assert!(collector.requests() - before >= 20, "five traces of two spans a request");
    all_counted(&stats);
}

#[test]
fn t8_a_full_batch_does_not_wait_for_its_time() {
    let collector = Collector::says(TAKEN);
    let export = Export::to(&config(&collector.address).interval(Duration::from_secs(3_600)).batch_spans(10));
    export.traces(5);
    export.until(|stats| stats.exported == 5);
    export.traces(4);
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(export.exporter.stats().waiting, 4, "less than a batch waits");
    assert!(export.exporter.flush(Duration::from_secs(10)));
    assert_eq!(export.exporter.stats().exported, 9);
}

#[test]
fn t8_the_retryable_answers_are_tried_again_and_no_others() {
    for again in
        ["429 Too Many Requests", "502 Bad Gateway", "503 Service Unavailable", "504 Gateway Timeout"]
    {
        let collector = Collector::new(move |n, stream| {
            let _ = stream.write_all(&if n < 3 { status(again) } else { TAKEN.to_vec() });
        });
        let export = Export::to(&config(&collector.address));
        export.traces(1);
        let stats = export.until(|stats| stats.exported == 1);
        assert_eq!((stats.retries, stats.requests, stats.failed), (3, 4, 0), "{again}");
        let bodies = collector.bodies.lock().unwrap();
        assert!(bodies.iter().all(|body| *body == bodies[0]), "the same spans each time");
    }
    let never = [
        "400 Bad Request",
        "401 Unauthorized",
        "403 Forbidden",
        "404 Not Found",
        "405 Method Not Allowed",
        "408 Request Timeout",
        "413 Content Too Large",
        "500 Internal Server Error",
        "501 Not Implemented",
        "505 HTTP Version Not Supported",
        "301 Moved Permanently\r\nlocation: http://127.0.0.1:1/",
        "307 Temporary Redirect\r\nlocation: http://127.0.0.1:1/",
        "304 Not Modified",
    ];
    for refusal in never {
        let collector = Collector::says(status(refusal));
        let export = Export::to(&config(&collector.address));
        export.traces(2);
        let stats = export.until(|stats| stats.failed == 2);
        assert_eq!(stats.retries, 0, "{refusal}");
        assert_eq!(collector.requests() as u64, stats.requests, "{refusal}");
        assert!(stats.is_failing);
        all_counted(&stats);
    }
}

#[test]
fn t8_retry_after_is_honoured() {
    let times = Arc::new(Mutex::new(Vec::new()));
    let collector = Collector::new({
        let times = Arc::clone(&times);
        move |n, stream| {
            times.lock().unwrap().push(Instant::now());
            let busy = status("503 Service Unavailable\r\nretry-after: 1");
            let _ = stream.write_all(&if n == 0 { busy } else { TAKEN.to_vec() });
        }
    });
    let export = Export::to(&config(&collector.address));
    export.traces(1);
    export.until(|stats| stats.exported == 1);
    let times = times.lock().unwrap();
    assert!(times[1] - times[0] >= Duration::from_millis(950), "{:?}", times[1] - times[0]);
}

#[test]
fn t8_a_broken_connection_is_tried_again_until_it_is_given_up() {
    let collector = Collector::new(|n, stream| {
        // Read, and closed without an answer.
        if n >= 2 {
            let _ = stream.write_all(TAKEN);
        }
    });
    let export = Export::to(&config(&collector.address));
    export.traces(1);
    assert_eq!(export.until(|stats| stats.exported == 1).retries, 2);

    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let export = Export::to(&config(&format!("http://{nobody}")).give_up_after(Duration::from_millis(200)));
    export.traces(3);
    let stats = export.until(|stats| stats.failed == 3);
    assert!(stats.retries > 0 && stats.is_failing, "{stats:?}");
    all_counted(&stats);
}

#[test]
fn t8_what_a_collector_rejects_is_counted() {
    // partial_success { rejected_spans: 1, error_message: "no" }
    let body = b"\x0a\x06\x08\x01\x12\x02no";
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 8\r\n\r\n";
    let collector = Collector::says([head.as_bytes(), body].concat());
    let export = Export::to(&config(&collector.address).interval(Duration::from_secs(60)));
    export.traces(2);
    export.exporter.flush(Duration::from_secs(10));
    let stats = export.exporter.stats();
    assert_eq!((stats.exported, stats.exported_spans, stats.rejected_spans), (2, 4, 1));
    assert_eq!((stats.retries, stats.is_failing), (0, true), "never sent again");
}

#[test]
fn t8_a_collector_gets_the_headers_that_it_wants_and_nobody_else_sees_them() {
    let heads = Arc::new(Mutex::new(Vec::new()));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let kept = Arc::clone(&heads);
    std::thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        let mut bytes = [0; 4_096];
        let read = stream.read(&mut bytes).unwrap();
        kept.lock().unwrap().push(String::from_utf8_lossy(&bytes[..read]).into_owned());
        stream.write_all(TAKEN).unwrap();
    });
    let config = config(&address)
        .header("x-scope", "first")
        .header("Authorization", "Bearer hunter2")
        .header("X-Scope", "last");
    assert!(!format!("{config:?}").contains("hunter2"));
    let export = Export::to(&config);
    export.traces(1);
    export.until(|stats| stats.exported == 1);
    let head = heads.lock().unwrap()[0].to_lowercase();
    assert!(head.contains("\r\nauthorization: bearer hunter2\r\n"), "{head}");
    assert!(head.contains("\r\nx-scope: last\r\n") && !head.contains("first"), "{head}");

    let store = Store::default();
    for (name, value) in [
        ("", "hunter2"),
        ("x y", "hunter2"),
        ("x\r\nhost", "hunter2"),
        ("Host", "hunter2"),
        ("content-length", "0"),
        ("x-key", "hunter2\r\nx-more: 1"),
        ("x-key", "hünter2"),
    ] {
        let error = Exporter::start(&store, &Config::new("http://c").header(name, value)).unwrap_err();
        assert_eq!(error.field(), "otlp_headers", "{name:?}");
        assert!(error.to_string().contains("such as authorization=") && !error.to_string().contains("nter2"));
    }
}

/// Seldom, and right.
#[test]
fn t8_answers_that_are_unusual_are_understood() {
    let type_ = "content-type: application/x-protobuf";
    let answers = [
        ("HTTP/1.0 and an end by closing", format!("HTTP/1.0 200 OK\r\n{type_}\r\n\r\n")),
        ("no type and no body", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_owned()),
        ("no content", "HTTP/1.1 204 No Content\r\n\r\n".to_owned()),
        ("202", format!("HTTP/1.1 202 Accepted\r\n{type_}\r\ncontent-length: 0\r\n\r\n")),
        (
            "a type with more",
            "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf; v=1\r\ncontent-length: 0\r\n\r\n"
                .to_owned(),
        ),
        ("in pieces", format!("HTTP/1.1 200 OK\r\n{type_}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n")),
        (
            "100 before it",
            format!("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n{type_}\r\ncontent-length: 0\r\n\r\n"),
        ),
        (
            "103 before it",
            format!(
                "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\n{type_}\r\ncontent-length: 0\r\n\r\n"
            ),
        ),
    ];
    for (what, answer) in answers {
        let collector = Collector::says(answer);
        let export = Export::to(&config(&collector.address));
        export.traces(1);
        let stats = export.until(|stats| stats.exported + stats.failed == 1 || stats.retries > 3);
        assert_eq!((stats.exported, stats.retries), (1, 0), "{what}");
    }
}

/// Each of them costs a bounded time and a bounded number of bytes, and the traces of one request.
#[test]
fn t8_collectors_that_lie() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\n";
    let endless = |stream: &mut TcpStream, begin: &str, piece: &[u8]| {
        let _ = stream.write_all(begin.as_bytes());
        while stream.write_all(piece).is_ok() {}
    };
    let sent = Arc::new(AtomicUsize::new(0));
    let flood = {
        let sent = Arc::clone(&sent);
        let begin = format!("{head}content-length: 100000000000\r\n\r\n");
        Collector::new(move |_, stream| {
            let _ = stream.write_all(begin.as_bytes());
            while let Ok(bytes) = stream.write(&[0; 65_536]) {
                sent.fetch_add(bytes, Ordering::Relaxed);
            }
        })
    };
    let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n");
    let liars = [
        ("a huge body", flood),
        (
            "an endless body in pieces",
            Collector::new(move |_, stream| endless(stream, &chunked, b"1\r\nx\r\n")),
        ),
        (
            "an endless number of heads",
            Collector::new(move |_, stream| endless(stream, "", b"HTTP/1.1 100 Continue\r\n\r\n")),
        ),
        ("an endless head", Collector::new(move |_, stream| endless(stream, head, b"x-more: and more\r\n"))),
        ("an endless line", Collector::new(move |_, stream| endless(stream, "HTTP/1.1 200 ", b"OK OK OK "))),
        ("garbage", Collector::says(vec![0xfe; 3_000])),
        ("another protocol", Collector::says(&b"SSH-2.0-OpenSSH_9.2\r\n"[..])),
        (
            "a page",
            Collector::says(
                &b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>"[..],
            ),
        ),
        ("a page that says it is none", Collector::says(format!("{head}content-length: 6\r\n\r\n<html>"))),
        ("a body that breaks off", Collector::says(format!("{head}content-length: 9\r\n\r\nx"))),
    ];
    for (what, liar) in liars {
        let export = Export::to(&config(&liar.address));
        export.traces(1);
        let stats = export.until(|stats| stats.failed == 1);
        assert_eq!(stats.retries, 0, "{what}");
        all_counted(&stats);
        // One that was fooled is not fooled for good.
        export.traces(1);
        export.until(|stats| stats.failed == 2);
    }
    // What the sockets hold, on both sides.
    assert!(sent.load(Ordering::Relaxed) < 64 << 20, "{sent:?}");
}

/// Tried again, because the collector may be slow for a while; each try is over in its time.
#[test]
fn t8_slow_collectors_cost_their_time_and_no_more() {
    let drip = |begin: &'static str, piece: &'static [u8]| {
        Collector::new(move |_, stream| {
            let _ = stream.write_all(begin.as_bytes());
            while stream.write_all(piece).is_ok() {
                std::thread::sleep(Duration::from_millis(20));
            }
        })
    };
    let silent = Collector::new(|_, _| std::thread::sleep(Duration::from_secs(30)));
    for (what, slow) in [("silent", silent), ("a head drop by drop", drip("HTTP/1.1 200 OK\r\n", b"x"))] {
        let export = Export::to(&config(&slow.address).timeout(Duration::from_millis(150)));
        export.traces(1);
        let begin = Instant::now();
        export.until(|stats| stats.requests == 3);
        assert!(begin.elapsed() < Duration::from_secs(10), "{what}");
    }
    // A body that takes for ever comes after a head that says 200: never sent again.
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 60000\r\n\r\n";
    let export = Export::to(&config(&drip(head, b"x").address).timeout(Duration::from_millis(150)));
    export.traces(1);
    assert_eq!(export.until(|stats| stats.failed == 1).requests, 1);
}

/// A connection that is taken and never read from: the request itself comes to a halt, before any answer is waited for.
#[test]
fn t8_a_collector_that_never_reads_costs_its_time_and_no_more() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let taken = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&taken);
    std::thread::spawn(move || listener.incoming().for_each(|stream| kept.lock().unwrap().push(stream)));
    // More than the sockets of both sides hold.
    let config = config(&address).resource("filler", "x".repeat(24 << 20)).queue_traces(50);

    // Each try is over in its time, and the traces are given up in theirs.
    let quick = config.clone().timeout(Duration::from_millis(150)).give_up_after(Duration::from_millis(500));
    let export = Export::to(&quick);
    export.traces(1);
    let begin = Instant::now();
    let stats = export.until(|stats| stats.failed == 1);
    assert!(stats.requests >= 2 && stats.is_failing, "{stats:?}");
    assert!(begin.elapsed() < Duration::from_secs(15), "{:?}", begin.elapsed());
    assert!(taken.lock().unwrap().len() >= 2);

    // While one takes longer than all of this test, traces begin and end as ever, and so does the export.
    let export = Export::to(&config.timeout(Duration::from_secs(120)));
    let begin = Instant::now();
    export.traces(1);
    export.until(|stats| stats.sending == 1);
    export.traces(1_000);
    let stats = export.exporter.stats();
    assert_eq!((stats.offered, stats.waiting, stats.dropped), (1_001, 50, 950), "{stats:?}");
    assert!(!export.exporter.flush(Duration::from_millis(100)));
    assert!(!export.exporter.shutdown(Duration::from_millis(100)));
    assert!(begin.elapsed() < Duration::from_secs(30), "{:?}", begin.elapsed());
    all_counted(&export.exporter.stats());
}

#[test]
fn t8_the_queue_is_bounded_in_traces_and_in_bytes() {
    let silent = Collector::new(|_, _| std::thread::sleep(Duration::from_secs(60)));
    let config = config(&silent.address).timeout(Duration::from_secs(60)).batch_spans(2);
    let export = Export::to(&config.clone().queue_traces(50));
    export.traces(1_000);
    let stats = export.until(|stats| stats.sending == 1);
    assert!(stats.waiting <= 50 && stats.dropped >= 1_000 - 51, "{stats:?}");
    all_counted(&stats);

    let export = Export::to(&config.queue_bytes(64 << 10));
    export.traces(1_000);
    let stats = export.exporter.stats();
    assert!(stats.waiting_bytes <= 64 << 10 && stats.waiting > 10, "{stats:?}");
    all_counted(&stats);
}

#[test]
fn t8_an_end_within_its_time_whatever_the_collector_does() {
    let silent = Collector::new(|_, _| std::thread::sleep(Duration::from_secs(60)));
    let export = Export::to(&config(&silent.address).timeout(Duration::from_secs(60)));
    export.traces(3);
    export.until(|stats| stats.sending > 0);
    export.traces(2);
    let begin = Instant::now();
    assert!(!export.exporter.flush(Duration::from_millis(100)));
    assert!(!export.exporter.shutdown(Duration::from_millis(100)));
    assert!(begin.elapsed() < Duration::from_secs(10));
    export.traces(1);
    let stats = export.exporter.stats();
    assert_eq!(stats.offered, 5, "nothing is offered after the end");
    all_counted(&stats);

    // With a collector that is there, everything is sent before the end.
    let collector = Collector::says(TAKEN);
    let export = Export::to(&config(&collector.address).interval(Duration::from_secs(3_600)));
    export.traces(100);
    assert!(export.exporter.shutdown(Duration::from_secs(10)));
    assert_eq!(export.exporter.stats().exported, 100);
    assert!(export.exporter.shutdown(Duration::ZERO), "it has ended");
    assert!(export.exporter.flush(Duration::MAX) && export.exporter.shutdown(Duration::MAX));
}

/// With nobody there a flush knows so at once and does not use up its time.
#[test]
fn t8_a_flush_to_nobody_is_over_at_once() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = config(&format!("http://{nobody}")).first_delay(Duration::from_secs(30));
    let export = Export::to(&config);
    export.traces(1);
    export.until(|stats| stats.is_failing);
    let begin = Instant::now();
    assert!(!export.exporter.flush(Duration::from_secs(60)));
    assert!(!export.exporter.flush(Duration::from_secs(60)));
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    assert!(export.exporter.shutdown(Duration::from_secs(60)));
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    assert_eq!(export.exporter.stats().dropped, 1);
}

#[test]
fn t8_another_exporter_takes_over() {
    let (old, new) = (Collector::says(TAKEN), Collector::says(TAKEN));
    let export = Export::to(&config(&old.address).interval(Duration::from_secs(3_600)));
    export.traces(2);
    let next = Exporter::start(&export.store, &config(&new.address)).unwrap();
    export.traces(3);
    assert!(export.exporter.shutdown(Duration::from_secs(10)), "what it had is sent");
    export.traces(1);
    assert!(next.flush(Duration::from_secs(10)));
    assert_eq!((export.exporter.stats().exported, next.stats().exported), (2, 4));
}

#[test]
fn pain_08_a_flush_on_a_current_thread_runtime_is_no_deadlock() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let collector = Collector::says(TAKEN);
        let export = Export::to(&config(&collector.address).interval(Duration::from_secs(3_600)));
        export.traces(10);
        assert!(export.exporter.flush(Duration::from_secs(10)));
        export.traces(1);
        assert!(export.exporter.shutdown(Duration::from_secs(10)));
        assert_eq!(export.exporter.stats().exported, 11);
    });
}

#[test]
fn pain_09_an_exporter_that_cannot_work_is_an_error_and_its_health_is_counted() {
    let store = Store::default();
    for endpoint in ["", "localhost:4318", "grpc://localhost:4317", "http://u:secret@c:4318"] {
        let error = Exporter::start(&store, &Config::new(endpoint)).unwrap_err();
        assert_eq!(error.field(), "otlp_endpoint");
        assert!(error.to_string().contains("such as http://host:4318"), "{error}");
        assert!(!error.to_string().contains("secret"));
    }
    for (config, field) in [
        (Config::new("http://c").batch_spans(0), "batch_spans"),
        (Config::new("http://c").interval(Duration::ZERO), "interval_ms"),
        (Config::new("http://c").timeout(Duration::ZERO), "timeout_ms"),
        (Config::new("http://c").queue_traces(0), "queue_traces"),
        (Config::new("http://c").queue_bytes(0), "queue_bytes"),
        (Config::new("http://c").first_delay(Duration::ZERO), "first_delay_ms"),
        (Config::new("http://c").give_up_after(Duration::MAX), "give_up_after_ms"),
    ] {
        assert_eq!(Exporter::start(&store, &config).unwrap_err().field(), field);
    }
    let collector = Collector::says(status("401 Unauthorized"));
    let export = Export::to(&config(&collector.address));
    export.traces(1);
    assert!(export.until(|stats| stats.failed == 1).is_failing);
}

#[test]
fn pain_11_exporting_makes_no_traces() {
    let collector = Collector::says(TAKEN);
    let export = Export::to(&config(&collector.address));
    export.traces(5);
    export.until(|stats| stats.exported == 5);
    std::thread::sleep(Duration::from_millis(100));
    let (exported, stats) = (export.exporter.stats(), export.store.stats());
    assert_eq!((exported.offered, stats.completed, stats.active), (5, 5, 0));
}
