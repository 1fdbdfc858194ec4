//! Limits of a store.

use std::sync::mpsc;
use std::sync::{Arc, Weak};

use obs_trace::{Config, Query, Store, TraceRecord, new_trace};

fn store(config: Config) -> Store {
    Store::new(config).unwrap()
}

#[test]
fn the_ring_holds_the_last_traces() {
    let store = store(Config::default().ring_capacity(100).kept_per_capability(0));
    let _scope = store.enter();
    let ids: Vec<_> = (0..1_000).map(|_| new_trace("flood").finish().unwrap().trace_id()).collect();
    let recent: Vec<_> = store.get_recent(1_000).iter().map(|record| record.trace_id()).collect();
    assert_eq!(recent, ids[900..].iter().rev().copied().collect::<Vec<_>>());
    assert_eq!(store.stats().completed, 1_000);
}

#[test]
fn the_ring_is_bounded_in_bytes() {
    let limit = 256 << 10;
    let store = store(Config::default().ring_bytes(limit).kept_per_capability(0));
    let _scope = store.enter();
    for _ in 0..2_000 {
        let trace = new_trace("big");
        trace.enter(|| {
            (0..100).for_each(|_| drop(obs_trace::span("s").field("text", "x".repeat(100)).enter()))
        });
        trace.finish();
        assert!(store.stats().ring_bytes <= limit);
    }
    let kept = store.get_recent(10_000);
    assert!((10..100).contains(&kept.len()), "{}", kept.len());
}

/// Threads that run closures on demand.
struct Workers(Vec<mpsc::Sender<Box<dyn FnOnce() + Send>>>);

impl Workers {
    fn new(store: &Store, count: usize) -> Workers {
        Workers(
            (0..count)
                .map(|_| {
                    let (sender, receiver) = mpsc::channel::<Box<dyn FnOnce() + Send>>();
                    let store = store.clone();
                    std::thread::spawn(move || {
                        let _scope = store.enter();
                        receiver.iter().for_each(|work| work());
                    });
                    sender
                })
                .collect(),
        )
    }

    /// Runs `work` on one of the threads and returns its result.
    fn on<R: Send + 'static>(&self, number: usize, work: impl FnOnce() -> R + Send + 'static) -> R {
        let (reply, result) = mpsc::channel();
        self.0[number].send(Box::new(move || reply.send(work()).unwrap())).unwrap();
        result.recv().unwrap()
    }
}

fn big(number: usize) -> Arc<TraceRecord> {
    let trace = new_trace("big");
    trace.enter(|| {
        (0..number % 97).for_each(|_| drop(obs_trace::span("s").field("text", "x".repeat(100)).enter()))
    });
    trace.finish().unwrap()
}

#[test]
fn the_ring_holds_the_last_traces_of_all_threads() {
    let store = store(Config::default().ring_capacity(100).kept_per_capability(0));
    // More threads than shards.
    let workers = Workers::new(&store, 20);
    let mut ids = Vec::new();
    for number in 0..3_000_usize {
        // All threads in turn, then each for a long time, then one that has been idle.
        let worker = [number, number / 70, number * number / 7][number / 1_000] % 20;
        ids.push(workers.on(worker, || new_trace("flood").finish().unwrap().trace_id()));
        if number % 37 == 0 {
            let recent: Vec<_> = store.get_recent(1_000).iter().map(|record| record.trace_id()).collect();
            assert_eq!(recent, ids.iter().rev().take(100).copied().collect::<Vec<_>>());
        }
    }
    assert_eq!(store.stats().completed, 3_000);
}

/// Traces of a thread are evicted as other threads end traces, also if the thread never ends one again.
#[test]
fn an_idle_thread_keeps_no_memory() {
    let store = store(Config::default().ring_capacity(2_000).kept_per_capability(0));
    let workers = Workers::new(&store, 3);
    let many = |count: usize| {
        move || (0..count).map(|_| Arc::downgrade(&new_trace("t").finish().unwrap())).collect::<Vec<_>>()
    };
    let mut all = workers.on(0, many(2_000));
    let full = store.stats().ring_bytes;
    all.extend(workers.on(1, many(700)));
    for round in 0..8 {
        all.extend(workers.on(1 + round % 2, many(500)));
        let alive = all.iter().filter(|weak| Weak::strong_count(weak) > 0).count();
        // A shard may be late by a sixty-fourth of the capacity.
        assert!((2_000..2_100).contains(&alive), "{alive}");
        assert!(store.stats().ring_bytes <= full / 2_000 * 2_100);
        assert_eq!(store.get_recent(10_000).len(), 2_000);
    }
    // Each thread's shard may keep eight records, whose memory its next traces use.
    assert!(all[..3_000].iter().filter(|weak| Weak::strong_count(weak) > 0).count() <= 3 * 8);
}

#[test]
fn the_ring_of_several_threads_is_bounded_in_bytes_and_evicts_the_oldest() {
    let limit = 1 << 20;
    let store = store(Config::default().ring_bytes(limit).kept_per_capability(0));
    let workers = Workers::new(&store, 3);
    let mut ids = Vec::new();
    for number in 0..1_500 {
        ids.push(workers.on(number / 9 % 3, move || big(number).trace_id()));
        assert!(store.stats().ring_bytes <= limit);
    }
    let kept = store.get_recent(10_000);
    assert!((50..400).contains(&kept.len()), "{}", kept.len());
    let kept: Vec<_> = kept.iter().map(|record| record.trace_id()).collect();
    assert_eq!(kept, ids.iter().rev().take(kept.len()).copied().collect::<Vec<_>>());
    // The same holds when the limit changes. `usize::MAX` is a valid limit.
    for bytes in [300 << 10, usize::MAX] {
        store.configure(&Config::default().ring_bytes(bytes).kept_per_capability(0)).unwrap();
        let fewer: Vec<_> = store.get_recent(10_000).iter().map(|record| record.trace_id()).collect();
        assert!((10..100).contains(&fewer.len()), "{}", fewer.len());
        assert_eq!(fewer, kept[..fewer.len()]);
        assert!(store.stats().ring_bytes <= 300 << 10);
    }
    ids.clear();
    (0..300).for_each(|number| ids.push(workers.on(number % 3, move || big(number).trace_id())));
    let recent: Vec<_> = store.get_recent(300).iter().map(|record| record.trace_id()).collect();
    assert_eq!(recent, ids.iter().rev().copied().collect::<Vec<_>>());
}

