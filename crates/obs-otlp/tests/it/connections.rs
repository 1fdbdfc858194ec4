//! Connections that break or hang, and their effect.

use std::io::Write;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use obs_otlp::Compression;

use crate::collector::{Collector, TAKEN};
use crate::export::{Export, all_counted, config, each_signal};

#[test]
fn a_closed_connection_is_retried_until_it_is_given_up() {
    each_signal(|signal| {
        let collector = Collector::new(|n, stream| {
            // The first connection is closed without a response, the second one within it.
            let _ = stream.write_all([&b""[..], &TAKEN[..20], TAKEN][n.min(2)]);
        });
        let export = Export::to(signal, &config(signal, &collector.address));
        export.items(1);
        let stats = export.until(|stats| stats.exported == 1);
        assert_eq!((stats.retries, stats.requests, stats.is_failing), (2, 3, false), "{signal:?}");
        export.until_final(1);

        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let gone = config(signal, &format!("http://{nobody}")).give_up_after(Duration::from_millis(200));
        let export = Export::to(signal, &gone);
        export.items(3);
        let stats = export.until(|stats| stats.failed == 3);
        assert!(stats.retries > 0 && stats.is_failing, "{stats:?}");
        // Items that were given up are not sent again either.
        export.until_final(3);
    });
}

/// A collector that accepts the connection and never reads: the request blocks while it is sent.
#[test]
fn a_collector_that_hangs_is_bounded_by_the_timeout_and_the_end() {
    each_signal(|signal| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let taken = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&taken);
        std::thread::spawn(move || listener.incoming().for_each(|stream| kept.lock().unwrap().push(stream)));
        // The request is repeated after its timeout and given up in time.
        let quick = config(signal, &address)
            .timeout(Duration::from_millis(150))
            .give_up_after(Duration::from_millis(500))
            .compression(Compression::Off);
        let export = Export::to(signal, &quick);
        export.items(1);
        let stats = export.until(|stats| stats.failed == 1);
        assert!(stats.requests >= 2 && stats.is_failing, "{stats:?}");
        assert!(taken.lock().unwrap().len() >= 2);

        // While a request hangs for longer than this test, the export can be ended, and what it had is counted.
        let export = Export::to(signal, &config(signal, &address).timeout(Duration::from_secs(120)));
        export.items(1);
        export.until(|stats| stats.sending == 1);
        let begin = Instant::now();
        assert!(!export.exporter.flush(Duration::from_millis(100)));
        assert!(!export.exporter.shutdown(Duration::from_millis(100)));
        assert!(begin.elapsed() < Duration::from_secs(30), "{:?}", begin.elapsed());
        all_counted(&export.exporter.stats());
    });
}
