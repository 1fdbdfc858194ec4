//! Replies of a collector and their effect.

use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use obs_otlp::Compression;

use crate::collector::{Collector, ONE_REJECTED, TAKEN, status};
use crate::export::{Export, all_counted, config, each_signal};

#[test]
fn only_retryable_replies_are_retried() {
    each_signal(|signal| {
        for again in
            ["429 Too Many Requests", "502 Bad Gateway", "503 Service Unavailable", "504 Gateway Timeout"]
        {
            let collector = Collector::new(move |n, stream| {
                let _ = stream.write_all(&if n < 3 { status(again) } else { TAKEN.to_vec() });
            });
            let export = Export::to(signal, &config(signal, &collector.address));
            export.items(1);
            let stats = export.until(|stats| stats.exported == 1);
            assert_eq!((stats.retries, stats.requests, stats.failed), (3, 4, 0), "{again}");
            let requests = collector.requests();
            assert!(
                requests.iter().all(|request| request.body == requests[0].body),
                "the same units each time"
            );
            let path = format!("POST {} ", signal.path());
            assert!(requests.iter().all(|request| request.head.starts_with(&path)), "{path}");
            export.until_final(1);
        }
    });
}

#[test]
fn a_refusal_is_not_retried() {
    let never = [
        "400 Bad Request",
        "401 Unauthorized",
        "403 Forbidden",
        "404 Not Found",
        "405 Method Not Allowed",
        "408 Request Timeout",
        "422 Unprocessable Content",
        "413 Content Too Large",
        "500 Internal Server Error",
        "501 Not Implemented",
        "505 HTTP Version Not Supported",
        "301 Moved Permanently\r\nlocation: http://127.0.0.1:1/",
        "307 Temporary Redirect\r\nlocation: http://127.0.0.1:1/",
        "304 Not Modified",
    ];
    each_signal(|signal| {
        for refusal in never {
            let collector = Collector::says(status(refusal));
            let export = Export::to(signal, &config(signal, &collector.address));
            export.items(2);
            let stats = export.until(|stats| stats.failed == 2);
            assert_eq!(stats.retries, 0, "{refusal}");
            assert_eq!(collector.requests().len() as u64, stats.requests, "{refusal}");
            assert!(stats.is_failing);
            all_counted(&stats);
            export.until_final(2);
        }
    });
}

#[test]
fn retry_after_is_honoured() {
    each_signal(|signal| {
        for busy in ["429 Too Many Requests", "503 Service Unavailable"] {
            let times = Arc::new(Mutex::new(Vec::new()));
            let collector = Collector::new({
                let times = Arc::clone(&times);
                move |n, stream| {
                    times.lock().unwrap().push(Instant::now());
                    let busy = status(&format!("{busy}\r\nretry-after: 1"));
                    let _ = stream.write_all(&if n == 0 { busy } else { TAKEN.to_vec() });
                }
            });
            let export = Export::to(signal, &config(signal, &collector.address));
            export.items(1);
            let stats = export.until(|stats| stats.exported == 1);
            assert_eq!((stats.retries, stats.requests), (1, 2), "{busy}");
            let times = times.lock().unwrap();
            assert!(times[1] - times[0] >= Duration::from_millis(950), "{:?}", times[1] - times[0]);
        }
    });
}

