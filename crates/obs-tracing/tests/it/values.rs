//! Fields of spans.

use std::fmt;

use obs_trace::{Value, in_span};
use tracing::{Span, dispatcher, info_span};

use super::support::{named, parent, traced};

#[test]
fn fields_are_set_late_and_not_after_the_end() {
    let record = traced(|_| {
        let span =
            info_span!("late", early = 1, later = tracing::field::Empty, never = tracing::field::Empty);
        span.record("later", "text");
        span.record("early", 2);
        let (id, metadata) = (span.id().unwrap(), span.metadata().unwrap());
        drop(span);
        let never = metadata.fields().field("never").unwrap();
        let other = info_span!("other");
        // What a `Span` cannot do, a program can do with the dispatcher.
        dispatcher::get_default(|dispatch| {
            dispatch.record(
                &id,
                &tracing::span::Record::new(&metadata.fields().value_set(&[(&never, Some(&1 as _))])),
            );
            dispatch.enter(&id);
            in_span("not inside", || {});
            dispatch.exit(&id);
            assert!(!dispatch.try_close(dispatch.clone_span(&id)));
        });
        drop(other);
    });
    let spans = record.spans();
    assert_eq!(named(&spans, "late").fields(), [("early", 2.into()), ("later", "text".into())]);
    assert!(named(&spans, "other").fields().is_empty());
    assert_eq!(parent(&spans, "not inside"), None);
}

/// An error with two causes.
#[derive(Debug)]
struct Failure(u8);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failure {}", self.0)
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        [&Failure(1), &Failure(2)].into_iter().find(|cause| cause.0 == self.0 + 1).map(|cause| cause as _)
    }
}

struct Panics;

impl fmt::Debug for Panics {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("in a value");
    }
}

#[test]
fn values_keep_their_types() {
    let failure: &(dyn std::error::Error + 'static) = &Failure(0);
    let bytes: &[u8] = &[1, 255];
    let record = traced(|_| {
        let span = info_span!(
            "values",
            signed = -1_i64,
            unsigned = u64::MAX,
            wide = i128::MAX,
            narrow = 5_i128,
            unsigned_wide = u128::MAX,
            float = 1.5,
            nan = f64::NAN,
            truth = true,
            text = "a \"b\"",
            shown = %1,
            debug = ?Some(1),
            failure,
            bytes,
            panics = ?Panics,
            r#type = "keyword",
            empty = tracing::field::Empty,
            long = "ä".repeat(10_000),
            "a message {}",
            1
        );
        span.record("panics", tracing::field::debug(Panics));
    });
    let spans = record.spans();
    let span = &spans[0];
    let is = |key: &str, value: Value| assert_eq!(span.field(key), Some(&value), "{key}");
    is("signed", (-1).into());
    is("unsigned", u64::MAX.into());
    is("wide", i128::MAX.to_string().into());
    is("narrow", 5.into());
    is("unsigned_wide", u128::MAX.to_string().into());
    is("float", 1.5.into());
    assert_eq!(span.field("nan").unwrap().to_string(), "NaN");
    assert_eq!(serde_json::to_value(span.field("nan")).unwrap(), "NaN");
    is("truth", true.into());
    is("text", "a \"b\"".into());
    is("shown", "1".into());
    is("debug", "Some(1)".into());
    is("failure", "failure 0: failure 1: failure 2".into());
    is("bytes", "[01 ff]".into());
    is("panics", "[panicked while formatting]".into());
    is("type", "keyword".into());
    is("message", "a message 1".into());
    assert_eq!(span.field("empty"), None);
    let long = span.field("long").unwrap().as_str().unwrap();
    assert!(long.len() <= 256 && long.ends_with('…'), "{long}");
}

#[test]
fn fields_are_bounded_and_counted() {
    let store = obs_trace::Store::default();
    let _scope = store.enter();
    let record = traced(|_| {
        for _ in 0..100 {
            drop(info_span!("many", a = 1, b = 2, c = 3));
        }
    });
    let fields: usize = record.spans().iter().map(|span| span.fields().len()).sum();
    assert_eq!((fields, store.stats().dropped_fields), (256, 44));
}

#[test]
fn a_field_named_like_one_of_ours_does_not_change_it() {
    let record = traced(|trace| {
        let span = info_span!("named", error = "theirs", status = 200, capability = "x", ms = 1, spans = 2);
        span.in_scope(|| trace.fail("timeout"));
        span.record("error", false);
    });
    let spans = record.spans();
    let span = &spans[0];
    assert_eq!(span.field("error"), Some(&"timeout".into()));
    for (key, value) in
        [("field_error", false.into()), ("field_status", 200.into()), ("field_ms", Value::from(1))]
    {
        assert_eq!(span.field(key), Some(&value), "{key}");
    }
    assert_eq!((record.status().as_str(), record.capability()), ("timeout", "test"));
    // A field alone does not mark the span as failed.
    let record = traced(|_| drop(info_span!("fine", error = "theirs")));
    assert_eq!(record.spans()[0].field("error"), None);
}

#[test]
fn a_value_may_make_spans_itself() {
    struct Traced;
    impl fmt::Debug for Traced {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            info_span!("of the value", inner = ?"text").in_scope(|| f.write_str("shown"))
        }
    }
    let record = traced(|_| {
        let span = info_span!("outer", value = ?Traced);
        span.record("value", tracing::field::debug(Traced));
        Span::current().record("value", 1);
    });
    assert_eq!(record.spans()[0].field("value"), Some(&"shown".into()));
    // Not exactly: while a span begins, `tracing` gives the thread no dispatcher, and may remember that of the callsite.
    assert!((1..=3).contains(&record.span_count()));
}
