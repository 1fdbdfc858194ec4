//! The layer in a stack of `tracing-subscriber`.

use std::sync::{Arc, Mutex};

use obs_trace::{Trace, TraceRecord, current_trace, in_span, new_trace};
use tracing::dispatcher::{self, Dispatch};
use tracing::span::{Attributes, Id};
use tracing::subscriber::with_default;
use tracing::{Instrument, Span, Subscriber, info, info_span};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry;

use super::support::{self, log};

/// Another layer of the stack, which sees spans and events whatever ours does.
#[derive(Clone, Default)]
struct Other(Arc<Mutex<Vec<&'static str>>>);

impl<S: Subscriber> Layer<S> for Other {
    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        self.0.lock().unwrap().push(attributes.metadata().name());
    }

    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        self.0.lock().unwrap().push(event.metadata().target());
    }
}

/// Runs `f` in a trace and in a stack with our layer. Returns the record of the trace.
fn traced(f: impl FnOnce(&Trace)) -> Arc<TraceRecord> {
    log();
    let trace = new_trace("test");
    with_default(registry().with(Other::default()).with(obs_tracing::layer()), || trace.enter(|| f(&trace)));
    trace.finish().unwrap()
}

/// Name, parent's name and fields of each span.
fn spans(record: &TraceRecord) -> Vec<(&'static str, Option<&'static str>, String)> {
    let spans = record.spans();
    let fields = |span: &obs_trace::SpanRecord| serde_json::to_value(span).unwrap()["fields"].to_string();
    spans
        .iter()
        .map(|span| (span.name(), span.parent().map(|parent| spans[parent].name()), fields(span)))
        .collect()
}

fn all_in_all(trace: &Trace) {
    let outer = info_span!("outer", number = 1, error = "theirs", late = tracing::field::Empty);
    outer.in_scope(|| {
        assert_eq!(current_trace().as_ref(), Some(trace));
        assert_eq!(Span::current().id(), outer.id());
        in_span("ours", || info_span!("inner", wide = 5_i128).in_scope(|| {}));
        trace.fail("timeout");
    });
    outer.record("late", "text");
    let dispatch = dispatcher::get_default(Dispatch::clone);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (work, clone) = (async { in_span("task", || {}) }.instrument(outer.clone()), outer.clone());
    let elsewhere = move || {
        dispatcher::with_default(&dispatch, || {
            runtime.block_on(work);
            info_span!(parent: &clone, "child").in_scope(|| in_span("grandchild", || {}));
            assert!(current_trace().is_none());
        });
    };
    std::thread::spawn(elsewhere).join().unwrap();
    info_span!(parent: None, "root").in_scope(|| in_span("inside", || {}));
    let effect = info_span!("effect");
    let [in_outer, in_effect] = [outer.enter(), effect.enter()];
    drop(in_outer);
    in_span("in effect", || {});
    drop(in_effect);
    in_span("outside", || {});
}

#[test]
fn a_stack_records_the_spans_that_the_bridge_records() {
    let alone = support::traced(all_in_all);
    let stacked = traced(all_in_all);
    assert_eq!(spans(&stacked), spans(&alone));
    assert_eq!(alone.span_count(), 10, "{:?}", spans(&alone));
    assert_eq!(alone.dropped_spans() + stacked.dropped_spans(), 0);
    // Except for the IDs that it names.
    let follows =
        |record: &TraceRecord| record.spans().iter().any(|span| span.field("follows_from").is_some());
    assert!([support::traced(following), traced(following)].iter().all(|record| follows(record)));
}

fn following(_: &Trace) {
    let (cause, effect) = (info_span!("cause"), info_span!("effect"));
    effect.follows_from(&cause);
}

#[test]
fn other_layers_see_what_ours_does_not_want() {
    log();
    let other = Other::default();
    with_default(registry().with(obs_tracing::layer()).with(other.clone()), || {
        for _ in 0..2 {
            info_span!("without a trace").in_scope(|| assert!(current_trace().is_none()));
        }
        let record = new_trace("test").run(|| {
            info_span!("with a trace").in_scope(|| {});
            current_trace().unwrap()
        });
        assert_eq!(record.spans().len(), 1);
    });
    let seen = other.0.lock().unwrap();
    assert_eq!(*seen, ["without a trace", "without a trace", "with a trace"]);
}

#[test]
fn an_event_of_a_span_has_the_id_of_its_trace() {
    let capture = obs_log::Capture::new();
    let scope = capture.enter();
    let say = || {
        let trace = new_trace("test");
        let span = trace.enter(|| info_span!("span"));
        span.in_scope(|| info!("within"));
        info!(parent: &span, "of the span");
        info!("outside");
        trace.id().to_string()
    };
    let ids = [
        with_default(registry().with(obs_tracing::layer()), say),
        with_default(obs_tracing::Bridge::new(), say),
    ];
    drop(scope);
    let lines: Vec<_> = capture.lines().into_iter().filter(|line| line["msg"] != "done").collect();
    let found: Vec<_> =
        lines.iter().map(|line| (line["msg"].as_str().unwrap(), line["trace_id"].as_str())).collect();
    let expected =
        ids.iter().flat_map(|id| [("within", Some(id)), ("of the span", Some(id)), ("outside", None)]);
    let expected: Vec<_> = expected.map(|(message, id)| (message, id.map(String::as_str))).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_span_of_a_stack_ends_when_the_stack_goes() {
    log();
    let trace = new_trace("test");
    let stack = Dispatch::new(registry().with(obs_tracing::layer()));
    let span = dispatcher::with_default(&stack, || trace.enter(|| info_span!("span")));
    drop(stack);
    assert_eq!(trace.spans().len(), 0);
    drop(span);
    assert_eq!(trace.finish().unwrap().span_count(), 1);
}
