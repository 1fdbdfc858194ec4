//! Loggers, fields and the call forms of the `log` macros.

use std::collections::BTreeMap;

use obs_log::{Capture, Logger, Secret, debug, error, get_logger, info, log_enabled, trace, warn};

static LOG: Logger = Logger::new("hearthnet::bus::router");

/// Spec §7, `test_logger_writes_json_lines`.
#[test]
fn l2_test_logger_writes_json_lines() {
    let capture = Capture::new();
    let _scope = capture.enter();
    let (c, node) = ("llm.chat", "7H4G");
    info!(logger: LOG, capability = c, to:% = node, ms = 12; "routed");
    let line = &capture.text()[0];
    let behind_ts = "Z\",\"level\":\"info\",\"logger\":\"hearthnet.bus.router\",\"msg\":\"routed\",\
                     \"capability\":\"llm.chat\",\"to\":\"7H4G\",\"ms\":12}";
    assert!(line.starts_with("{\"ts\":\"20") && line.ends_with(behind_ts), "{line}");
    assert_eq!(line.len(), "{\"ts\":\"2026-05-26T08:14:22.281".len() + behind_ts.len());
}

#[test]
fn l1_every_way_to_name_a_logger() {
    let capture = Capture::new();
    let _scope = capture.enter();
    let by_name = get_logger("hearthnet.bus.router");
    let boxed: Box<dyn log::Log> = Box::new(by_name.clone());
    info!(logger: LOG, "static");
    info!(logger: by_name, "by name");
    info!(logger: boxed, "boxed");
    info!(target: "hearthnet::bus::router", "target");
    info!("module");
    let names: Vec<_> =
        capture.lines().iter().map(|line| line["logger"].as_str().unwrap().to_owned()).collect();
    let mut expected = vec!["hearthnet.bus.router"; 4];
    expected.push("it.fields");
    assert_eq!(names, expected);
    assert_eq!(by_name.name(), LOG.name());
}

#[test]
fn l2_levels_have_the_names_of_the_specification() {
    let capture = Capture::new();
    let _scope = capture.enter();
    assert!(log_enabled!(logger: LOG, log::Level::Trace));
    trace!(logger: LOG, "m");
    debug!(logger: LOG, "m");
    info!(logger: LOG, "m");
    warn!(logger: LOG, "m");
    error!(logger: LOG, "m");
    let levels: Vec<_> =
        capture.lines().iter().map(|line| line["level"].as_str().unwrap().to_owned()).collect();
    assert_eq!(levels, ["trace", "debug", "info", "warning", "error"]);
}

/// L1: fields of crates that know nothing of us.
#[test]
fn pain_12_kv_dropped_third_party_fields_keep_their_kind() {
    let capture = Capture::new();
    let _scope = capture.enter();
    let nested = BTreeMap::from([("a", vec![1, 2])]);
    log::info!(a = 1, r#type = "x", d:? = Some(1), nested:serde; "from {}", "outside");
    let line = &capture.lines()[0];
    assert_eq!(line["msg"], "from outside");
    assert_eq!((&line["a"], &line["type"], &line["d"]), (&1.into(), &"x".into(), &"Some(1)".into()));
    assert_eq!(line["nested"], serde_json::json!({"a": [1, 2]}));
}

#[test]
fn l12_secrets_and_hidden_names() {
    let capture = Capture::new();
    let _scope = capture.enter();
    let key = Secret::new("hunter2");
    info!(key, shown:? = key, said:% = key, password = "hunter2"; "unlocked with {key}");
    assert!(!capture.text()[0].contains("hunter2"), "{}", capture.text()[0]);
    assert_eq!(capture.lines()[0]["password"], "[redacted]");
}

#[test]
fn captures_nest_and_belong_to_their_thread() {
    let (outer, inner) = (Capture::new(), Capture::new());
    let outer_scope = outer.enter();
    let inner_scope = inner.enter();
    info!("inner");
    std::thread::scope(|scope| {
        scope.spawn(|| info!("another thread"));
    });
    drop(outer_scope);
    info!("inner still");
    drop(inner_scope);
    info!("nobody");
    assert_eq!((outer.lines().len(), inner.lines().len()), (0, 2));
}
