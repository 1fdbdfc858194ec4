use std::time::Duration;

use super::check::limit;
use super::*;
use crate::error::Error;

#[test]
fn an_unusable_endpoint_is_refused_with_field_and_fix() {
    for bad in ["", "collector:4318", "grpc://c:4317", "http://u:hunter2@collector"] {
        let error = ObservabilityConfig::new("/tmp").otlp_endpoint(bad).check_otlp().unwrap_err();
        assert_eq!(error.field(), "otlp_endpoint", "{bad}");
        let text = format!("otlp_endpoint = \"{bad}\"");
        let read = toml::from_str::<ObservabilityConfig>(&text).unwrap_err().message().to_owned();
        for text in [error.to_string(), read] {
            let fix = if cfg!(feature = "otlp") { "such as http://host:4318" } else { "feature `otlp`" };
            assert!(text.contains(fix), "{text}");
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
    let good = toml::from_str::<ObservabilityConfig>("otlp_endpoint = \"http://127.0.0.1:4318\"");
    assert_eq!(good.is_ok(), cfg!(feature = "otlp"));
    assert!(toml::from_str::<ObservabilityConfig>("").unwrap().check_otlp().is_ok(), "off by default");
}

#[test]
fn tracing_and_its_roots_are_checked() {
    let read = |text: &str| toml::from_str::<ObservabilityConfig>(text);
    for bad in
        ["tracing_roots = [\"\"]", "tracing_roots = [\"a::\"]", "tracing_roots = 1", "tracing = \"yes\""]
    {
        let error = read(bad).unwrap_err().to_string();
        assert!(error.contains("tracing"), "{error}");
    }
    let error = ObservabilityConfig::new("/tmp").tracing_roots(["a b"]).check_tracing().unwrap_err();
    assert_eq!(error.field(), "tracing_roots");
    let fix = if cfg!(feature = "tracing") { "`my_crate::jobs`" } else { "feature `tracing`" };
    assert!(error.advice().contains(fix), "{error}");
    assert!(read("tracing = false\ntracing_roots = []").unwrap().check_tracing().is_ok());
    let on = read("tracing = true\ntracing_roots = [\"my_crate::jobs\"]");
    assert_eq!(on.is_ok(), cfg!(feature = "tracing"), "{on:?}");
    assert!(read("install_logger = false").is_err(), "a program decides, not a file");
    assert!(ObservabilityConfig::default().check_tracing().is_ok());
}

#[test]
fn a_bad_size_or_compression_of_log_files_is_refused_with_field_and_fix() {
    let read = |text: &str| toml::from_str::<ObservabilityConfig>(text);
    for bad in ["1", "1048575", "-1", "9223372036854775808", "\"1MB\"", "\"99999999999TB\""] {
        let error = read(&format!("log_max_bytes = {bad}")).unwrap_err().to_string();
        assert!(error.contains("log_max_bytes"), "{error}");
        let says_what_is_allowed = error.contains("1 MiB (1048576)") || error.contains("i64");
        assert!(says_what_is_allowed, "{error}");
    }
    for (bad, words) in [
        ("\"100\"", "such as \"100MB\""),
        ("\"100M\"", "`100M` is not a size"),
        ("true", "a number of bytes"),
    ] {
        let error = read(&format!("log_max_bytes = {bad}")).unwrap_err().to_string();
        assert!(error.contains("log_max_bytes") && error.contains(words), "{error}");
    }
    let words = read("log_dir = \"x\"\nlog_max_bytes = \"100MB\"").unwrap();
    assert_eq!(words, ObservabilityConfig::new("x").log_max_bytes(100_000_000));
    let error = obs_facade_error(ObservabilityConfig::new("/tmp").log_max_bytes(5));
    assert_eq!(error.field(), "log_max_bytes");
    assert!(error.to_string().contains("1 MiB (1048576)"), "{error}");
    for good in [0, 1 << 20, i64::MAX as u64] {
        let config = read(&format!("log_dir = \"x\"\nlog_max_bytes = {good}")).unwrap();
        let expected = obs_log::Config::new("x").console(obs_log::Console::Off).max_bytes(limit(good));
        assert_eq!(config.log().unwrap(), expected);
    }
    let compressed = read("log_dir = \"x\"\nlog_compress = true");
    assert_eq!(compressed.is_ok(), cfg!(feature = "compress"));
    #[cfg(not(feature = "compress"))]
    {
        let built = ObservabilityConfig::new("/tmp").log_compress(true).log().unwrap_err();
        assert_eq!(built.field(), "log_compress");
        for text in [built.to_string(), compressed.unwrap_err().to_string()] {
            assert!(text.contains("log_compress") && text.contains("feature `compress`"), "{text}");
        }
    }
    assert!(read("log_compress = false").is_ok());
}

#[test]
fn a_bad_setting_of_the_history_is_refused_with_field_and_fix() {
    let read = |text: &str| toml::from_str::<ObservabilityConfig>(text);
    for (field, bad, words) in [
        ("history_days", "0", "days from 1 to 366"),
        ("history_days", "367", "days from 1 to 366"),
        ("history_days", "-1", "days from 1 to 366"),
        ("history_max_bytes", "1048575", "at least 1 MiB (1048576)"),
        ("history_max_bytes", "0", "at least 1 MiB (1048576)"),
        ("history_max_bytes", "-5", "at least 1 MiB (1048576)"),
        ("history_max_bytes", "\"64M\"", "`64M` is not a size"),
        ("history", "14", "a boolean"),
        ("trace_history", "14", "a boolean"),
        ("trace_history_max_bytes", "1048575", "from 1 MiB (1048576) to 1 GiB (1073741824)"),
        ("trace_history_max_bytes", "\"2GiB\"", "from 1 MiB (1048576) to 1 GiB (1073741824)"),
        ("trace_history_max_bytes", "-5", "from 1 MiB (1048576) to 1 GiB (1073741824)"),
    ] {
        let error = read(&format!("{field} = {bad}")).unwrap_err().to_string();
        assert!(error.contains(field) && error.contains(words), "{error}");
    }
    let config = || ObservabilityConfig::new("/tmp");
    for (config, field) in [
        (config().history_days(0), "history_days"),
        (config().history_days(367), "history_days"),
        (config().history_max_bytes(1), "history_max_bytes"),
        (config().history_max_bytes(u64::MAX), "history_max_bytes"),
        (config().trace_history_max_bytes(1), "trace_history_max_bytes"),
        (config().trace_history_max_bytes(u64::MAX), "trace_history_max_bytes"),
    ] {
        assert_eq!(config.check_history().unwrap_err().field(), field);
    }
    let good = read("log_dir = \"x\"\nhistory_days = 30\nhistory_max_bytes = \"128MiB\"").unwrap();
    assert_eq!(good, ObservabilityConfig::new("x").history_days(30).history_max_bytes(128 << 20));
    assert_eq!((good.keeps_history(), good.kept_days()), (None, 30));
    assert!(read("history = false").unwrap().check_history().is_ok());
    let on = read("history = true");
    assert_eq!(on.is_ok(), cfg!(feature = "history"));
    if let Err(error) = on {
        assert!(error.to_string().contains("feature `history`"), "{error}");
    }
}

fn obs_facade_error(config: ObservabilityConfig) -> Error {
    config.log().unwrap().check().unwrap_err().into()
}

#[test]
fn a_bad_threshold_of_blocked_workers_is_refused_with_field_and_fix() {
    let read = |text: &str| toml::from_str::<ObservabilityConfig>(&format!("blocked_worker_ms = {text}"));
    for bad in ["60001", "-1", "9223372036854775807"] {
        let error = read(bad).unwrap_err().to_string();
        assert!(error.contains("blocked_worker_ms") && error.contains("1 ms to 60000 ms, or 0"), "{error}");
    }
    for bad in ["\"on\"", "\"10\"", "true", "1.5"] {
        let error = read(bad).unwrap_err().to_string();
        assert!(error.contains("blocked_worker_ms") && error.contains("or \"off\""), "{error}");
    }
    for (good, ms) in [("0", 0), ("\"off\"", 0), ("1", 1), ("60000", 60_000)] {
        assert_eq!(read(good).unwrap(), ObservabilityConfig::default().blocked_worker_ms(ms));
    }
    let error =
        Error::from(ObservabilityConfig::new("/tmp").blocked_worker_ms(60_001).trace().check().unwrap_err());
    assert_eq!(error.field(), "blocked_worker_ms");
    assert_eq!(
        error.to_string(),
        "blocked_worker_ms: 60001 ms is out of range; set 1 ms to 60000 ms, or 0 for off"
    );
}

#[test]
fn bad_doctor_settings_are_refused_with_field_and_fix() {
    for bad in [1, 9, 86_401, u64::MAX] {
        let error = ObservabilityConfig::new("/tmp").doctor_interval_seconds(bad).check_doctor().unwrap_err();
        assert_eq!(error.field(), "doctor_interval_seconds");
        assert!(error.to_string().contains("seconds from 10 to 86400"), "{error}");
    }
    for bad in ["9", "-1", "86401"] {
        let text = format!("doctor_interval_seconds = {bad}");
        let error = toml::from_str::<ObservabilityConfig>(&text).unwrap_err().to_string();
        assert!(error.contains("doctor_interval_seconds") && error.contains("10 to 86400"), "{error}");
    }
    for bad in ["ftp://host/", "host", "http://", "http://u:hunter2@host/", "http://a b/"] {
        let config = ObservabilityConfig::new("/tmp").doctor_clock_anchors([bad]);
        assert_eq!(config.check_doctor().unwrap_err().field(), "doctor_clock_anchors", "{bad}");
        let error = toml::from_str::<ObservabilityConfig>(&format!("doctor_clock_anchors = [\"{bad}\"]"));
        let error = error.unwrap_err().message().to_owned();
        assert!(error.contains("http://host/") && !error.contains("hunter2"), "{error}");
    }
    let read = |text| toml::from_str::<ObservabilityConfig>(text).unwrap();
    assert_eq!(read("").doctor_interval(), Some(Duration::from_secs(300)));
    assert!(read("").is_doctor_routine() && !read("doctor_interval_seconds = 300").is_doctor_routine());
    assert_eq!(read("doctor_interval_seconds = 0").doctor_interval(), None);
    assert_eq!(read("doctor_interval_seconds = 300").doctor_interval(), Some(Duration::from_secs(300)));
    assert_eq!(read("doctor_clock_anchors = []").clock_anchors(), Some(&[][..]));
    assert!(read("").clock_anchors().is_none());
    assert!(read("doctor_remote = true").is_doctor_remote() && !read("").is_doctor_remote());
}

#[test]
fn an_address_with_https_needs_a_build_that_can_ask_it() {
    let anchors = ObservabilityConfig::new("/tmp").doctor_clock_anchors(["http://host/", "https://host/"]);
    assert_eq!(anchors.check_doctor().is_ok(), cfg!(feature = "tls"));
    let webhook = "problems_webhook = \"https://host/hook\"";
    let taken = toml::from_str::<ObservabilityConfig>(webhook).is_ok();
    assert_eq!(taken, cfg!(all(feature = "tls", feature = "history")));
    if !cfg!(feature = "tls") {
        let error = anchors.check_doctor().unwrap_err();
        assert_eq!((error.kind(), error.field()), (crate::ErrorKind::MissingFeature, "doctor_clock_anchors"));
        assert!(error.to_string().contains("feature `tls`"), "{error}");
    }
}

#[cfg(feature = "history")]
#[test]
fn the_hooks_for_problems_are_off_by_default_and_checked() {
    let read = |text: &str| toml::from_str::<ObservabilityConfig>(text);
    let hook = |config: &ObservabilityConfig| config.problem_settings().and_then(|settings| settings.hook);
    let of = |text: &str| hook(&read(text).unwrap());
    assert_eq!(of(""), None);
    assert_eq!(of("problems_hook = []"), None);
    let command = of("problems_hook = [\"/usr/bin/notify-send\", \"$(id); `x` && y\"]").unwrap();
    assert_eq!(command.command, ["/usr/bin/notify-send", "$(id); `x` && y"], "no shell is in between");
    for address in [
        "http://127.0.0.1:9000/hook",
        "http://[::1]:9000/",
        "http://192.168.1.5/hook?a=b",
        "http://ntfy.lan",
        "http://10.0.0.7/x",
    ] {
        let found = of(&format!("problems_webhook = {address:?}")).unwrap();
        assert_eq!(found.webhook.as_deref(), Some(address));
        assert_eq!(Some(found), hook(&ObservabilityConfig::new("/tmp").problems_webhook(address)));
    }
    for bad in [
        "",
        "127.0.0.1:9000",
        "ftp://host/",
        "http://",
        "http://u:hunter2@host/",
        "http://a b/",
        "http://a/\n",
    ] {
        let error = read(&format!("problems_webhook = {bad:?}")).unwrap_err().to_string();
        assert!(
            error.contains("problems_webhook") && error.contains("http://127.0.0.1:9000/hook"),
            "{error}"
        );
        let error = ObservabilityConfig::new("/tmp").problems_webhook(bad).check_problems().unwrap_err();
        assert_eq!(error.field(), "problems_webhook", "{bad}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
    let long = "s3cr3t".repeat(3_000);
    for bad in [vec![""], vec!["a\0b"], vec!["a", "b\0"], vec!["a", &long]] {
        let error = ObservabilityConfig::new("/tmp").problems_hook(bad).check_problems().unwrap_err();
        assert_eq!(error.field(), "problems_hook");
        assert!(!error.advice().is_empty() && !error.to_string().contains("s3cr3t"), "{error}");
    }
    for bad in ["\"notify-send HearthNet\"", "[1]", "true", "[\"\"]"] {
        let error = read(&format!("problems_hook = {bad}")).unwrap_err().to_string();
        assert!(error.contains("problems_hook"), "{error}");
    }
}
