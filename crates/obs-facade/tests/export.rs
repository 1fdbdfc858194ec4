//! Export of traces to `otlp_endpoint`.
//!
//! In a file of its own because a process has one exporter.
#![cfg(feature = "otlp")]

use std::time::{Duration, Instant};

use obs_facade::{ObservabilityConfig, OtlpCompression, trace};

#[path = "../../../tests/support/collector.rs"]
mod collector;

use self::collector::{Collector, ONE_REJECTED, TAKEN, status};

/// Returns whether a request has this text in its head or its body.
fn holds(seen: &Collector, text: &str) -> bool {
    has(seen, text.as_bytes())
}

fn has(seen: &Collector, bytes: &[u8]) -> bool {
    let is_in = |text: &[u8]| text.windows(bytes.len()).any(|window| window == bytes);
    seen.requests().iter().any(|request| is_in(request.head.as_bytes()) || is_in(&request.body))
}

#[track_caller]
fn until(holds: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
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
    let of_first = Collector::says(TAKEN);
    let of_second = Collector::says(TAKEN);

    let guard = obs_facade::configure(&plain).unwrap();
    trace::new_trace("before.it").finish();
    assert!(page().contains("# TYPE hearthnet_trace_export_traces_total counter"));
    assert!(!page().contains("hearthnet_trace_export_traces_total{"), "nothing is exported");

    let exporting =
        plain.clone().otlp_endpoint(&of_first.address).resource("service.instance.id", "node-one");
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
    let changed = obs_facade::configure(&exporting.clone().otlp_endpoint(&of_second.address)).unwrap();
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
    let keyed = plain.clone().otlp_endpoint(&of_second.address);
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
    let output = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success() && output.contains("1 passed"), "{output}");
    true
}

