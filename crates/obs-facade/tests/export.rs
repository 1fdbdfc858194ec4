//! Export of traces to `otlp_endpoint`.
//!
//! In a file of its own because a process has one exporter.
#![cfg(feature = "otlp")]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use obs_facade::{ObservabilityConfig, OtlpCompression, trace};

/// Starts a collector that accepts every request and keeps its bytes.
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
            bytes.lock().unwrap().extend(readable(&request));
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

/// Returns the request with its body decompressed.
fn readable(request: &[u8]) -> Vec<u8> {
    let end = request.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    let (head, body) = request.split_at(end);
    let mut whole = head.to_vec();
    match String::from_utf8_lossy(head).contains("content-encoding: gzip\r\n") {
        true => drop(flate2::read::GzDecoder::new(body).read_to_end(&mut whole).unwrap()),
        false => whole.extend_from_slice(body),
    }
    whole
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
fn the_configured_endpoint_is_applied_live() {
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
        "hearthnet_trace_export_traces_total{outcome=\"unsampled\"} 0\n",
        "hearthnet_trace_export_spans_total 2\n",
        "hearthnet_trace_export_rejected_spans_total 0\n",
        "hearthnet_trace_export_requests_total 1\n",
        "hearthnet_trace_export_retries_total 0\n",
        "hearthnet_trace_export_queue_traces 0\n",
        "hearthnet_trace_export_queue_bytes 0\n",
        "hearthnet_trace_export_failing 0\n",
    ] {
        assert!(page().contains(sample), "{sample} in {}", page());
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

    // Without an endpoint no collector gets the traces.
    let guard = obs_facade::configure(&plain).unwrap();
    trace::new_trace("for.none").finish();
    assert!(!page().contains("hearthnet_trace_export_traces_total{"));
    drop(guard);
    assert!(!holds(&of_second, "for.none"));

    // The key that a collector wants comes from the environment; this test sets none, and Cargo some.
    let keyed = plain.clone().otlp_endpoint(&second);
    for (variable, is_refused) in
        [("NO_SUCH_VARIABLE", true), ("A=B", true), ("", true), ("CARGO_PKG_NAME", true)]
    {
        let result = obs_facade::configure(&keyed.clone().otlp_headers_env(variable));
        let error = result.err().filter(|_| is_refused).unwrap();
        assert_eq!(error.field(), "otlp_headers_env", "{variable}");
        assert!(
            error.to_string().contains("such as authorization=") && !error.to_string().contains("facade")
        );
    }

    let wrong = obs_facade::configure(&plain.otlp_endpoint("collector:4318")).unwrap_err();
    assert_eq!(wrong.field(), "otlp_endpoint");
    assert!(wrong.to_string().contains("such as http://host:4318"), "{wrong}");
}

/// Runs the test `name` again in a process with these variables, as the environment is given to one when it starts.
/// `false` in that process.
fn ran_with(name: &str, variables: &[(&str, &str)]) -> bool {
    const AGAIN: &str = "OBS_FACADE_TEST_AGAIN";
    if std::env::var_os(AGAIN).is_some() {
        return false;
    }
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", name]).env(AGAIN, "1").envs(variables.iter().copied());
    let ended = child.output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
    true
}

#[test]
fn the_collectors_key_comes_from_the_environment() {
    const VARIABLE: &str = "OBS_FACADE_TEST_OTLP_HEADERS";
    let name = "t8_the_key_that_a_collector_wants_comes_from_the_environment";
    if ran_with(name, &[(VARIABLE, "authorization=Bearer%20hunter2, x-scope=home")]) {
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
    assert!(holds(&seen, "content-encoding: gzip\r\n"));
}

#[test]
fn the_environment_names_the_service_and_describes_where_it_runs() {
    let name = "the_environment_names_the_service_and_describes_where_it_runs";
    let list = "service.name=theirs,deployment.environment.name=at%2Chome,service.instance.id=other";
    if ran_with(name, &[("OTEL_SERVICE_NAME", "my-hearth"), ("OTEL_RESOURCE_ATTRIBUTES", list)]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (address, seen) = collector();
    let config = ObservabilityConfig::new(folder.path())
        .otlp_endpoint(&address)
        .otlp_compression(OtlpCompression::None)
        .resource("service.instance.id", "node-one");
    let guard = obs_facade::configure(&config).unwrap();
    trace::new_trace("described").finish();
    drop(guard);
    until(|| holds(&seen, "described"));
    assert!(holds(&seen, "my-hearth") && holds(&seen, "at,home") && holds(&seen, "node-one"));
    assert!(
        !holds(&seen, "theirs") && !holds(&seen, "other"),
        "a name of its own and what the program says win"
    );
    assert!(!holds(&seen, "content-encoding"));
}

#[test]
fn a_bad_environment_is_a_warning_and_the_export_goes_on() {
    let name = "a_bad_environment_is_a_warning_and_the_export_goes_on";
    if ran_with(name, &[("OTEL_RESOURCE_ATTRIBUTES", "a=hunter2,b")]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (address, seen) = collector();
    let config = ObservabilityConfig::new(folder.path()).otlp_endpoint(&address);
    let guard = obs_facade::configure(&config).unwrap();
    let again = obs_facade::configure(&config).unwrap();
    trace::new_trace("all.the.same").finish();
    drop((guard, again));
    until(|| holds(&seen, "all.the.same"));
    let files = std::fs::read_dir(folder.path())
        .unwrap()
        .filter_map(|entry| std::fs::read_to_string(entry.unwrap().path()).ok());
    let log: String = files.collect();
    assert_eq!(
        log.matches("OTEL_RESOURCE_ATTRIBUTES is ignored: it has a member without `=`").count(),
        1,
        "{log}"
    );
    assert!(!log.contains("hunter2"));
}

/// A caller that did not sample its trace is told so onwards, and nothing of it is exported.
#[test]
fn only_what_callers_have_sampled_is_exported_where_the_configuration_says_so() {
    let name = "only_what_callers_have_sampled_is_exported_where_the_configuration_says_so";
    if ran_with(name, &[]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (address, seen) = collector();
    let config = ObservabilityConfig::new(folder.path()).otlp_endpoint(&address);
    let flags_of = |capability: &str, flags: u8| {
        let caller = trace::SpanId::from_bytes([1; 8]).unwrap();
        let remote = trace::Remote::new(trace::TraceId::generate()).parent(caller).flags(flags);
        let trace = trace::new_trace_from(remote, capability);
        let told = trace.enter(|| trace::in_span("forward", trace::outgoing)).unwrap().traceparent();
        trace.finish();
        String::from_utf8(told[53..].to_vec()).unwrap()
    };
    let all = obs_facade::configure(&config).unwrap();
    assert_eq!(flags_of("all.unsampled", 2), "03", "it is recorded and exported here");
    let some = obs_facade::configure(&config.clone().otlp_only_sampled(true)).unwrap();
    assert_eq!(flags_of("some.unsampled", 2), "02");
    assert_eq!(flags_of("some.sampled", 3), "03");
    trace::new_trace("of.our.own").finish();
    assert!(page().contains("hearthnet_trace_export_traces_total{outcome=\"unsampled\"} 1\n"), "{}", page());
    assert_eq!(trace::get_recent(10).len(), 4, "the node keeps all of them");
    drop((all, some));
    until(|| ["all.unsampled", "some.sampled", "of.our.own"].iter().all(|name| holds(&seen, name)));
    assert!(!holds(&seen, "some.unsampled"));
}
