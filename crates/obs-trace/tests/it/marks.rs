//! Marks of peers: which traces they keep, and whose traces they cannot evict.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};

use obs_trace::{
    Config, Marked, Marker, NameNumbers, Observer, Query, Store, TraceId, TraceRecord, new_trace,
};

const ADA: &str = "ed25519:ada";
const EVE: &str = "ed25519:eve";

/// A store that forgets its completed traces soon.
fn small(kept_failed: usize) -> Store {
    Store::new(Config::default().ring_capacity(10).kept_per_capability(1).kept_failed(kept_failed)).unwrap()
}

/// Ends a trace that `peer` asked for.
fn asked_by(peer: &str) -> TraceId {
    let trace = new_trace("llm.chat");
    trace.set_origin(peer);
    trace.finish().unwrap().trace_id()
}

/// Ends so many traces that the ring forgets all others.
fn flood() {
    (0..200).for_each(|_| drop(new_trace("flood").finish()));
}

fn is_there(store: &Store, id: TraceId) -> bool {
    !store.query(&Query::default().id(id)).is_empty()
}

/// Traces of which a part failed, as an observer is told of them.
#[derive(Default)]
struct Told(Mutex<Vec<TraceId>>);

impl Observer for Told {
    fn completed(&self, record: &TraceRecord) {
        self.0.lock().unwrap().push(record.trace_id());
    }
}

#[test]
fn a_mark_counts_for_a_trace_that_its_peer_asked_for() {
    let store = small(100);
    let _scope = store.enter();
    let (own, foreign) = (asked_by(ADA), asked_by(EVE));
    let unsigned = new_trace("llm.chat").finish().unwrap().trace_id();
    let guessed = TraceId::generate();
    let ids = [own, foreign, unsigned, guessed];
    let expected = [Marked::Kept, Marked::Foreign, Marked::Foreign, Marked::Unknown];
    assert_eq!(store.mark(Marker::peer(ADA), &ids), expected);
    assert_eq!(store.mark(Marker::peer(ADA), &[own, own]), [Marked::Known; 2]);
    flood();
    assert!(is_there(&store, own));
    assert!(!is_there(&store, foreign) && !is_there(&store, unsigned));
    assert_eq!(store.mark(Marker::peer(ADA), &[own]), [Marked::Known], "found beside the ring too");
    assert_eq!(store.stats().marked, 1);
}

#[test]
fn the_first_proven_peer_counts() {
    let store = small(100);
    let _scope = store.enter();
    let trace = new_trace("llm.chat");
    trace.set_origin(ADA);
    trace.set_origin(EVE);
    trace.finish();
    assert_eq!(store.mark(Marker::peer(EVE), &[trace.id()]), [Marked::Foreign]);
    assert_eq!(store.mark(Marker::peer(ADA), &[trace.id()]), [Marked::Kept]);
}

#[test]
fn a_running_trace_is_marked_and_kept_at_its_end() {
    let (store, told) = (small(100), Arc::new(Told::default()));
    let _scope = store.enter();
    assert!(store.observe_broken(told.clone()));
    let (by_caller, by_answer) = (new_trace("llm.chat"), new_trace("llm.chat"));
    by_caller.set_origin(ADA);
    assert_eq!(store.mark(Marker::peer(ADA), &[by_caller.id()]), [Marked::Kept]);
    assert!(by_answer.mark(EVE) && !by_answer.mark(ADA), "the first mark counts");
    assert!(by_caller.is_broken() && by_answer.is_broken());
    assert!(told.0.lock().unwrap().is_empty(), "not before the end");
    for trace in [by_caller, by_answer] {
        let record = trace.finish().unwrap();
        assert!(record.is_marked() && record.status().is_ok());
        flood();
        assert!(is_there(&store, record.trace_id()));
    }
    assert_eq!(told.0.lock().unwrap().len(), 2);
}

#[test]
fn a_failed_trace_needs_no_mark_and_is_told_once() {
    let (store, told) = (small(100), Arc::new(Told::default()));
    let _scope = store.enter();
    store.observe_broken(told.clone());
    let failed: Vec<_> = (0..50)
        .map(|_| {
            let trace = new_trace("llm.chat");
            trace.set_origin(ADA);
            trace.fail("timeout");
            assert!(trace.is_broken() && !trace.mark(EVE));
            trace.finish().unwrap().trace_id()
        })
        .collect();
    let cancelled = new_trace("llm.chat");
    cancelled.set_origin(ADA);
    cancelled.cancel();
    assert_eq!(store.mark(Marker::peer(ADA), &failed), [Marked::Known; 50]);
    flood();
    assert!(failed.iter().all(|id| is_there(&store, *id)));
    assert_eq!(*told.0.lock().unwrap(), failed, "a caller that went away is no failure");
    assert_eq!(store.mark(Marker::peer(ADA), &[cancelled.id()]), [Marked::Kept]);
    assert_eq!(told.0.lock().unwrap().len(), 51);
}

