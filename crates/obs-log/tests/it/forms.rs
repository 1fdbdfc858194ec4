//! Forms of each macro: with and without `logger:` and fields.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use log::kv::{ToValue, Value};
use obs_log::{
    Capture, Logger, debug, error, error_limited, exception, info, info_limited, trace, warn, warn_limited,
};

static LOG: Logger = Logger::new("test.forms");

/// Asserts that each line is `m` under the name of the test's logger.
fn assert_lines(capture: &Capture, expected: usize) {
    let lines = capture.lines();
    assert_eq!(lines.len(), expected);
    for line in &lines {
        assert_eq!((&line["logger"], &line["msg"]), (&"test.forms".into(), &"m".into()), "{line}");
    }
}

#[test]
fn every_macro_takes_a_logger_in_the_same_form() {
    let capture = Capture::new();
    let _scope = capture.enter();
    let (err, a) = (std::fmt::Error, 1);
    trace!(logger: LOG, a; "m");
    debug!(logger: LOG, a; "m");
    info!(logger: LOG, a; "m");
    warn!(logger: LOG, a; "m");
    error!(logger: LOG, a; "m");
    info_limited!(logger: LOG, "k1", a; "m");
    warn_limited!(logger: LOG, "k2", a; "m");
    error_limited!(logger: LOG, "k3", a; "m");
    exception!(logger: LOG, err, a; "m");
    info_limited!(LOG, "k4", a; "m");
    warn_limited!(LOG, "k5", a; "m");
    error_limited!(LOG, "k6", a; "m");
    exception!(LOG, err, a; "m");
    assert_lines(&capture, 13);
    assert!(capture.lines().iter().all(|line| line["a"] == 1));
}

#[test]
fn every_macro_has_a_form_without_fields() {
    let capture = Capture::new();
    let _scope = capture.enter();
    let (err, m) = (std::fmt::Error, "m");
    trace!(logger: LOG, "m");
    debug!(logger: LOG, "{m}");
    info!(logger: LOG; "m");
    warn!(logger: LOG; "{}", m);
    error!(logger: LOG, "{}", m);
    info_limited!(logger: LOG, "k1"; "m");
    info_limited!(logger: LOG, "k2", "{m}");
    warn_limited!(logger: LOG, "k3"; "{}", m);
    error_limited!(logger: LOG, "k4", "m");
    exception!(logger: LOG, err; "m");
    exception!(logger: LOG, err, "{}", m);
    info_limited!(LOG, "k5"; "m");
    warn_limited!(LOG, "k6", "{m}");
    error_limited!(LOG, "k7"; "m");
    exception!(LOG, err; "m");
    exception!(LOG, err, "{m}");
    assert_lines(&capture, 16);
}

/// The word before the colon may be the name of the caller's own variable.
#[test]
fn a_logger_may_be_called_logger() {
    let capture = Capture::new();
    let _scope = capture.enter();
    let (logger, err) = (LOG.clone(), std::fmt::Error);
    info!(logger: logger, "m");
    warn_limited!(logger, "k1"; "m");
    warn_limited!(logger: logger, "k2"; "m");
    exception!(logger, err; "m");
    exception!(logger: logger, err; "m");
    assert_lines(&capture, 5);
}

#[test]
fn a_duration_is_a_number_of_milliseconds() {
    let capture = Capture::new();
    let _scope = capture.enter();
    let took = Duration::from_nanos(12_345_678);
    let (some, none) = (Some(took), None::<Duration>);
    info!(logger: LOG, took, by_ref = &took, some, some_ref = Some(&took), none; "m");
    info!(logger: LOG, zero = Duration::ZERO, least = Duration::from_nanos(499), day = Duration::from_secs(86_400); "m");
    info!(logger: LOG, max = Duration::MAX; "m");
    let text = capture.text();
    let ends = [
        r#""took":12.346,"by_ref":12.346,"some":12.346,"some_ref":12.346,"none":null}"#,
        r#""zero":0.0,"least":0.0,"day":86400000.0}"#,
        r#""max":1.8446744073709552e+22}"#,
    ];
    for (line, end) in text.iter().zip(ends) {
        assert!(line.ends_with(end), "{line}");
    }
}

/// A type of the caller's own, generic code and literals keep working beside the two ways to a value.
#[test]
fn other_values_are_found_by_the_log_crate() {
    struct Mine;
    impl ToValue for Mine {
        fn to_value(&self) -> Value<'_> {
            Value::from("mine")
        }
    }
    fn generic<T: ToValue + ?Sized>(value: &T) {
        info!(logger: LOG, value; "m");
    }
    let capture = Capture::new();
    let _scope = capture.enter();
    let dynamic: &dyn ToValue = &7;
    info!(logger: LOG, mine = Mine, whole = 5, half = 0.5, some = Some(1), text = *"abc", dynamic, unit = (); "m");
    generic("text");
    generic(&Mine);
    let text = capture.text();
    let ends = [
        r#""mine":"mine","whole":5,"half":0.5,"some":1,"text":"abc","dynamic":7,"unit":null}"#,
        r#""value":"text"}"#,
        r#""value":"mine"}"#,
    ];
    for (line, end) in text.iter().zip(ends) {
        assert!(line.ends_with(end), "{line}");
    }
}

#[test]
fn an_error_is_accepted_with_every_pointer_to_it() {
    #[derive(Debug)]
    struct Outer(std::fmt::Error);
    impl std::fmt::Display for Outer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("outer")
        }
    }
    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }
    let outer = || Outer(std::fmt::Error);

    let capture = Capture::new();
    let _scope = capture.enter();
    let error = outer();
    let (by_reference, by_dyn): (&Outer, &dyn Error) = (&error, &error);
    let boxed: Box<dyn Error> = Box::new(outer());
    let sent: Box<dyn Error + Send + Sync> = Box::new(outer());
    let result: Result<(), Outer> = Err(outer());
    warn!(error:err; "owned");
    warn!(error:err = outer(); "a value that lives for the line");
    warn!(error:err = by_reference; "reference");
    warn!(error:err = *by_reference; "place");
    warn!(error:err = by_dyn; "dyn");
    warn!(error:err = *by_dyn; "place of a dyn");
    warn!(error:err = boxed; "box");
    warn!(error:err = &boxed; "reference to a box");
    warn!(error:err = *boxed; "place of a box");
    warn!(error:err = sent; "box that is Send and Sync");
    warn!(error:err = Arc::new(outer()); "Arc");
    if let Err(error) = &result {
        warn!(error:err; "of a result");
    }
    let lines = capture.lines();
    assert_eq!(lines.len(), 12);
    for line in &lines {
        assert_eq!(line["error"], lines[0]["error"], "{line}");
        assert!(line["error"].as_str().unwrap().contains("outer"), "{line}");
    }
}
