//! Ends, spans and readers that race.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};

use obs_trace::{Config, Store, new_trace};

#[test]
fn raced_ends_record_once() {
    let store = Store::default();
    let _scope = store.enter();
    let ends = AtomicUsize::new(0);
    for _ in 0..500 {
        let trace = new_trace("raced");
        let barrier = Barrier::new(4);
        std::thread::scope(|threads| {
            for number in 0..4 {
                let (trace, barrier, ends) = (trace.clone(), &barrier, &ends);
                threads.spawn(move || {
                    obs_trace::attach(trace.clone());
                    barrier.wait();
                    let ended = match number {
                        0 => obs_trace::detach(),
                        1 => trace.finish(),
                        2 => trace.cancel(),
                        _ => {
                            trace.fail("raced");
                            obs_trace::detach()
                        }
                    };
                    ends.fetch_add(usize::from(ended.is_some()), Ordering::Relaxed);
                });
            }
        });
    }
    assert_eq!(ends.load(Ordering::Relaxed), 500);
    let stats = store.stats();
    assert_eq!((stats.completed, stats.active), (500, 0));
}

#[test]
fn every_span_that_races_with_the_end_is_kept_or_counted() {
    let store = Store::default();
    let _scope = store.enter();
    let mut dropped = 0;
    for _ in 0..300 {
        let trace = new_trace("spans");
        let begun = AtomicUsize::new(0);
        let barrier = Barrier::new(3);
        let record = std::thread::scope(|threads| {
            for _ in 0..2 {
                let (trace, barrier, begun) = (trace.clone(), &barrier, &begun);
                threads.spawn(move || {
                    barrier.wait();
                    trace.enter(|| {
                        for _ in 0..60 {
                            begun.fetch_add(1, Ordering::Relaxed);
                            obs_trace::span("s").field("k", "v").run(|| ());
                        }
                    });
                });
            }
            barrier.wait();
            let record = trace.finish().unwrap();
            let kept = record.spans();
            assert_eq!(kept, record.spans(), "the record is fixed");
            record
        });
        assert_eq!(
            record.spans().len() as u64 + record.dropped_spans(),
            begun.load(Ordering::Relaxed) as u64
        );
        dropped += record.dropped_spans();
        assert_eq!(store.stats().dropped_spans, dropped, "each span is in one count");
    }
}

#[test]
fn readers_and_writers_of_a_small_ring_race() {
    let store = Store::new(Config::default().ring_capacity(8).ring_bytes(64 << 10)).unwrap();
    std::thread::scope(|threads| {
        for _ in 0..3 {
            threads.spawn(|| {
                let _scope = store.enter();
                for number in 0..20_000 {
                    let trace = new_trace("busy");
                    if number % 7 == 0 {
                        trace.enter(|| (0..30).for_each(|_| obs_trace::in_span("s", || ())));
                    }
                    trace.finish();
                }
            });
        }
        for _ in 0..500 {
            let recent = store.get_recent(100);
            assert!(recent.len() <= 8);
            assert!(recent.iter().all(|record| record.spans().len() as u64 == record.span_count() as u64));
            store.active();
            store.query(&obs_trace::Query::default());
        }
    });
    let stats = store.stats();
    assert_eq!((stats.completed, stats.active), (60_000, 0));
    assert_eq!(store.get_recent(100).len(), 8);
}

/// Counters are computed from the differences. A counter that decreases would look like a restart.
#[test]
fn counts_of_ends_are_consistent_and_never_decrease() {
    let store = Store::default();
    let is_done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            let (mut ok, mut ended) = (0, 0);
            while !is_done.load(Ordering::Relaxed) {
                let stats = store.stats();
                let others = stats.failed + stats.cancelled + stats.panicked;
                let now_ok =
                    stats.completed.checked_sub(others).expect("the sum exceeds the completed traces");
                assert!(now_ok >= ok && stats.completed >= ended, "{stats:?} after {ok} of {ended}");
                (ok, ended) = (now_ok, stats.completed);
            }
        });
        let ends = threads.spawn(|| {
            let _scope = store.enter();
            for number in 0..60_000 {
                let trace = new_trace("mixed");
                match number % 4 {
                    0 => drop(trace.finish()),
                    1 => drop(trace),
                    _ => {
                        trace.fail("timeout");
                        trace.finish();
                    }
                }
            }
        });
        ends.join().unwrap();
        is_done.store(true, Ordering::Relaxed);
    });
    let stats = store.stats();
    assert_eq!((stats.completed, stats.failed, stats.cancelled), (60_000, 30_000, 15_000));
}

/// A reader that looks at the running traces first and the completed ones second finds each trace.
#[test]
fn a_trace_is_always_found() {
    let store = Store::default();
    for _ in 0..2_000 {
        let trace = {
            let _scope = store.enter();
            new_trace("sought")
        };
        let (id, barrier) = (trace.id(), Barrier::new(2));
        std::thread::scope(|threads| {
            threads.spawn(|| {
                barrier.wait();
                trace.finish();
            });
            barrier.wait();
            let is_running = store.active().iter().any(|active| active.trace().id() == id);
            assert!(is_running || store.get_recent(1)[0].trace_id() == id);
        });
    }
}
