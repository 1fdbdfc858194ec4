//! Export to a scripted collector: batches, limits, ends. obs-otlp tests the collector's replies, and the conformance suite
//! exports to a real one.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use obs_trace::Store;
use obs_trace::otlp::{Compression, Config, Exporter};

use crate::collector::{Collector, Export, ONE_REJECTED, TAKEN, all_counted, config, status};

#[test]
fn traces_are_sent_in_batches_after_the_interval() {
    let collector = Collector::says(TAKEN);
    let export = Export::to(&config(&collector.address).batch_spans(10));
    export.traces(3);
    let stats = export.until(|stats| stats.exported == 3);
    assert_eq!((stats.exported_spans, stats.retries, stats.is_failing), (6, 0, false));
    let before = collector.requests().len();
    export.traces(100);
    let stats = export.until(|stats| stats.exported == 103);
    assert!(collector.requests().len() - before >= 20, "five traces of two spans in a request");
    all_counted(&stats);
}

#[test]
fn rejected_spans_are_counted() {
    let collector = Collector::says(ONE_REJECTED);
    let export = Export::to(&config(&collector.address));
    export.traces(2);
    let stats = export.until(|stats| stats.exported == 2);
    assert_eq!((stats.exported_spans, stats.rejected_spans, stats.is_failing), (4, 1, true));
}

#[test]
fn a_full_batch_does_not_wait_for_the_interval() {
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
fn headers_are_sent_to_the_collector_and_shown_nowhere_else() {
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
        assert_eq!(error.field(), "header", "{name:?}");
        assert!(error.to_string().contains("such as authorization=") && !error.to_string().contains("nter2"));
    }
}

/// A collector that accepts the connection and never reads: the request blocks while it is sent.
#[test]
fn a_collector_that_never_reads_is_bounded_by_the_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let taken = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&taken);
    std::thread::spawn(move || listener.incoming().for_each(|stream| kept.lock().unwrap().push(stream)));
    // A body larger than the buffers of both sockets.
    let config = config(&address).resource("filler", "x".repeat(24 << 20)).queue_traces(50);
    let config = config.compression(Compression::Off);

    // Each attempt ends at its timeout, and the traces are given up in time.
    let quick = config.clone().timeout(Duration::from_millis(150)).give_up_after(Duration::from_millis(500));
    let export = Export::to(&quick);
    export.traces(1);
    let begin = Instant::now();
    let stats = export.until(|stats| stats.failed == 1);
    assert!(stats.requests >= 2 && stats.is_failing, "{stats:?}");
    assert!(begin.elapsed() < Duration::from_secs(15), "{:?}", begin.elapsed());
    assert!(taken.lock().unwrap().len() >= 2);

    // While a request takes longer than this test, traces begin and end as usual, and the export can be ended.
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
fn the_queue_is_bounded_in_traces_and_in_bytes() {
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
fn shutdown_ends_within_its_timeout() {
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

    // A collector that responds gets everything before the end.
    let collector = Collector::says(TAKEN);
    let export = Export::to(&config(&collector.address).interval(Duration::from_secs(3_600)));
    export.traces(100);
    assert!(export.exporter.shutdown(Duration::from_secs(10)));
    assert_eq!(export.exporter.stats().exported, 100);
    assert!(export.exporter.shutdown(Duration::ZERO), "the export has ended");
    assert!(export.exporter.flush(Duration::MAX) && export.exporter.shutdown(Duration::MAX));
}

/// A flush fails as soon as a request does, and does not use up its time.
#[test]
fn a_flush_without_a_collector_fails_at_once() {
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
fn another_exporter_takes_over() {
    let (old, new) = (Collector::says(TAKEN), Collector::says(TAKEN));
    let export = Export::to(&config(&old.address).interval(Duration::from_secs(3_600)));
    export.traces(2);
    let next = Exporter::start(&export.store, &config(&new.address)).unwrap();
    export.traces(3);
    assert!(export.exporter.shutdown(Duration::from_secs(10)), "its queued traces are sent");
    export.traces(1);
    assert!(next.flush(Duration::from_secs(10)));
    assert_eq!((export.exporter.stats().exported, next.stats().exported), (2, 4));
}

#[test]
fn a_flush_on_a_current_thread_runtime_does_not_deadlock() {
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
fn a_wrong_setting_is_an_error_and_a_failing_export_is_counted() {
    let store = Store::default();
    for endpoint in ["", "localhost:4318", "grpc://localhost:4317", "http://u:secret@c:4318"] {
        let error = Exporter::start(&store, &Config::new(endpoint)).unwrap_err();
        assert_eq!(error.field(), "endpoint");
        assert!(error.to_string().contains("such as http://host:4318"), "{error}");
        assert!(!error.to_string().contains("secret"));
    }
    for (config, field) in [
        (Config::new("http://c").batch_spans(0), "batch_spans"),
        (Config::new("http://c").interval(Duration::ZERO), "interval"),
        (Config::new("http://c").timeout(Duration::ZERO), "timeout"),
        (Config::new("http://c").queue_traces(0), "queue_traces"),
        (Config::new("http://c").queue_bytes(0), "queue_bytes"),
        (Config::new("http://c").first_delay(Duration::ZERO), "first_delay"),
        (Config::new("http://c").give_up_after(Duration::MAX), "give_up_after"),
    ] {
        assert_eq!(Exporter::start(&store, &config).unwrap_err().field(), field);
    }
    let collector = Collector::says(status("401 Unauthorized"));
    let export = Export::to(&config(&collector.address));
    export.traces(1);
    assert!(export.until(|stats| stats.failed == 1).is_failing);
}

#[test]
fn exporting_makes_no_traces() {
    let collector = Collector::says(TAKEN);
    let export = Export::to(&config(&collector.address));
    export.traces(5);
    export.until(|stats| stats.exported == 5);
    std::thread::sleep(Duration::from_millis(100));
    let (exported, stats) = (export.exporter.stats(), export.store.stats());
    assert_eq!((exported.offered, stats.completed, stats.active), (5, 5, 0));
}
