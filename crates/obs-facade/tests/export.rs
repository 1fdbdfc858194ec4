//! T8: the export that `otlp_endpoint` asks for. A file of its own, because it is one in a process.
#![cfg(feature = "otlp")]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use obs_facade::{ObservabilityConfig, trace};

/// Takes every request and keeps its bytes.
fn collector() -> (String, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let kept = Arc::<Mutex<Vec<u8>>>::default();
    let bytes = Arc::clone(&kept);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut piece = [0; 4_096];
            let mut request = Vec::new();
            while !is_whole(&request) {
                let read = stream.read(&mut piece).unwrap();
                request.extend_from_slice(&piece[..read]);
            }
            bytes.lock().unwrap().extend(request);
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
        }
    });
    (address, kept)
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, _)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    request.len() >= head.len() + 4 + length.parse::<usize>().unwrap()
}

fn holds(bytes: &Mutex<Vec<u8>>, text: &str) -> bool {
    bytes.lock().unwrap().windows(text.len()).any(|window| window == text.as_bytes())
}

#[track_caller]
fn until(holds: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < end, "never came");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn page() -> String {
    obs_facade::metrics::render(obs_facade::metrics::Format::Text)
}

#[test]
fn t8_the_endpoint_of_the_configuration_gets_the_traces_live() {
    let folder = tempfile::tempdir().unwrap();
    let plain = ObservabilityConfig::new(folder.path());
    let (first, of_first) = collector();
    let (second, of_second) = collector();

    let guard = obs_facade::configure(&plain).unwrap();
    trace::new_trace("before.it").finish();
    assert!(page().contains("# TYPE hearthnet_trace_export_traces_total counter"));
    assert!(!page().contains("hearthnet_trace_export_traces_total{"), "nothing is exported");

    let exporting = plain.clone().otlp_endpoint(&first).resource("service.instance.id", "node-one");
    let same = obs_facade::configure(&exporting).unwrap();
    trace::new_trace("to.the.first").run(|| trace::in_span("step", || ()));
    let again = obs_facade::configure(&exporting).unwrap();
    drop((guard, same, again));
    // The last guard sends what waits.
    until(|| holds(&of_first, "to.the.first"));
    assert!(holds(&of_first, "step") && holds(&of_first, "node-one") && holds(&of_first, "service.version"));
    assert!(!holds(&of_first, "before.it"));
    until(|| page().contains("hearthnet_trace_export_traces_total{outcome=\"exported\"} 1\n"));
    for sample in [
        "hearthnet_trace_export_traces_total{outcome=\"failed\"} 0\n",
        "hearthnet_trace_export_traces_total{outcome=\"dropped\"} 0\n",
        "hearthnet_trace_export_spans_total 2\n",
        "hearthnet_trace_export_rejected_spans_total 0\n",
        "hearthnet_trace_export_requests_total 1\n",
        "hearthnet_trace_export_retries_total 0\n",
        "hearthnet_trace_export_queue_traces 0\n",
        "hearthnet_trace_export_queue_bytes 0\n",
        "hearthnet_trace_export_failing 0\n",
    ] {
        assert!(page().contains(sample), "M9: {sample} in {}", page());
    }

    // Another one gets what comes from now on, and the first what it still has to get.
    let guard = obs_facade::configure(&exporting).unwrap();
    trace::new_trace("still.first").finish();
    let changed = obs_facade::configure(&exporting.clone().otlp_endpoint(&second)).unwrap();
    trace::new_trace("then.second").finish();
    until(|| holds(&of_first, "still.first"));
    drop((guard, changed));
    until(|| holds(&of_second, "then.second"));
    assert!(!holds(&of_first, "then.second") && !holds(&of_second, "still.first"));

    // And then nobody.
    let guard = obs_facade::configure(&plain).unwrap();
    trace::new_trace("for.nobody").finish();
    assert!(!page().contains("hearthnet_trace_export_traces_total{"));
    drop(guard);
    assert!(!holds(&of_second, "for.nobody"));

    // The key that a collector wants comes from the environment; this test sets none, and Cargo some.
    let keyed = plain.clone().otlp_endpoint(&second);
    for (variable, is_refused) in
        [("NO_SUCH_VARIABLE", true), ("A=B", true), ("", true), ("CARGO_PKG_NAME", true)]
    {
        let result = obs_facade::configure(&keyed.clone().otlp_headers_env(variable));
        let error = result.err().filter(|_| is_refused).unwrap();
        assert_eq!(error.field(), Some("otlp_headers_env"), "{variable}");
        assert!(
            error.to_string().contains("such as authorization=") && !error.to_string().contains("facade")
        );
    }

    let wrong = obs_facade::configure(&plain.otlp_endpoint("collector:4318")).unwrap_err();
    assert_eq!(wrong.field(), Some("otlp_endpoint"));
    assert!(wrong.to_string().contains("such as http://host:4318"), "{wrong}");
}

/// In a process of its own, as the environment is given to one when it starts.
#[test]
fn t8_the_key_that_a_collector_wants_comes_from_the_environment() {
    const VARIABLE: &str = "OBS_FACADE_TEST_OTLP_HEADERS";
    if std::env::var(VARIABLE).is_err() {
        let name = "t8_the_key_that_a_collector_wants_comes_from_the_environment";
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", name]).env(VARIABLE, "authorization=Bearer%20hunter2, x-scope=home");
        let ended = child.output().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (address, seen) = collector();
    let config = ObservabilityConfig::new(folder.path()).otlp_endpoint(&address).otlp_headers_env(VARIABLE);
    let guard = obs_facade::configure(&config).unwrap();
    trace::new_trace("with.a.key").finish();
    drop(guard);
    until(|| holds(&seen, "with.a.key"));
    assert!(holds(&seen, "authorization: Bearer hunter2\r\n") && holds(&seen, "x-scope: home\r\n"));
}
