//! Records as readers see them.

use obs_trace::{Query, Store, TraceId, new_trace, new_trace_with_id};
use serde_json::{Value, json};

#[test]
fn a_record_has_the_form_of_trace_recent() {
    let id: TraceId = "01HXR3F2Q4T6V8X0Z2B4D6F8HJ".parse().unwrap();
    let trace = new_trace_with_id(id, "llm.\"chat\"\n");
    trace.enter(|| {
        obs_trace::span("forward")
            .field("to", "7H4G-Y9KL")
            .field("nan", f64::NAN)
            .field("big", u64::MAX)
            .field("to", "last one counts")
            .run(|| obs_trace::in_span("connect", || ()));
    });
    trace.fail("timeout");
    let record = trace.finish().unwrap();
    let mut json: Value = serde_json::from_str(&serde_json::to_string(&*record).unwrap()).unwrap();

    let started_at = json["started_at"].take();
    let started_at = started_at.as_str().unwrap();
    assert_eq!((started_at.len(), &started_at[19..20], &started_at[23..]), (24, ".", "Z"));
    for pointer in [
        "/duration_ms",
        "/spans/0/start_ms",
        "/spans/0/duration_ms",
        "/spans/1/start_ms",
        "/spans/1/duration_ms",
    ] {
        let number = json.pointer_mut(pointer).unwrap().take();
        assert!((0.0..1_000.0).contains(&number.as_f64().unwrap()), "{pointer}: {number}");
    }
    assert_eq!(
        json,
        json!({
            "trace_id": "01HXR3F2Q4T6V8X0Z2B4D6F8HJ",
            "capability": "llm.\"chat\"\n",
            "started_at": null,
            "duration_ms": null,
            "status": "timeout",
            "spans": [
                {"name": "forward", "parent": null, "start_ms": null, "duration_ms": null,
                 "fields": {"to": "last one counts", "nan": "NaN", "big": u64::MAX}},
                {"name": "connect", "parent": 0, "start_ms": null, "duration_ms": null, "fields": {}},
            ],
            "dropped_spans": 0,
        })
    );
}

#[test]
fn queries_filter_by_all_conditions() {
    let store = Store::default();
    let _scope = store.enter();
    let slow = new_trace("a");
    for number in 0..10 {
        let trace = new_trace(if number % 2 == 0 { "a" } else { "b" });
        if number % 5 == 0 {
            trace.fail("timeout");
        }
        trace.finish();
    }
    std::thread::sleep(std::time::Duration::from_millis(20));
    slow.finish();
    let count = |query: Query| store.query(&query).len();
    assert_eq!(count(Query::default()), 11);
    assert_eq!(count(Query::default().n(3)), 3);
    assert_eq!(count(Query::default().n(0)), 0);
    assert_eq!(count(Query::default().capability("a")), 6);
    assert_eq!(count(Query::default().status("timeout")), 2);
    assert_eq!(count(Query::default().capability("b").status("timeout")), 1);
    assert_eq!(count(Query::default().min_ms(15.0)), 1);
    assert_eq!(count(Query::default().min_ms(f64::INFINITY)), 0);
    assert_eq!(count(Query::default().min_ms(f64::NAN)), 11);
    assert_eq!(store.query(&Query::default().id(slow.id())).len(), 1);
    assert_eq!(store.query(&Query::default())[0].trace_id(), slow.id(), "newest first");
    assert_eq!(store.get_recent(1)[0].trace_id(), slow.id());
    assert_eq!(count(Query::default().failed()), 2);
    new_trace("a").cancel();
    assert_eq!(count(Query::default().failed()), 2, "a caller that went away is no failure");
    let slowest = store.query(&Query::default().slowest_first().n(2));
    assert_eq!(slowest[0].trace_id(), slow.id());
    assert!(slowest[0].duration() >= slowest[1].duration());
    let end: obs_trace::IdPattern = slow.id().to_string()[18..].parse().unwrap();
    assert_eq!(store.query(&Query::default().id_like(end))[0].trace_id(), slow.id());
}

#[test]
fn the_parts_of_two_nodes_are_joined_by_the_ids_of_spans() {
    let store = Store::default();
    let _scope = store.enter();
    let here = new_trace("llm.chat");
    let there = here.enter(|| {
        let sent = obs_trace::in_span("forward", || obs_trace::outgoing().unwrap().traceparent());
        let (id, span_id, flags) = obs_trace::propagation::parse_traceparent(&sent).unwrap();
        obs_trace::new_trace_from(obs_trace::Remote::new(id).parent(span_id).flags(flags), "llm.chat")
    });
    let json = |record: &obs_trace::TraceRecord| serde_json::to_value(record.with_span_ids()).unwrap();
    let (there, here) = (json(&there.finish().unwrap()), json(&here.finish().unwrap()));
    assert_eq!(there["parent_span_id"], here["spans"][0]["span_id"]);
    assert_eq!(here["parent_span_id"], Value::Null);
    assert_eq!(here["spans"][0]["name"], "forward");
    for member in ["trace_id", "capability", "started_at", "duration_ms", "status", "dropped_spans"] {
        assert!(!here[member].is_null(), "{member}");
    }
}

#[test]
fn running_traces_are_listed_oldest_first() {
    let store = Store::default();
    let _scope = store.enter();
    let traces = ["a", "b", "c"].map(|name| {
        std::thread::sleep(std::time::Duration::from_millis(2));
        new_trace(name)
    });
    traces[1].finish();
    traces[2].enter(|| obs_trace::in_span("done", || ()));
    let active = store.active();
    let names: Vec<_> = active.iter().map(|active| active.trace().capability()).collect();
    assert_eq!(names, ["a", "c"]);
    let json = serde_json::to_value(&active[1]).unwrap();
    assert_eq!(
        (&json["capability"], &json["spans"][0]["name"], &json["status"]),
        (&json!("c"), &json!("done"), &json!("ok"))
    );
    drop(active);
    drop(traces);
    assert_eq!(store.active().len(), 0);
}

#[test]
fn the_current_id_is_passed_as_text() {
    let trace = new_trace("id");
    let mut found = Vec::new();
    trace.enter(|| obs_trace::with_current_id(&mut |id| found.push(id.to_owned())));
    assert_eq!(found, [trace.id().to_string()]);
    trace.finish();
}

/// Handles may be moved between threads and into `catch_unwind`.
#[test]
fn handles_are_send_sync_and_unwind_safe() {
    fn check<T: Send + Sync + std::panic::UnwindSafe + std::panic::RefUnwindSafe>() {}
    check::<obs_trace::Trace>();
    check::<obs_trace::TraceRecord>();
    check::<obs_trace::Span>();
    check::<obs_trace::SpanBuilder>();
    check::<obs_trace::Outgoing>();
    check::<Store>();
}
