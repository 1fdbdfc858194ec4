//! Protocols between threads of slots, records and shards, in every order in which the threads can run.
//!
//! Loom runs each model once for every order, up to a number of preemptions, and lets a relaxed load return every value
//! that the memory model allows. The code is that of `record/` and `store/` itself: see `sync/mod.rs`. In a model a trace
//! has four slots in three steps, and a store has two shards. `cargo xtask sanitize` and CI run the models.

use std::sync::Arc;

use loom::thread;

use crate::record::{Beginning, Outcome, SPAN_LIMIT, SpanIndex};
use crate::store::Assignment;
use crate::{Config, Store, TraceRecord};

/// Number of times that a thread loses the processor where it could go on, unless `LOOM_MAX_PREEMPTIONS` says otherwise.
/// Two show every fault that was put in on purpose. Three take a few seconds.
const PREEMPTIONS: usize = 3;

fn check(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(PREEMPTIONS);
    builder.check(model);
}

/// Checks a model whose first thread begins traces in a store.
fn check_in_a_shard(model: impl Fn() + Sync + Send + 'static) {
    check(move || Assignment::new().with_shard(|_| model()));
}

fn store(capacity: usize) -> Store {
    // One capability and no kept traces: the directory of capabilities is not part of the models.
    let config = Config::default().ring_capacity(capacity).max_capabilities(1).kept_per_capability(0);
    Store::new(config).unwrap()
}

/// Makes a record that is in no store yet. Its sink is gone, so nothing counts its end.
fn record() -> Arc<TraceRecord> {
    let (limits, sink) = (store(1).limits(), Some(store(1).sink()));
    TraceRecord::begin(None, Beginning::now(None, "model", limits, sink))
}

fn begin(record: &TraceRecord, name: &'static str, parent: Option<SpanIndex>) -> SpanIndex {
    record.begin_span(name, parent).expect("there is a slot and the trace runs")
}

/// A reader that sees a closed span sees all of it.
#[test]
fn a_closed_span_is_read_whole() {
    check(|| {
        let record = record();
        let writer = {
            let record = Arc::clone(&record);
            thread::spawn(move || {
                let outer = begin(&record, "outer", None);
                let inner = begin(&record, "inner", Some(outer));
                record.close_span(inner);
                record.close_span(outer);
            })
        };
        let spans = record.spans();
        for span in &spans {
            let parent = span.parent().map(|parent| spans[parent].name());
            match span.name() {
                "outer" => assert_eq!(parent, None),
                // The outer span may still be open, and then it is not in the list.
                "inner" => assert!(parent.is_none_or(|parent| parent == "outer")),
                other => panic!("the name of an open slot was read: {other}"),
            }
            assert!(!span.start().is_zero(), "the beginning was not read");
        }
        writer.join().unwrap();
        assert_eq!(record.spans()[1].parent(), Some(0));
        record.finish(Outcome::Ok);
    });
}

/// Threads that begin spans at once get different slots, also where slots are allocated on the way.
#[test]
fn spans_of_two_threads_have_their_own_slots() {
    check(|| {
        let record = record();
        let threads = ["left", "right"].map(|name| {
            let record = Arc::clone(&record);
            thread::spawn(move || {
                let first = begin(&record, name, None);
                let second = begin(&record, name, Some(first));
                [second, first].into_iter().for_each(|span| record.close_span(span));
            })
        });
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let record = record.finish(Outcome::Ok).unwrap();
        let spans = record.spans();
        assert_eq!((spans.len(), record.dropped_spans()), (SPAN_LIMIT, 0));
        for name in ["left", "right"] {
            let own: Vec<_> = spans.iter().filter(|span| span.name() == name).collect();
            let parents: Vec<_> =
                own.iter().map(|span| span.parent().map(|parent| spans[parent].name())).collect();
            assert_eq!(parents, [None, Some(name)]);
        }
    });
}

/// Each span that begins beside the end of its trace is kept, or dropped and counted, or late and counted.
#[test]
fn a_span_beside_the_end_is_on_one_side_of_it() {
    check_in_a_shard(|| {
        let store = store(4);
        let record = running(&store);
        let writer = {
            let record = Arc::clone(&record);
            thread::spawn(move || {
                if let Some(span) = record.begin_span("beside", None) {
                    record.close_span(span);
                }
            })
        };
        let ended = record.finish(Outcome::Ok).unwrap();
        let kept = ended.spans().len();
        writer.join().unwrap();
        assert_eq!(ended.spans().len(), kept, "the record changed after its end");
        assert_eq!(kept as u64 + ended.dropped_spans(), 1);
        let stats = store.stats();
        assert_eq!(kept as u64 + stats.dropped_spans, 1, "{stats:?}");
    });
}