/// Ends a trace of `llm.chat` that failed.
fn failed(code: &str) -> TraceId {
    let trace = new_trace("llm.chat");
    trace.fail(code);
    trace.finish().unwrap().trace_id()
}

#[test]
fn mistakes_of_callers_evict_no_fault_of_the_node() {
    let store = small(100);
    let _scope = store.enter();
    let faults: Vec<_> = (0..40).map(|_| failed("internal_error")).collect();
    for code in ["rate_limited", "bad_request", "http_4xx"] {
        for _ in 0..500 {
            failed(code);
        }
    }
    assert!(faults.iter().all(|id| is_there(&store, *id)));
    let failed_ones = store.query(&Query::default().n(1_000).failed()).len();
    assert!(
        (100..=111).contains(&failed_ones),
        "{failed_ones}: those of the ring and the last of the capability"
    );
    // The other way round too.
    for _ in 0..500 {
        failed("timeout");
    }
    let mistakes = store.query(&Query::default().n(1_000).status("http_4xx")).len();
    assert!((45..=61).contains(&mistakes), "{mistakes}");
}

#[test]
fn marks_of_one_peer_evict_neither_failed_traces_nor_those_of_another_peer() {
    let store = small(100);
    let _scope = store.enter();
    let failed = new_trace("llm.chat");
    failed.fail("timeout");
    failed.finish();
    let of_ada: Vec<_> = (0..40).map(|_| asked_by(ADA)).collect();
    // The ring of ten has not forgotten the last ones.
    let marked: Vec<_> =
        of_ada.iter().filter(|id| store.mark(Marker::peer(ADA), &[**id]) == [Marked::Kept]).collect();
    assert!(marked.len() >= 10, "{}", marked.len());
    // A hostile peer makes calls, and marks each of them.
    for number in 0..1_500 {
        let id = asked_by(EVE);
        assert_eq!(store.mark(Marker::peer(EVE), &[id]), [Marked::Kept], "{number}");
    }
    // Strangers are many, and have one share together.
    for number in 0..1_500 {
        let stranger = format!("ed25519:{number}");
        let id = asked_by(&stranger);
        assert_eq!(store.mark(Marker::stranger(&stranger), &[id]), [Marked::Kept]);
    }
    assert!(is_there(&store, failed.id()));
    assert!(marked.iter().all(|id| is_there(&store, **id)));
    let kept = store.retained().iter().filter(|record| record.is_marked()).count();
    assert!(kept <= 100 + 4, "{kept}");
    assert!(store.stats().broken_evicted >= 2_900);
}

#[test]
fn guessed_marks_keep_and_evict_nothing() {
    let store = small(20);
    let _scope = store.enter();
    let marked = asked_by(ADA);
    store.mark(Marker::peer(ADA), &[marked]);
    flood();
    let retained = store.retained().len();
    for _ in 0..100 {
        let guessed: Vec<_> = (0..100).map(|_| TraceId::generate()).collect();
        assert_eq!(store.mark(Marker::peer(EVE), &guessed), [Marked::Unknown; 100]);
        assert_eq!(store.mark(Marker::stranger(EVE), &[marked]), [Marked::Foreign]);
    }
    assert_eq!(store.retained().len(), retained);
    assert!(is_there(&store, marked));
}

#[test]
fn a_mark_that_races_with_the_end_is_kept_and_told_once() {
    let told = Arc::new(Told::default());
    let store = Store::new(Config::default().ring_capacity(10).kept_failed(10_000)).unwrap();
    store.observe_broken(told.clone());
    let _scope = store.enter();
    let kept = AtomicUsize::new(0);
    let traces: Vec<_> = (0..500).map(|_| new_trace("llm.chat")).collect();
    traces.iter().for_each(|trace| trace.set_origin(ADA));
    let barrier = Barrier::new(2);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for trace in &traces {
                barrier.wait();
                trace.finish();
            }
        });
        scope.spawn(|| {
            for trace in &traces {
                barrier.wait();
                kept.fetch_add(usize::from(trace.mark(ADA)), Ordering::Relaxed);
            }
        });
    });
    assert_eq!(kept.load(Ordering::Relaxed), traces.len());
    let told = told.0.lock().unwrap();
    assert_eq!((told.len(), told.iter().collect::<HashSet<_>>().len()), (500, 500));
    assert_eq!(store.retained().iter().filter(|record| record.is_marked()).count(), 500);
}

#[test]
fn a_mark_outlives_the_process() {
    let packed = {
        let store = small(10);
        let _scope = store.enter();
        let id = asked_by(ADA);
        store.mark(Marker::peer(ADA), &[id]);
        let mut packed = Vec::new();
        store.retained()[0].pack(&NameNumbers::new(|_| 1), &mut packed);
        packed
    };
    let store = small(10);
    let _scope = store.enter();
    store.restore([TraceRecord::unpack(&packed, |_| None)].into_iter());
    let restored = store.get_recent(1)[0].trace_id();
    flood();
    assert!(is_there(&store, restored));
    assert_eq!(
        store.mark(Marker::peer(ADA), &[restored]),
        [Marked::Foreign],
        "its caller is not known any more"
    );
}
