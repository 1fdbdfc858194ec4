//! Records whose memory is used again.

use std::collections::HashSet;
use std::sync::Arc;

use obs_trace::{Config, Marker, Remote, SpanId, Store, TraceId, TraceRecord, new_trace, new_trace_from};

/// A store with so small a ring that most traces use the memory of earlier ones.
fn small_store() -> Store {
    Store::new(Config::default().ring_capacity(1).kept_per_capability(0).kept_failed(0)).unwrap()
}

fn json(record: &TraceRecord) -> serde_json::Value {
    serde_json::to_value(record.with_span_ids()).unwrap()
}

/// A trace that sets everything that a record can hold, in memory that stays small enough to be used again. One that failed
/// cannot be marked too.
fn full_trace(store: &Store, fails: bool) -> Arc<TraceRecord> {
    let parent = SpanId::from_bytes([7; 8]).unwrap();
    let trace = new_trace_from(Remote::new(TraceId::generate()).parent(parent), "llm.chat");
    trace.set_origin("ed25519:ada");
    trace.set_done_field("address", "192.0.2.7");
    let open = trace.enter(|| {
        // More than the memory is kept for.
        (0..17).for_each(|_| obs_trace::in_span("step", || ()));
        obs_trace::in_span("step", || trace.set_field("key", "a text that needs an allocation"));
        if fails {
            trace.fail("timeout");
        }
        obs_trace::span("open").enter()
    });
    store.mark(Marker::peer("ed25519:ada"), &[trace.id()]);
    let record = trace.finish().unwrap();
    drop(open);
    record
}

#[test]
fn a_record_in_used_memory_has_nothing_of_the_trace_before() {
    let store = small_store();
    let _scope = store.enter();
    let (mut places_of_full, mut places) = (HashSet::new(), HashSet::new());
    for round in 0..40 {
        let fails = round % 2 == 0;
        let full = full_trace(&store, fails);
        assert_eq!((full.spans().len(), full.dropped_spans(), full.is_marked()), (18, 1, !fails), "{round}");
        assert_eq!((full.status().is_ok(), full.parent_span_id().is_some()), (!fails, true));
        places_of_full.insert(Arc::as_ptr(&full).addr());
        drop(full);
        for capability in ["rag.query", "a.capability.whose.name.needs.an.allocation", "rag.query"] {
            let trace = new_trace(capability);
            assert!(!trace.is_ended() && trace.status().is_ok() && trace.spans().is_empty());
            assert!(!store.get_recent(1).iter().any(|record| record.trace_id() == trace.id()));
            trace.enter(|| obs_trace::in_span("search", || ()));
            let record = trace.finish().unwrap();
            assert_eq!((record.capability(), record.spans().len()), (capability, 1));
            assert!(record.spans()[0].fields().is_empty());
            assert!(record.status().is_ok() && record.parent_span_id().is_none() && !record.is_marked());
            assert_eq!((record.dropped_spans(), record.is_restored()), (0, false));
            assert!(record.blocked().is_zero());
            places.insert(Arc::as_ptr(&record).addr());
        }
    }
    assert!(places.len() < 40 && places_of_full.is_subset(&places), "{places_of_full:?} {places:?}");
}

#[test]
fn a_record_that_somebody_holds_stays_as_it_is() {
    let store = small_store();
    let _scope = store.enter();
    let held: Vec<_> = (0..30)
        .map(|round| {
            let record = full_trace(&store, round % 2 == 0);
            (json(&record), record)
        })
        .collect();
    let weak = Arc::downgrade(&new_trace("weak").finish().unwrap());
    for _ in 0..100 {
        new_trace("rag.query").run(|| obs_trace::in_span("search", || ()));
        assert!(weak.upgrade().is_none_or(|record| record.capability() == "weak"));
    }
    for (before, record) in held {
        assert_eq!(json(&record), before);
    }
}

/// Handles of ended traces do nothing to the traces that came after them.
#[test]
fn handles_of_ended_traces_do_not_reach_later_ones() {
    let store = small_store();
    let _scope = store.enter();
    for _ in 0..50 {
        let ended = new_trace("ended");
        let span = ended.enter(|| obs_trace::span("late").enter());
        ended.finish();
        let later: Vec<_> = (0..3).map(|_| new_trace("later")).collect();
        ended.fail("late");
        ended.enter(|| obs_trace::in_span("late", || ()));
        drop(span);
        assert!(ended.finish().is_none());
        for trace in later {
            let record = trace.finish().unwrap();
            assert!(record.status().is_ok() && record.spans().is_empty());
        }
    }
}
