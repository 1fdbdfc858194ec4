//! Ends of a trace.

use obs_trace::{Config, Store, new_trace};

#[test]
fn a_failed_scope_has_the_status_of_the_first_code() {
    let store = Store::default();
    let _scope = store.enter();
    let trace = new_trace("llm.chat");
    trace.run(|| {
        obs_trace::in_span("forward", || {
            let trace = obs_trace::current_trace().unwrap();
            trace.fail("ok");
            trace.fail("");
            assert!(trace.status().is_ok());
            trace.fail("timeout");
        });
        obs_trace::current_trace().unwrap().fail("internal_error");
    });
    let record = &store.get_recent(1)[0];
    assert_eq!(record.status().as_str(), "timeout");
    assert_eq!(record.spans()[0].field("error"), Some(&"timeout".into()));
    assert_eq!((store.stats().failed, store.stats().completed), (1, 1));
}

#[test]
fn nothing_changes_after_the_end() {
    let trace = new_trace("ended");
    let span = trace.enter(|| obs_trace::span("open").enter());
    let record = trace.finish().unwrap();
    let before = serde_json::to_string(&*record).unwrap();
    trace.fail("timeout");
    span.set_field("late", 1);
    span.fail("late");
    drop(span);
    assert!(trace.finish().is_none() && trace.cancel().is_none());
    std::thread::sleep(std::time::Duration::from_millis(2));
    assert_eq!(serde_json::to_string(&*record).unwrap(), before);
    assert_eq!((record.spans().len(), record.dropped_spans()), (0, 1));
}

#[test]
fn a_hostile_code_is_bounded() {
    let trace = new_trace("code");
    trace.fail(&"ü".repeat(1_000));
    assert!(trace.status().as_str().len() <= 64);
    trace.finish();
}

#[test]
fn the_drop_of_the_last_handle_ends_the_trace() {
    let store = Store::new(Config::default()).unwrap();
    let _scope = store.enter();
    let trace = new_trace("dropped");
    let copy = trace.clone();
    drop(trace);
    assert_eq!((store.active().len(), store.get_recent(1).len()), (1, 0));
    trace_spans(&copy);
    let id = copy.id();
    drop(copy);
    assert_eq!(store.active().len(), 0);
    let record = &store.get_recent(1)[0];
    assert_eq!((record.trace_id(), record.status().as_str()), (id, "cancelled"));
    assert_eq!(record.spans().len(), 20, "all spans are in the record");
}

fn trace_spans(trace: &obs_trace::Trace) {
    trace.enter(|| (0..20).for_each(|number| drop(obs_trace::span("s").field("n", number).enter())));
}
