//! Lines of events.

use std::error::Error;
use std::fmt;
use std::process::Command;
use std::time::Duration;

use obs_tracing::Bridge;
use serde_json::{Value, json};
use tracing::field::Empty;
use tracing::subscriber::with_default;
use tracing::{Level, debug, error, event, info, trace, warn};

/// Returns the lines of what `f` says through `tracing` on this thread, without their times.
fn lines(f: impl FnOnce()) -> Vec<Value> {
    let capture = obs_log::Capture::new();
    let scope = capture.enter();
    with_default(Bridge::new(), f);
    drop(scope);
    capture.text().iter().map(|line| without_time(line)).collect()
}

fn without_time(line: &str) -> Value {
    let mut line: Value = serde_json::from_str(line).unwrap();
    line.as_object_mut().unwrap().remove("ts");
    line
}

fn line(f: impl FnOnce()) -> Value {
    let mut lines = lines(f);
    assert_eq!(lines.len(), 1, "{lines:#?}");
    lines.remove(0)
}

/// Runs the test `name` in a process of its own. `false` in that process.
pub(super) fn ran_alone(name: &str) -> bool {
    const ALONE: &str = "OBS_TRACING_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return false;
    }
    let mut child = Command::new(std::env::current_exe().unwrap());
    let ended = child.args(["--exact", name]).env(ALONE, "1").output().unwrap();
    let said = String::from_utf8_lossy(&ended.stdout).into_owned() + &String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success() && said.contains("1 passed"), "{said}");
    true
}

#[derive(Debug)]
struct Refused(Option<Box<Refused>>, &'static str);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.1)
    }
}

impl Error for Refused {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.as_deref().map(|source| source as _)
    }
}

struct Panics;

impl fmt::Debug for Panics {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("on purpose")
    }
}

