//! Log lines about an export. Alone in its binary, because it installs the logger of the process.
#![cfg(feature = "otlp")]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use obs_trace::otlp::{Config, Exporter};
use obs_trace::{Store, new_trace};

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Lines;

impl log::Log for Lines {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        if record.target() == "hearthnet.trace" {
            return;
        }
        let mut lost = String::new();
        if let Some(traces) = record.key_values().get("lost_traces".into()) {
            lost = format!(" (lost {traces})");
        }
        let line = format!("{} {}: {}{lost}", record.level(), record.target(), record.args());
        LINES.lock().unwrap().push(line);
        // A logger that begins a trace and panics does not harm the export.
        new_trace("logging").finish();
        panic!("a logger that panics");
    }

    fn flush(&self) {}
}

fn lines() -> Vec<String> {
    LINES.lock().unwrap().clone()
}

#[track_caller]
fn until(holds: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < end, "timed out; {:?}", lines());
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// An outage makes one warning and one line at its end. Callers never wait.
#[test]
fn an_outage_makes_one_warning_and_one_line_at_its_end() {
    log::set_logger(&Lines).unwrap();
    log::set_max_level(log::LevelFilter::Info);
    // Connections are refused until the collector starts at this port.
    let reserved = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = reserved.local_addr().unwrap();
    drop(reserved);

    let store = Store::default();
    let config = Config::new(format!("http://{address}"))
        .interval(Duration::from_millis(10))
        .first_delay(Duration::from_millis(1))
        .give_up_after(Duration::from_millis(50))
        .queue_traces(100);
    let exporter = Exporter::start(&store, &config).unwrap();
    let _scope = store.enter();
    for _ in 0..20 {
        for _ in 0..5_000 {
            new_trace("busy").run(|| obs_trace::in_span("step", || ()));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    until(|| exporter.stats().failed > 0);
    let stats = exporter.stats();
    assert!(stats.is_failing && stats.waiting <= 100 && stats.dropped > 0, "{stats:?}");
    assert_eq!(store.stats().completed, 100_000, "the node did its work meanwhile");
    let warning = "WARN hearthnet.trace.otlp: traces cannot be exported; they stay on this node";
    assert_eq!(lines(), [warning]);

    let collector = TcpListener::bind(address).unwrap();
    std::thread::spawn(move || collector.incoming().for_each(|stream| answer(&mut stream.unwrap())));
    new_trace("after").finish();
    until(|| exporter.stats().exported > 0 && lines().len() == 2);
    until(|| exporter.stats().waiting == 0 && exporter.stats().sending == 0);
    let stats = exporter.stats();
    assert_eq!(stats.offered, stats.exported + stats.failed + stats.dropped, "{stats:?}");
    assert!(!stats.is_failing);
    let lost =
        lines()[1].split("(lost ").nth(1).and_then(|rest| rest.trim_end_matches(')').parse::<u64>().ok());
    let lost = lost.unwrap();
    assert!(lost > 50_000 && lost <= stats.failed + stats.dropped, "{lost} of {stats:?}");
    assert_eq!(lines()[1], format!("INFO hearthnet.trace.otlp: traces are exported again (lost {lost})"));

    // A second outage within the same minute makes two more lines.
    *SAYS.lock().unwrap() = "503 Service Unavailable";
    new_trace("second").finish();
    until(|| exporter.stats().failed > stats.failed && lines().len() == 3);
    assert_eq!(lines()[2], warning);
    *SAYS.lock().unwrap() = "200 OK";
    new_trace("third").finish();
    until(|| lines().len() == 4);
    assert_eq!(lines()[3], "INFO hearthnet.trace.otlp: traces are exported again (lost 1)");

    // A collector that flaps makes six more lines in this minute. The last state is logged at the end.
    for _ in 0..20 {
        for says in ["400 Bad Request", "200 OK", "400 Bad Request"] {
            *SAYS.lock().unwrap() = says;
            let before = exporter.stats();
            new_trace("flaps").finish();
            until(|| exporter.stats().exported + exporter.stats().failed > before.exported + before.failed);
        }
    }
    assert_eq!(lines().len(), 10);
    assert_eq!(lines()[9].split(' ').next(), Some("INFO"));
    drop(exporter);
    assert_eq!(lines()[10..], [warning]);
}

/// Status line of the collector's responses.
static SAYS: Mutex<&str> = Mutex::new("200 OK");

/// Answers a request with the current status.
fn answer(stream: &mut TcpStream) {
    let mut request = [0; 1 << 16];
    // One read suffices to know of a request. The rest is read before the close, which would reset the connection.
    let _ = stream.read(&mut request);
    let says = *SAYS.lock().unwrap();
    let type_ = "content-type: application/x-protobuf";
    let _ = write!(stream, "HTTP/1.1 {says}\r\n{type_}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    let _ = stream.shutdown(Shutdown::Write);
    let _ = stream.set_read_timeout(Some(Duration::from_millis(200)));
    while stream.read(&mut request).is_ok_and(|bytes| bytes > 0) {}
}