#[test]
fn fields_are_bounded_in_size_and_number() {
    let store = store(Config::default().max_field_bytes(32));
    let _scope = store.enter();
    let trace = new_trace("fields");
    trace.enter(|| {
        let long = obs_trace::span("long").field("text", "ü".repeat(1_000)).enter();
        for number in 0..127 {
            let span = obs_trace::span("many").enter();
            for key in ["a", "b", "c"] {
                span.set_field(key, number);
            }
        }
        drop(long);
    });
    let record = trace.finish().unwrap();
    let text = record.spans()[0].field("text").unwrap().to_string();
    assert!(text.len() <= 32 && text.ends_with('…') && text.starts_with('ü'));
    let fields: usize = record.spans().iter().map(|span| span.fields().len()).sum();
    assert_eq!(fields, 256);
    assert_eq!(store.stats().dropped_fields, 1 + 127 * 3 - 256);
}

#[test]
fn a_flood_does_not_evict_errors_and_slow_traces() {
    let store = store(Config::default().ring_capacity(50).kept_per_capability(3).max_capabilities(4));
    let _scope = store.enter();
    let error = new_trace("llm.chat");
    error.fail("timeout");
    error.finish();
    let slow = new_trace("llm.chat");
    std::thread::sleep(std::time::Duration::from_millis(30));
    slow.finish();
    for number in 0..5_000 {
        new_trace(&format!("flood.{number}")).finish();
        new_trace("llm.chat").finish();
    }
    assert_eq!(store.query(&Query::default().id(error.id())).len(), 1);
    assert_eq!(store.query(&Query::default().id(slow.id()).min_ms(30.0)).len(), 1);
    assert_eq!(store.query(&Query::default().status("timeout")).len(), 1);
    let all = store.query(&Query::default().n(100_000));
    assert!(all.len() <= 50 + 5 * 2 * 3, "{}", all.len());
    assert!(store.get_recent(100).iter().all(|record| record.trace_id() != slow.id()), "not in the ring");
}

/// A flood of large traces evicts none of another capability.
#[test]
fn kept_traces_are_bounded_in_bytes_at_the_cost_of_the_largest_capability() {
    let limit = 1 << 20;
    let store = store(Config::default().ring_capacity(1).ring_bytes(limit));
    let _scope = store.enter();
    let fail = |capability: &str, bytes: usize| {
        let trace = new_trace(capability);
        trace.enter(|| {
            (0..bytes / 200).for_each(|_| drop(obs_trace::span("s").field("t", "x".repeat(200)).enter()))
        });
        trace.fail("timeout");
        trace.finish().unwrap().trace_id()
    };
    let first = fail("quiet", 0);
    for number in 0..1_000 {
        fail(&format!("flood.{}", number % 60), 12_000);
    }
    let last = fail("quiet", 0);
    for id in [first, last] {
        assert_eq!(store.query(&Query::default().id(id)).len(), 1);
    }
    let kept = store.query(&Query::default().n(100_000));
    // A trace of sixty spans with a field each takes at least the bytes of its text.
    let large = kept.iter().filter(|record| record.capability() != "quiet").count();
    assert!((10..=limit / 4 / 12_000).contains(&large), "{large}");
}

#[test]
fn limits_change_while_traces_run_and_the_newest_stay() {
    let store = store(Config::default().ring_capacity(10));
    let _scope = store.enter();
    let finish = |n: usize| (0..n).map(|_| new_trace("t").finish().unwrap().trace_id()).collect::<Vec<_>>();
    let ids = finish(20);
    for capacity in [4, 100, 7] {
        store.configure(&Config::default().ring_capacity(capacity)).unwrap();
        let recent: Vec<_> = store.get_recent(100).iter().map(|record| record.trace_id()).collect();
        assert_eq!(recent, ids.iter().rev().take(4).copied().collect::<Vec<_>>());
    }
    let more = finish(9);
    let recent: Vec<_> = store.get_recent(100).iter().map(|record| record.trace_id()).collect();
    assert_eq!(recent, more.iter().rev().take(7).copied().collect::<Vec<_>>());
    assert_eq!(store.stats().completed, 29);
}

#[test]
fn limits_out_of_range_are_refused_by_name() {
    let cases = [
        (Config::default().ring_capacity(0), "ring_capacity"),
        (Config::default().ring_capacity(1_000_001), "ring_capacity"),
        (Config::default().ring_bytes(1), "ring_bytes"),
        (Config::default().max_spans(129), "max_spans"),
        (Config::default().max_field_bytes(1), "max_field_bytes"),
        (Config::default().max_capabilities(0), "max_capabilities"),
        (Config::default().kept_per_capability(1_001), "kept_per_capability"),
    ];
    for (config, field) in cases {
        assert_eq!(Store::new(config).unwrap_err().field(), field);
    }
}