#[test]
fn rejected_units_are_counted_and_not_sent_again() {
    each_signal(|signal| {
        let collector = Collector::says(ONE_REJECTED);
        let config = config(signal, &collector.address).interval(Duration::from_secs(60));
        let export = Export::to(signal, &config);
        export.items(2);
        export.exporter.flush(Duration::from_secs(10));
        let stats = export.exporter.stats();
        assert_eq!((stats.exported, stats.exported_units, stats.rejected_units), (2, 4, 1));
        assert_eq!((stats.retries, stats.is_failing), (0, true), "not sent again");
        export.until_final(2);
    });
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Returns a response with these lines of head and this body.
fn response(head: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// Units are accepted by every 2xx, whatever its body, and are not sent again.
#[test]
fn every_2xx_accepts_the_units() {
    let protobuf = b"\x0a\x06\x08\x01\x12\x02no";
    let json = r#"{"partialSuccess":{"rejectedSpans":"1","errorMessage":"no"}}"#;
    let compressed = gzip(json.as_bytes());
    let rejected = [
        response("200 OK\r\ncontent-type: application/x-protobuf", protobuf),
        response("200 OK\r\ncontent-type: Application/X-Protobuf ;v=1", protobuf),
        response("202 Accepted\r\ncontent-type: application/protobuf", protobuf),
        response("200 OK", protobuf),
        response("200 OK\r\ncontent-type: application/json", json),
        response("200 OK\r\nContent-Type: APPLICATION/JSON; charset=utf-8", json.replace("\"1\"", "1")),
        response("200 OK", json),
        response("200 OK\r\ncontent-type: application/json\r\ncontent-encoding: GZIP", compressed),
    ];
    each_signal(|signal| {
        for says in &rejected {
            let export = Export::to(signal, &config(signal, &Collector::says(says.clone()).address));
            export.items(1);
            let stats = export.until(|stats| stats.exported == 1 || stats.failed == 1);
            let text = String::from_utf8_lossy(says).into_owned();
            assert_eq!((stats.exported, stats.rejected_units, stats.retries), (1, 1, 0), "{text}");
        }
    });
    let words = format!(r#"{{"partialSuccess":{{"errorMessage":"{}"}}}}"#, "x".repeat(1 << 20));
    let taken = [
        response("200 OK\r\ncontent-type: application/json", "{}"),
        response("200 OK\r\ncontent-type: application/json", r#"{"partialSuccess":{}}"#),
        response("200 OK\r\ncontent-type: application/json", ""),
        response("200 OK\r\ncontent-type: application/json", "no JSON"),
        response("200 OK\r\ncontent-type: text/plain", "OK"),
        response("200 OK\r\ncontent-type: text/html", "<html>"),
        response("200 OK\r\ncontent-type: application/x-protobuf", "<html>"),
        response("200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-encoding: gzip", "no gzip"),
        response("200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-encoding: gzip", ""),
        response("200 OK\r\ncontent-type: application/x-protobuf", "\x0a\x04\x12\x02ok"),
        response("200 OK\r\ncontent-type: Application/X-Protobuf", ""),
        response("202 Accepted\r\ncontent-type: text/plain", "accepted"),
        response("202 Accepted", ""),
        response("299 Odd\r\ncontent-type: application/json", json.replace("\"1\"", "0")),
        b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 9\r\n\r\nx".to_vec(),
        response("200 OK\r\ncontent-type: application/json", words),
    ];
    each_signal(|signal| {
        for says in &taken {
            let export = Export::to(signal, &config(signal, &Collector::says(says.clone()).address));
            export.items(1);
            let stats = export.until(|stats| stats.exported == 1 || stats.failed == 1);
            let text = String::from_utf8_lossy(&says[..says.len().min(200)]).into_owned();
            assert_eq!((stats.exported, stats.rejected_units, stats.retries), (1, 0, 0), "{text}");
            assert!(!stats.is_failing, "{text}");
        }
    });
}

/// A collector that cannot read gzip responds with 415. It gets the same units uncompressed, and all later ones too.
#[test]
fn a_collector_without_gzip_gets_uncompressed_bodies() {
    each_signal(|signal| {
        let gzipped = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&gzipped);
        let collector = Collector::with_heads(move |_, head, stream| {
            let is_gzipped = head.contains("content-encoding: gzip\r\n");
            kept.lock().unwrap().push(is_gzipped);
            let refused = status("415 Unsupported Media Type\r\naccept-encoding: identity");
            let _ = stream.write_all(&if is_gzipped { refused } else { TAKEN.to_vec() });
        });
        let export = Export::to(signal, &config(signal, &collector.address));
        export.items(1);
        export.until(|stats| stats.exported == 1);
        export.items(1);
        let stats = export.until(|stats| stats.exported == 2);
        assert_eq!((stats.requests, stats.retries, stats.failed), (3, 1, 0));
        assert_eq!(*gzipped.lock().unwrap(), [true, false, false]);
        let requests = collector.requests();
        assert_eq!(requests[0].body, requests[1].body, "the same units");

        // Without compression a 415 refuses the units themselves.
        let collector = Collector::says(status("415 Unsupported Media Type"));
        let export = Export::to(signal, &config(signal, &collector.address).compression(Compression::Off));
        export.items(1);
        assert_eq!(export.until(|stats| stats.failed == 1).requests, 1);
    });
}

/// Rare but valid forms of a response.
#[test]
fn unusual_responses_are_understood() {
    let type_ = "content-type: application/x-protobuf";
    let responses = [
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
    each_signal(|signal| {
        for (what, response) in &responses {
            let collector = Collector::says(response.clone());
            let export = Export::to(signal, &config(signal, &collector.address));
            export.items(1);
            let stats = export.until(|stats| stats.exported + stats.failed == 1 || stats.retries > 3);
            assert_eq!((stats.exported, stats.retries), (1, 0), "{what}");
        }
    });
}

/// Hostile responses cost a bounded time, a bounded number of bytes, and the items of one request.
#[test]
fn hostile_responses_are_bounded() {
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
    let piece = format!("8000\r\n{}\r\n", "x".repeat(0x8000)).into_bytes();
    let bomb = gzip(&vec![b' '; 64 << 20]);
    let bomb = [
        format!("{head}content-encoding: gzip\r\ncontent-length: {}\r\n\r\n", bomb.len()).into_bytes(),
        bomb,
    ]
    .concat();
    let liars = [
        ("a huge body", flood),
        ("an endless body in pieces", Collector::new(move |_, stream| endless(stream, &chunked, &piece))),
        (
            "an endless number of heads",
            Collector::new(move |_, stream| endless(stream, "", b"HTTP/1.1 100 Continue\r\n\r\n")),
        ),
        ("an endless head", Collector::new(move |_, stream| endless(stream, head, b"x-more: and more\r\n"))),
        ("an endless line", Collector::new(move |_, stream| endless(stream, "HTTP/1.1 200 ", b"OK OK OK "))),
        ("a bomb", Collector::says(bomb)),
        ("garbage", Collector::says(vec![0xfe; 3_000])),
        ("another protocol", Collector::says(&b"SSH-2.0-OpenSSH_9.2\r\n"[..])),
    ];
    each_signal(|signal| {
        for (what, liar) in &liars {
            let export = Export::to(signal, &config(signal, &liar.address));
            export.items(1);
            let stats = export.until(|stats| stats.failed == 1);
            assert_eq!(stats.retries, 0, "{what}");
            all_counted(&stats);
            // The export goes on with the next request.
            export.items(1);
            export.until(|stats| stats.failed == 2);
            export.until_final(2);
        }
    });
    // Two requests of three signals. The sockets of both sides hold some MiB beyond the limit of each.
    assert!(sent.load(Ordering::Relaxed) < 192 << 20, "{sent:?}");
}

/// A slow collector may recover, so the request is repeated. Each attempt ends at its timeout.
#[test]
fn slow_collectors_are_bounded_by_the_timeout() {
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
        each_signal(|signal| {
            let export =
                Export::to(signal, &config(signal, &slow.address).timeout(Duration::from_millis(150)));
            export.items(1);
            let begin = Instant::now();
            export.until(|stats| stats.requests == 3);
            assert!(begin.elapsed() < Duration::from_secs(10), "{what}");
        });
    }
    // An endless body follows a head with status 200: the units are accepted and not sent again.
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 60000\r\n\r\n";
    let endless = drip(head, b"x");
    each_signal(|signal| {
        let export =
            Export::to(signal, &config(signal, &endless.address).timeout(Duration::from_millis(150)));
        export.items(1);
        assert_eq!(export.until(|stats| stats.exported == 1).requests, 1);
    });
}