#[test]
fn the_collectors_key_comes_from_the_environment() {
    const VARIABLE: &str = "OBS_FACADE_TEST_OTLP_HEADERS";
    let name = "the_collectors_key_comes_from_the_environment";
    if ran_with(name, &[(VARIABLE, "authorization=Bearer%20hunter2, x-scope=home")]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let seen = Collector::says(TAKEN);
    let config =
        ObservabilityConfig::new(folder.path()).otlp_endpoint(&seen.address).otlp_headers_env(VARIABLE);
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
    let seen = Collector::says(TAKEN);
    let config = ObservabilityConfig::new(folder.path())
        .otlp_endpoint(&seen.address)
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
    let seen = Collector::says(TAKEN);
    let config = ObservabilityConfig::new(folder.path()).otlp_endpoint(&seen.address);
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

/// Returns an attribute of OTLP as protobuf: the key, and the value in an `AnyValue`.
#[cfg(feature = "http")]
fn attribute(key: &str, value: impl Into<AttributeValue>) -> Vec<u8> {
    let value = match value.into() {
        AttributeValue::Text(text) => [&[0x0a, text.len() as u8], text.as_bytes()].concat(),
        AttributeValue::Number(low @ ..0x80) => vec![0x18, low as u8],
        AttributeValue::Number(number) => vec![0x18, number as u8 | 0x80, (number >> 7) as u8],
    };
    [&[0x0a, key.len() as u8], key.as_bytes(), &[0x12, value.len() as u8], &value].concat()
}

#[cfg(feature = "http")]
enum AttributeValue {
    Text(&'static str),
    /// Varint of at most two bytes.
    Number(u16),
}

#[cfg(feature = "http")]
impl From<&'static str> for AttributeValue {
    fn from(text: &'static str) -> Self {
        AttributeValue::Text(text)
    }
}

#[cfg(feature = "http")]
impl From<u16> for AttributeValue {
    fn from(number: u16) -> Self {
        AttributeValue::Number(number)
    }
}

/// Returns a span's name and kind, which follow each other.
#[cfg(feature = "http")]
fn name_and_kind(name: &str, kind: u8) -> Vec<u8> {
    [&[0x2a, name.len() as u8], name.as_bytes(), &[0x30, kind]].concat()
}

#[cfg(feature = "http")]
#[test]
fn requests_follow_the_conventions_of_http() {
    use std::io;
    use std::net::SocketAddr;

    use axum::extract::ConnectInfo;
    use axum::routing::get;
    use obs_facade::http::{client, layer};
    use tower::{Layer, ServiceExt};

    let name = "requests_follow_the_conventions_of_http";
    if ran_with(name, &[]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let seen = Collector::says(TAKEN);
    let config = ObservabilityConfig::new(folder.path()).otlp_endpoint(&seen.address);
    let guard = obs_facade::configure(&config).unwrap();

    let item = || async {
        let refusing = tower::service_fn(|_: http::Request<()>| async {
            Err::<http::Response<()>, _>(io::Error::from(io::ErrorKind::ConnectionRefused))
        });
        let request = http::Request::get("http://ann:hunter2@store.example:7080/hidden").body(()).unwrap();
        client::layer().layer(refusing).oneshot(request).await.unwrap_err();
        http::StatusCode::BAD_GATEWAY
    };
    let app = axum::Router::new()
        .route("/items/{id}", get(item))
        .route("/bus/v1/call", axum::routing::post(|| async { "answer" }))
        .layer(layer().routes("web"));
    let send = async |method: &str, path: &str| {
        let mut request =
            http::Request::builder().method(method).uri(path).body(axum::body::Body::empty()).unwrap();
        let caller = ConnectInfo(SocketAddr::from(([192, 0, 2, 7], 1)));
        request.extensions_mut().insert(caller);
        app.clone().oneshot(request).await.unwrap().status().as_u16()
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        assert_eq!(send("GET", "/items/hidden").await, 502);
        assert_eq!(send("HIDDEN", "/hidden").await, 404);
        assert_eq!(send("POST", "/bus/v1/call").await, 200);
    });
    drop(guard);
    let has = |bytes: &[u8]| has(&seen, bytes);
    until(|| has(&name_and_kind("unknown", 2)));

    let (server, client) = (2, 3);
    for span in [
        name_and_kind("GET /items/{id}", server),
        name_and_kind("HTTP", server),
        name_and_kind("GET", client),
    ] {
        assert!(has(&span), "{}", String::from_utf8_lossy(&span));
    }
    let attributes = [
        attribute("http.request.method", "GET"),
        attribute("http.route", "/items/{id}"),
        attribute("http.response.status_code", 502),
        attribute("error.type", "502"),
        attribute("client.address", "192.0.2.7"),
        attribute("network.protocol.version", "1.1"),
        attribute("hearthnet.capability", "web:GET /items/{id}"),
        // Attributes of the request that no route matched.
        attribute("http.request.method", "_OTHER"),
        attribute("http.response.status_code", 404),
        attribute("hearthnet.capability", "web:unmatched"),
        // Attributes of the bus call.
        attribute("http.request.method", "POST"),
        attribute("http.response.status_code", 200),
        // Attributes of the client span.
        attribute("server.address", "store.example"),
        attribute("server.port", 7080),
        attribute("error.type", "connection_refused"),
        attribute("hearthnet.cause", "connection refused"),
        // Attributes of the resource.
        attribute("service.name", "hearthnet"),
        attribute("service.version", env!("CARGO_PKG_VERSION")),
    ];
    for attribute in attributes {
        assert!(has(&attribute), "{}", String::from_utf8_lossy(&attribute));
    }
    assert!(holds(&seen, "service.instance.id"));
    assert!(!has(&attribute("error.type", "not_found")), "a status 404 is no error of a server");
    for text in ["hidden", "HIDDEN", "hunter2"] {
        assert!(!holds(&seen, text), "{text}");
    }
}

/// A caller that did not sample its trace is told so onwards, and nothing of it is exported.
#[test]
fn only_what_callers_have_sampled_is_exported_where_the_configuration_says_so() {
    let name = "only_what_callers_have_sampled_is_exported_where_the_configuration_says_so";
    if ran_with(name, &[]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let seen = Collector::says(TAKEN);
    let config = ObservabilityConfig::new(folder.path()).otlp_endpoint(&seen.address);
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

/// Returns the number of requests for a path.
fn requests(seen: &Collector, path: &str) -> usize {
    let head = format!("POST {path} HTTP/1.1");
    seen.requests().iter().filter(|request| request.head.starts_with(&head)).count()
}

#[test]
fn metrics_and_lines_are_exported_beside_traces() {
    use obs_facade::{info, metrics, warn};

    let name = "metrics_and_lines_are_exported_beside_traces";
    if ran_with(name, &[("OTEL_METRIC_EXPORT_INTERVAL", "100")]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let seen = Collector::says(TAKEN);
    let config = ObservabilityConfig::new(folder.path())
        .log_level("trace")
        .otlp_endpoint(&seen.address)
        .otlp_metrics(true)
        .otlp_logs(true);
    let guard = obs_facade::configure(&config).unwrap();
    let depth = metrics::gauge("test_queue_depth", "Depth.", ["queue"]);
    depth.set(["mail-box"], 3.0);
    let wait = metrics::histogram("test_wait_seconds", "Waits.", ["queue"], &[]).native();
    trace::new_trace("some.call").run(|| {
        wait.observe(["mail-box"], 0.25);
        info!(peers = 3; "the first line of all");
    });
    until(|| holds(&seen, "test_queue_depth") && holds(&seen, "test_wait_seconds"));
    until(|| obs_facade::metric_export_stats().unwrap().exported > 0);
    drop(guard);
    until(|| holds(&seen, "the first line of all") && holds(&seen, "some.call"));
    assert!(holds(&seen, "hearthnet.peers") && holds(&seen, "hearthnet.logger"));
    assert!(
        requests(&seen, "/v1/metrics") > 0
            && requests(&seen, "/v1/logs") > 0
            && requests(&seen, "/v1/traces") > 0
    );
    until(|| page().contains("hearthnet_log_export_failing 0\n"));
    assert!(page().contains("hearthnet_metrics_export_failing 0\n"), "{}", page());

    // A second flush sends what is new, and nothing of the client's own lines at the level `trace`.
    let guard = obs_facade::configure(&config).unwrap();
    warn!("the second line");
    drop(guard);
    until(|| holds(&seen, "the second line"));
    let bodies: Vec<u8> = seen.requests().into_iter().flat_map(|request| request.body).collect();
    let text = String::from_utf8_lossy(&bodies).into_owned();
    assert_eq!(text.matches("the first line of all").count(), 1);
    assert!(!text.contains("ureq_proto") && !text.contains("ureq::"));
}

/// What a collector does wrong is obeyed, and counted for each signal.
#[test]
fn faults_of_a_collector_are_counted_for_each_signal() {
    use std::collections::HashMap;
    use std::io::Write as _;
    use std::sync::Mutex;

    use obs_facade::{OtlpTemporality, info};

    let name = "faults_of_a_collector_are_counted_for_each_signal";
    if ran_with(name, &[("OTEL_METRIC_EXPORT_INTERVAL", "1000")]) {
        return;
    }
    // Requests of each signal so far, and the time of the last one.
    let times = Mutex::new(HashMap::<String, Vec<Instant>>::new());
    let collector = Collector::with_heads(move |_, head, stream| {
        let path = head.split(' ').nth(1).unwrap().to_owned();
        let mut times = times.lock().unwrap();
        let times = times.entry(path).or_default();
        times.push(Instant::now());
        let mut say = |what: &[u8]| drop(stream.write_all(what));
        match times.len() {
            1 => say(&status("429 Too Many Requests\r\nretry-after: 2")),
            2 => {
                let pause = times[1] - times[0];
                assert!(pause >= Duration::from_millis(1_900), "{pause:?}");
                say(&status("503 Service Unavailable"));
            }
            // Closed without a response.
            3 => {}
            4 => say(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 6\r\n\r\n<html>",
            ),
            5 => say(ONE_REJECTED),
            6 => say(&status("400 Bad Request")),
            _ => say(TAKEN),
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let config = ObservabilityConfig::new(folder.path())
        .otlp_endpoint(&collector.address)
        .otlp_metrics(true)
        // Differences are repeated until the collector takes them, as spans and lines are.
        .otlp_temporality(OtlpTemporality::Delta)
        .otlp_logs(true);
    let guard = obs_facade::configure(&config).unwrap();
    let has_come = |number: usize| {
        trace::new_trace("some.call").run(|| info!("some line"));
        let came = |signal: &&str| requests(&collector, &format!("/v1/{signal}")) >= number;
        ["traces", "metrics", "logs"].iter().all(came)
    };
    until(|| has_come(4));
    drop(guard);
    until(|| {
        // A flush does not wait for the interval.
        drop(obs_facade::configure(&config).unwrap());
        has_come(7)
    });
    let sample = |name: &str| {
        let page = page();
        let line = page.lines().find(|line| line.starts_with(&format!("hearthnet_{name} ")));
        line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).unwrap_or(f64::NAN)
    };
    for (signal, items, rejected) in
        [("trace", "traces", "spans"), ("metrics", "families", "points"), ("log", "lines", "lines")]
    {
        until(|| sample(&format!("{signal}_export_failing")) == 0.0);
        assert_eq!(sample(&format!("{signal}_export_retries_total")), 3.0, "{signal}");
        assert_eq!(sample(&format!("{signal}_export_rejected_{rejected}_total")), 1.0, "{signal}");
        let of = |outcome: &str| sample(&format!("{signal}_export_{items}_total{{outcome=\"{outcome}\"}}"));
        assert!(of("failed") > 0.0 && of("exported") > 0.0, "{signal}: {}", page());
        assert_eq!(of("dropped"), 0.0, "{signal}");
    }
}

#[test]
fn a_restart_goes_on_with_the_line_after_the_last_exported_one() {
    use obs_facade::info;

    let name = "a_restart_goes_on_with_the_line_after_the_last_exported_one";
    if ran_with(name, &[]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let of_first = Collector::says(TAKEN);
    let of_second = Collector::says(TAKEN);
    let with = |address: &str| ObservabilityConfig::new(folder.path()).otlp_endpoint(address).otlp_logs(true);
    let guard = obs_facade::configure(&with(&of_first.address)).unwrap();
    info!("line for the first");
    drop(guard);
    until(|| holds(&of_first, "line for the first"));
    // Another collector gets an exporter of its own, which reads the stored position as after a restart.
    until(|| obs_facade::log_export_stats().unwrap().sending == 0);
    let off = obs_facade::configure(&ObservabilityConfig::new(folder.path())).unwrap();
    info!("line without an export");
    let guard = obs_facade::configure(&with(&of_second.address)).unwrap();
    info!("line for the second");
    drop((off, guard));
    until(|| holds(&of_second, "line for the second"));
    assert!(holds(&of_second, "line without an export"), "it is caught up on");
    assert!(!holds(&of_second, "line for the first"), "it was exported before");
}

/// Lines that nobody can export any more are counted: those of days that are too old, and those of the files that the log
/// removes when it starts.
#[test]
fn lines_that_were_lost_before_their_export_are_counted() {
    let name = "lines_that_were_lost_before_their_export_are_counted";
    if ran_with(name, &[]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let first = chrono::Utc::now() - chrono::TimeDelta::days(20);
    for days in 0..18 {
        let time =
            (first + chrono::TimeDelta::days(days)).to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        let line =
            format!("{{\"ts\":\"{time}\",\"level\":\"info\",\"logger\":\"x\",\"msg\":\"of day {days}\"}}\n");
        std::fs::write(folder.path().join(format!("{}.log", &time[..10])), line.repeat(10)).unwrap();
    }
    // An export that began then, and ended at once.
    let position = format!(
        "{{\"since_ms\":{0},\"exported\":\"{1}\",\"reader\":\"\"}}\n",
        first.timestamp_millis() - 1_000,
        (first - chrono::TimeDelta::seconds(1)).to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
    );
    std::fs::write(folder.path().join(".otlp-position"), position).unwrap();
    let seen = Collector::says(TAKEN);
    let config = ObservabilityConfig::new(folder.path()).otlp_endpoint(&seen.address).otlp_logs(true);
    let guard = obs_facade::configure(&config).unwrap();
    obs_facade::info!("line of today");
    let oldest = folder.path().join(format!("{}.log", first.format("%Y-%m-%d")));
    assert!(!oldest.exists(), "the log has removed it");
    until(|| page().contains("hearthnet_log_export_lines_total{outcome=\"dropped\"} 180\n"));
    drop(guard);
    until(|| holds(&seen, "line of today"));
    assert!(!holds(&seen, "of day 17"));
    assert_eq!(obs_facade::log_export_stats().unwrap().dropped, 180);
}

#[test]
fn signals_without_a_collector_and_bad_numbers_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let plain = || ObservabilityConfig::new(folder.path());
    let with = || plain().otlp_endpoint("http://127.0.0.1:1");
    for (config, field, fix) in [
        (plain().otlp_metrics(true), "otlp_metrics", "set otlp_endpoint"),
        (plain().otlp_logs(true), "otlp_logs", "set otlp_endpoint"),
        (with().otlp_metrics_interval_seconds(0), "otlp_metrics_interval_seconds", "1 to 3600"),
        (with().otlp_metrics_interval_seconds(3_601), "otlp_metrics_interval_seconds", "1 to 3600"),
    ] {
        let error = obs_facade::configure(&config).unwrap_err();
        assert_eq!(error.field(), field);
        assert!(error.advice().contains(fix), "{error}");
    }
    for wrong in ["otlp_temporality = \"both\"", "otlp_metrics_interval_seconds = -1", "otlp_metrics = 1"] {
        assert!(toml::from_str::<ObservabilityConfig>(wrong).is_err(), "{wrong}");
    }
}