#[test]
fn an_event_is_a_line_with_its_target_level_message_and_fields_in_order() {
    let capture = obs_log::Capture::new();
    let scope = capture.enter();
    with_default(Bridge::new(), || {
        warn!(target: "my_crate::jobs", zulu = 1, alpha = "two", r#type = "t", http.status = 200, "job {} is late", 7);
    });
    drop(scope);
    let text = capture.text().remove(0);
    let (_, text) = text.split_once(",\"level\"").unwrap();
    assert_eq!(
        text,
        ":\"warning\",\"logger\":\"my_crate.jobs\",\"msg\":\"job 7 is late\",\"zulu\":1,\"alpha\":\"two\",\"type\":\"t\",\
         \"http.status\":200}"
    );
}

#[test]
fn every_level_has_its_name() {
    let levels = lines(|| {
        error!("l");
        warn!("l");
        info!("l");
        debug!("l");
        trace!("l");
    });
    let levels: Vec<_> = levels.iter().map(|line| line["level"].as_str().unwrap()).collect();
    assert_eq!(levels, ["error", "warning", "info", "debug", "trace"]);
}

#[test]
fn every_kind_of_value_keeps_its_kind() {
    let line = line(|| {
        info!(
            i = -3_i64,
            u = 3_u64,
            big = u64::MAX,
            i128 = i128::MIN,
            u128 = u128::MAX,
            small = 5_u128,
            float = 0.1,
            nan = f64::NAN,
            infinite = f64::NEG_INFINITY,
            yes = true,
            text = "a\"\n\u{9b}",
            owned = String::from("o"),
            debugged = ?Some(1),
            displayed = %"d",
            bytes = &[0_u8, 0xab][..],
            none = None::<u64>,
            some = Some(1_u64),
            empty = Empty,
            "kinds"
        );
    });
    assert_eq!(
        line,
        json!({
            "level": "info", "logger": "it.events", "msg": "kinds", "i": -3, "u": 3, "big": "18446744073709551615",
            "i128": "-170141183460469231731687303715884105728", "u128": "340282366920938463463374607431768211455",
            "small": 5, "float": 0.1, "nan": "NaN", "infinite": "-Infinity", "yes": true, "text": "a\"\n\u{9b}",
            "owned": "o", "debugged": "Some(1)", "displayed": "d", "bytes": "00ab", "some": 1
        })
    );
}

#[test]
fn an_error_has_the_messages_of_its_causes() {
    let error = Refused(Some(Box::new(Refused(Some(Box::new(Refused(None, "root"))), "middle"))), "top");
    let plain = Refused(None, "alone");
    let line = line(|| {
        let (error, plain): (&(dyn Error + 'static), &(dyn Error + 'static)) = (&error, &plain);
        error!(error, other = error, plain, "failed");
    });
    assert_eq!(
        line,
        json!({
            "level": "error", "logger": "it.events", "msg": "failed", "error": "top", "causes": ["middle", "root"],
            "other": "top", "other_causes": ["middle", "root"], "plain": "alone"
        })
    );
}

#[test]
fn an_error_that_is_its_own_cause_is_bounded() {
    #[derive(Debug)]
    struct Endless;
    impl fmt::Display for Endless {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(&"e".repeat(4096))
        }
    }
    impl Error for Endless {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&Endless)
        }
    }
    let capture = obs_log::Capture::new();
    let scope = capture.enter();
    with_default(Bridge::new(), || info!(error = &Endless as &(dyn Error + 'static), after = 1, "m"));
    drop(scope);
    let text = capture.text().remove(0);
    assert!(text.len() <= obs_log::MAX_LINE_BYTES);
    assert_eq!(without_time(&text)["after"], 1);
}

#[test]
fn a_message_may_be_missing_be_any_value_or_come_twice() {
    let lines = lines(|| {
        event!(name: "peer connected", Level::INFO, peer = 7);
        info!(peer = 7);
        info!(message = 7);
        info!(message = "text");
        info!(message = ?Some(1));
        info!(message = "second", "first");
        info!(message = None::<&str>, "shown");
        info!(message = &Refused(None, "refused") as &(dyn Error + 'static));
    });
    let messages: Vec<_> = lines.iter().map(|line| line["msg"].as_str().unwrap()).collect();
    assert_eq!(messages[0], "peer connected");
    assert!(messages[1].starts_with("event events.rs:"), "{}", messages[1]);
    assert_eq!(messages[2..], ["7", "text", "Some(1)", "first", "shown", "refused"]);
    assert_eq!(lines[1]["peer"], 7);
    assert_eq!(lines[5]["message"], "second");
}

#[tracing::instrument(err, ret)]
fn look_up(name: &str) -> Result<usize, std::num::ParseIntError> {
    name.parse()
}

#[tracing::instrument(name = "ask the peer", err(Debug, level = "warn"))]
async fn ask(name: &str) -> Result<usize, std::num::ParseIntError> {
    name.parse()
}

#[test]
fn an_event_of_instrument_has_the_name_of_its_function() {
    let lines = lines(|| {
        _ = look_up("x");
        _ = look_up("7");
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        _ = runtime.block_on(ask("x"));
        info!(error = "of the program's own");
        info!(error = "of the program's own", "said");
    });
    let messages: Vec<_> = lines.iter().map(|line| line["msg"].as_str().unwrap()).collect();
    assert_eq!(messages[..3], ["look_up failed", "look_up returned", "ask the peer failed"]);
    assert!(messages[3].starts_with("event events.rs:"), "{}", messages[3]);
    assert_eq!(messages[4], "said");
    assert_eq!(
        (&lines[0]["level"], &lines[0]["error"]),
        (&"error".into(), &"invalid digit found in string".into())
    );
    assert_eq!(lines[1]["return"], "7");
    assert_eq!(
        (&lines[2]["level"], &lines[2]["error"]),
        (&"warning".into(), &"ParseIntError { kind: InvalidDigit }".into())
    );
}

#[test]
fn fields_named_like_fixed_keys_get_a_prefix() {
    let line =
        line(|| info!(ts = 1, level = 2, logger = 3, msg = 4, trace_id = 5, field_ts = 6, target = 7, "m"));
    assert_eq!(
        line,
        json!({
            "level": "info", "logger": "it.events", "msg": "m", "field_ts": 1, "field_level": 2, "field_logger": 3,
            "field_msg": 4, "field_trace_id": 5, "field_field_ts": 6, "target": 7
        })
    );
}

#[test]
fn hidden_names_are_redacted() {
    assert_eq!(line(|| info!(password = "hunter2", "m"))["password"], "[redacted]");
}

#[test]
fn a_panic_in_a_value_stays_in_that_value() {
    let line = line(|| info!(before = 1, bad = ?Panics, after = 2, "{:?}", Panics));
    assert_eq!(line["msg"], "[panicked while formatting]");
    assert_eq!(
        (&line["before"], &line["bad"], &line["after"]),
        (&json!(1), &json!("[panicked while formatting]"), &json!(2))
    );
}

#[test]
fn huge_values_are_cut() {
    let text = "x".repeat(1 << 20);
    let bytes = vec![7_u8; 1 << 20];
    let capture = obs_log::Capture::new();
    let scope = capture.enter();
    with_default(Bridge::new(), || {
        info!(text, bytes = &bytes[..], shown = %text, debugged = ?text, n = 1, "{text}");
    });
    drop(scope);
    let text = capture.text().remove(0);
    assert!(text.len() <= obs_log::MAX_LINE_BYTES, "{}", text.len());
    let line = without_time(&text);
    for key in ["msg", "text", "bytes", "shown", "debugged"] {
        assert!(line[key].as_str().unwrap().ends_with(" bytes cut]"), "{key}");
    }
    assert_eq!(line["n"], 1);
}

#[test]
fn a_line_has_the_current_trace() {
    let trace = obs_trace::new_trace("llm.chat");
    let id = trace.id().to_string();
    let lines = lines(|| trace.run(|| info!("inside")));
    let said: Vec<_> = lines.iter().map(|line| (line["msg"].as_str().unwrap(), &line["trace_id"])).collect();
    assert_eq!(said, [("inside", &json!(id)), ("done", &json!(id))]);
}

#[test]
fn an_event_that_a_value_makes_gets_a_line_of_its_own() {
    struct Logs;
    impl fmt::Debug for Logs {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            info!("inner");
            log::info!(target: "other", "by log");
            f.write_str("outer value")
        }
    }
    let lines = lines(|| info!(value = ?Logs, "outer"));
    let messages: Vec<_> = lines.iter().map(|line| line["msg"].as_str().unwrap()).collect();
    assert!(messages.contains(&"outer") && messages.contains(&"by log"), "{messages:?}");
}

#[test]
fn a_record_that_tracing_log_made_an_event_has_its_own_target() {
    use log::Log as _;

    let record = log::Record::builder()
        .target("hyper::proto::h1")
        .level(log::Level::Warn)
        .module_path_static(Some("hyper::proto"))
        .file_static(Some("src/proto.rs"))
        .line(Some(7))
        .args(format_args!("closing"))
        .build();
    let line = line(|| tracing_log::LogTracer::new().log(&record));
    assert_eq!(line, json!({"level": "warning", "logger": "hyper.proto.h1", "msg": "closing"}));
}

/// Passes each record to several loggers, as a program does that wants both.
struct FanOut(&'static [&'static (dyn log::Log + 'static)]);

impl log::Log for FanOut {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        self.0.iter().for_each(|logger| logger.log(record));
    }

    fn flush(&self) {}
}

#[test]
fn a_record_that_comes_as_an_event_too_is_one_line() {
    struct Ours;
    impl log::Log for Ours {
        fn enabled(&self, _: &log::Metadata<'_>) -> bool {
            true
        }
        fn log(&self, record: &log::Record<'_>) {
            obs_log::logger().log(record);
        }
        fn flush(&self) {}
    }
    static TRACER: std::sync::LazyLock<tracing_log::LogTracer> = std::sync::LazyLock::new(Default::default);
    static ORDERS: std::sync::LazyLock<[[&(dyn log::Log + 'static); 2]; 2]> =
        std::sync::LazyLock::new(|| [[&Ours, &*TRACER], [&*TRACER, &Ours]]);

    obs_tracing::configure(&obs_tracing::Config::new().install(false)).unwrap();
    for order in &*ORDERS {
        let fan_out = FanOut(order);
        let lines = lines(|| {
            for n in 0..3 {
                log::info!(logger: fan_out, target: "t::u", n; "again");
            }
            log::info!(logger: fan_out, target: "t::v", "another");
        });
        let loggers: Vec<_> = lines.iter().map(|line| line["logger"].as_str().unwrap()).collect();
        assert_eq!(loggers, ["t.u", "t.u", "t.u", "t.v"], "{lines:#?}");
    }
}

#[test]
fn with_default_of_a_test_works_over_the_bridge_of_the_process() {
    if ran_alone("events::with_default_of_a_test_works_over_the_bridge_of_the_process") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let guard = obs_log::configure(&obs_log::Config::new(folder.path())).unwrap();
    obs_tracing::configure(&obs_tracing::Config::new()).unwrap();
    info!("ours");
    with_default(tracing_subscriber::registry(), || info!("theirs"));
    info!("ours again");
    drop(guard);
    let lines: Vec<_> = written(&folder).iter().map(|line| line["msg"].clone()).collect();
    assert_eq!(lines, ["ours", "ours again"]);
}

#[test]
fn another_dispatcher_that_came_first_is_named_and_keeps_its_place() {
    if ran_alone("events::another_dispatcher_that_came_first_is_named_and_keeps_its_place") {
        return;
    }
    tracing::subscriber::set_global_default(tracing_subscriber::registry()).unwrap();
    let error = obs_tracing::configure(&obs_tracing::Config::new()).unwrap_err();
    assert_eq!(error.kind(), obs_tracing::ErrorKind::OtherDispatcher);
    assert_eq!(error.field(), "");
    assert!(error.problem().contains("tracing_subscriber::fmt::init"), "{error}");
    assert!(error.advice().contains("install(false)") && error.advice().contains(".with("), "{error}");
    assert!(obs_tracing::configure(&obs_tracing::Config::new().install(false)).is_ok());
    assert!(obs_tracing::configure(&obs_tracing::Config::new().enabled(false)).is_ok());
}

/// Returns the lines of the day file, once they are written.
fn written(folder: &tempfile::TempDir) -> Vec<Value> {
    assert!(obs_log::flush(Duration::from_secs(20)));
    let mut days: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    days.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    days.sort();
    let text: String = days.iter().map(|day| std::fs::read_to_string(day).unwrap()).collect();
    text.lines().map(without_time).collect()
}

/// One callsite at each level, so that a change of levels finds it cached.
fn say(round: i64) {
    trace!(target: "levels::a", round, "trace");
    debug!(target: "levels::a", round, "debug");
    info!(target: "levels::b", round, "info");
    warn!(target: "levels::b", round, "warning");
}

#[test]
fn levels_follow_those_of_the_log_while_callsites_are_cached() {
    if ran_alone("events::levels_follow_those_of_the_log_while_callsites_are_cached") {
        return;
    }
    obs_tracing::configure(&obs_tracing::Config::new()).unwrap();
    say(0);
    assert_eq!(tracing_core::LevelFilter::current(), tracing_core::LevelFilter::OFF);
    let folder = tempfile::tempdir().unwrap();
    let config = obs_log::Config::new(folder.path());
    let _guard = obs_log::configure(&config).unwrap();
    say(1);
    assert!(!tracing::enabled!(target: "levels::a", Level::DEBUG));
    assert_eq!(tracing_core::LevelFilter::current(), tracing_core::LevelFilter::INFO);
    obs_log::override_levels(Some("levels.a=trace")).unwrap();
    say(2);
    obs_log::override_levels(None).unwrap();
    say(3);
    let _guard = obs_log::configure(&config.level("error,levels.b=warning")).unwrap();
    say(4);
    obs_tracing::configure(&obs_tracing::Config::new().enabled(false)).unwrap();
    say(5);
    obs_tracing::configure(&obs_tracing::Config::new()).unwrap();
    say(6);
    let said: Vec<_> = written(&folder)
        .iter()
        .map(|line| format!("{} {}", line["round"], line["msg"].as_str().unwrap()))
        .collect();
    let expected = [
        "1 info",
        "1 warning",
        "2 trace",
        "2 debug",
        "2 info",
        "2 warning",
        "3 info",
        "3 warning",
        "4 warning",
        "6 warning",
    ];
    assert_eq!(said, expected);
}

#[test]
fn a_capture_gets_every_level_although_callsites_are_cached_as_disabled() {
    if ran_alone("events::a_capture_gets_every_level_although_callsites_are_cached_as_disabled") {
        return;
    }
    obs_tracing::configure(&obs_tracing::Config::new()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let _guard = obs_log::configure(&obs_log::Config::new(folder.path()).level("off")).unwrap();
    say(0);
    for round in 0..2 {
        let capture = obs_log::Capture::new();
        let scope = capture.enter();
        say(round);
        std::thread::scope(|threads| threads.spawn(|| say(7)).join()).unwrap();
        drop(scope);
        say(8);
        assert_eq!(capture.lines().len(), 4);
    }
    assert!(written(&folder).is_empty());
}
