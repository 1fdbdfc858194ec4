//! Loggers, fields and the call forms of the `log` macros.

use std::collections::BTreeMap;

use obs_log::{Capture, Logger, Secret, debug, error, get_logger, info, log_enabled, trace, warn};

static LOG: Logger = Logger::new("hearthnet::bus::router");

#[test]
fn test_logger_writes_json_lines() {
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
fn every_way_to_name_a_logger() {
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
fn levels_have_the_names_of_the_specification() {
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

/// Other crates use the macros of `log`.
#[test]
fn fields_of_third_party_crates_keep_their_kind() {
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
fn secrets_and_hidden_names_are_redacted() {
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
    info!("after both scopes");
    assert_eq!((outer.lines().len(), inner.lines().len()), (0, 2));
}

/// Returns the text of a line's field.
fn shown<'a>(line: &'a str, key: &str) -> &'a str {
    let (_, value) = line.split_once(&format!(",\"{key}\":")).unwrap();
    let end = value.find([',', '}']).unwrap();
    &value[..end]
}

#[derive(serde::Serialize)]
struct Measured {
    a: f32,
    b: Option<f32>,
    wide: f64,
}

#[test]
fn an_f32_reads_the_same_in_every_place_of_a_line() {
    let capture = Capture::new();
    let _scope = capture.enter();
    let (a, b) = (0.1_f32, Some(16_777_216.0_f32 * 1e10));
    let wide = f64::from(0.1_f32);
    let list = [a, 1.5, 1e-7];
    let map = BTreeMap::from([("k", a)]);
    let structure = Measured { a, b, wide };
    let boxed = Box::new(a);
    info!(logger: LOG, a, b, r = &a, boxed, none = None::<f32>, nan = f32::NAN, wide, plain = 0.1; "m {a}");
    info!(list:serde, map:serde, structure:serde, some:serde = Some(a), alone:serde = a; "m");
    let text = capture.text();
    for key in ["a", "r", "boxed", "plain"] {
        assert_eq!(shown(&text[0], key), "0.1", "{key}");
    }
    assert_eq!((shown(&text[0], "none"), shown(&text[0], "nan")), ("null", "\"NaN\""));
    assert_eq!(shown(&text[0], "wide"), "0.10000000149011612", "an f64 keeps its own text");
    let b_shown = shown(&text[0], "b");
    assert_eq!(b_shown.parse::<f32>().ok(), b);
    let nested = format!(
        ",\"list\":[0.1,1.5,1e-7],\"map\":{{\"k\":0.1}},\
         \"structure\":{{\"a\":0.1,\"b\":{b_shown},\"wide\":0.10000000149011612}},\"some\":0.1,\"alone\":0.1}}"
    );
    assert!(text[1].ends_with(&nested), "{}", text[1]);
}

#[test]
fn an_f32_reads_the_same_in_every_macro() {
    let capture = Capture::new();
    let _scope = capture.enter();
    let by_name = get_logger("hearthnet.bus.router");
    let a = 0.1_f32;
    trace!(a; "m");
    debug!(target: "t", a, "b" = 2; "m");
    info!(logger: by_name, target: "t", a = a, b:? = a, c:% = a; "m {}", 1);
    warn!(logger: LOG, a = 0.05_f32 + 0.05, r#type = "x"; "m");
    error!(a; "m");
    obs_log::exception!(LOG, std::fmt::Error, a; "m");
    obs_log::warn_limited!(LOG, "single", a; "m");
    let text = capture.text();
    assert_eq!(text.len(), 7);
    assert!(text.iter().all(|line| shown(line, "a") == "0.1"), "{text:?}");
}

/// A value that repeats a key is read into a tree, which holds no `f32`.
#[test]
fn an_f32_beside_a_repeated_key_reads_the_same() {
    struct Repeated;
    impl serde::Serialize for Repeated {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_map([("a", 0.2_f32), ("a", 0.1)])
        }
    }
    let capture = Capture::new();
    let _scope = capture.enter();
    info!(v:serde = Repeated; "m");
    assert!(capture.text()[0].ends_with(",\"v\":{\"a\":0.1}}"), "{}", capture.text()[0]);
}
