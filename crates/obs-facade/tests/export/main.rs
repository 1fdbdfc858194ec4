//! Export to `otlp_endpoint`.
//!
//! In a file of its own because a process has one exporter.
#![cfg(feature = "otlp")]

use std::time::{Duration, Instant};

use obs_facade::{ObservabilityConfig, OtlpCompression, trace};

#[path = "../../../../tests/support/collector.rs"]
mod collector;
mod signals;

use self::collector::{Collector, TAKEN};

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