/// One of two ends counts. A reader that sees the trace fixed sees its spans.
#[test]
fn a_trace_ends_once_and_a_reader_sees_the_whole_record() {
    check(|| {
        let record = record();
        record.close_span(begin(&record, "step", None));
        let ends = [Outcome::Ok, Outcome::Cancelled].map(|outcome| {
            let record = Arc::clone(&record);
            thread::spawn(move || record.finish(outcome).is_some())
        });
        if record.is_fixed() {
            assert_eq!(record.span_count(), 1);
            assert_eq!(record.spans().len(), 1);
        }
        let ended = ends.into_iter().map(|end| end.join().unwrap());
        assert_eq!(ended.filter(|ended| *ended).count(), 1);
    });
}

/// A field that is set beside the end is in the record or counted as dropped, and the record's size includes it.
#[test]
fn a_field_beside_the_end_is_kept_or_counted() {
    check_in_a_shard(|| {
        let store = store(4);
        let record = running(&store);
        let span = begin(&record, "step", None);
        let writer = {
            let record = Arc::clone(&record);
            thread::spawn(move || record.set_field(span, "key", "a text that needs an allocation".into()))
        };
        record.close_span(span);
        let ended = record.finish(Outcome::Ok).unwrap();
        let fields = || ended.spans()[0].fields().len() as u64;
        let kept = fields();
        writer.join().unwrap();
        assert_eq!(fields(), kept, "the record changed after its end");
        assert_eq!(kept + store.stats().dropped_fields, 1);
    });
}

/// Begins a trace in a store, as `new_trace` does.
fn running(store: &Store) -> Arc<TraceRecord> {
    store.begin(None, "model", Some(store.sink()))
}

/// Runs the same work on two threads, each with a shard of its own assignment's.
fn on_two_threads(work: impl Fn() + Send + Sync + 'static) -> [thread::JoinHandle<usize>; 2] {
    let (assignment, work) = (Arc::new(Assignment::new()), Arc::new(work));
    [(); 2].map(|()| {
        let (assignment, work) = (Arc::clone(&assignment), Arc::clone(&work));
        thread::spawn(move || {
            assignment.with_shard(|shard| {
                work();
                shard
            })
        })
    })
}

/// A trace is running or completed, and never neither, for a reader that looks at both in this order.
#[test]
fn a_trace_is_always_found() {
    check_in_a_shard(|| {
        let store = store(4);
        let record = running(&store);
        let id = record.trace_id();
        let end = thread::spawn(move || drop(record.finish(Outcome::Ok)));
        let is_running = store.active().iter().any(|active| active.trace().id() == id);
        assert!(is_running || store.get_recent(1).iter().any(|record| record.trace_id() == id));
        end.join().unwrap();
        let stats = store.stats();
        assert_eq!((stats.active, stats.completed, store.get_recent(9).len()), (0, 1, 1));
    });
}

/// A record that a reader holds is not used for another trace.
#[test]
fn the_memory_of_a_record_that_is_read_is_not_used_again() {
    check_in_a_shard(|| {
        let store = store(1);
        running(&store).finish(Outcome::Ok);
        let reader = {
            let store = store.clone();
            thread::spawn(move || {
                let read = store.get_recent(1);
                let ids = || read.iter().map(|record| record.trace_id()).collect::<Vec<_>>();
                let before = ids();
                assert!(read.iter().all(|record| record.is_fixed()));
                assert_eq!(ids(), before, "the record changed while it was read");
            })
        };
        // The second one ends the stay of the first one in the ring, and the third one begins in spare memory.
        running(&store).finish(Outcome::Ok);
        running(&store).finish(Outcome::Ok);
        reader.join().unwrap();
    });
}

/// Threads that end traces at once lose none, and the ring keeps the newest within its capacity.
#[test]
fn shards_of_two_threads_lose_no_trace() {
    check(|| {
        let store = store(1);
        let threads = on_two_threads({
            let store = store.clone();
            move || drop(running(&store).finish(Outcome::Ok))
        });
        let seen = store.stats();
        assert!(seen.completed + seen.active as u64 <= 2);
        threads.into_iter().for_each(|thread| _ = thread.join().unwrap());
        let stats = store.stats();
        assert_eq!((stats.completed, stats.active), (2, 0));
        let recent = store.get_recent(9);
        assert_eq!(recent.len(), 1, "the capacity");
        // The tickets below 2^40 are for restored traces.
        let ticket = recent[0].ticket().load(loom::sync::atomic::Ordering::Relaxed);
        assert_eq!(ticket, (1 << 40) + 1, "the newest");
    });
}

/// Threads that run at once have different shards. A thread that ends leaves its shard to the next one.
#[test]
fn a_shard_has_one_thread_at_a_time() {
    check(|| {
        let owners = Arc::new([(); 2].map(|()| loom::sync::atomic::AtomicUsize::new(0)));
        let assignment = Arc::new(Assignment::new());
        let threads = [(); 2].map(|()| {
            let (owners, assignment) = (Arc::clone(&owners), Arc::clone(&assignment));
            thread::spawn(move || {
                assignment.with_shard(|shard| {
                    let order = loom::sync::atomic::Ordering::AcqRel;
                    assert_eq!(owners[shard].fetch_add(1, order), 0, "two threads own a shard");
                    owners[shard].fetch_sub(1, order);
                });
            })
        });
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}
