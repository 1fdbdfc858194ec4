//! Polls that hold their worker.

use std::task::{Context, Waker};
use std::thread::sleep;
use std::time::Duration;

use obs_trace::{Config, ErrorKind, InSpan, SpanRecord, Store, Trace, TraceRecord, new_trace, span};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::{on_both_runtimes, yields};

/// Longer than the threshold of 10 ms by more than a busy machine takes away.
const BLOCK: Duration = Duration::from_millis(30);

fn workers(threads: usize) -> Runtime {
    Builder::new_multi_thread().worker_threads(threads).enable_all().build().unwrap()
}

/// Begins a trace in a store of its own.
fn begin(store: &Store) -> Trace {
    let _scope = store.enter();
    new_trace("llm.chat")
}

fn blocked_ms(span: &SpanRecord) -> Option<f64> {
    span.field("blocked_ms").map(|value| value.to_string().parse().unwrap())
}

fn last(store: &Store) -> std::sync::Arc<TraceRecord> {
    store.get_recent(1).remove(0)
}

#[test]
fn every_block_is_noted_on_its_span_and_no_other_span_is() {
    const NAMES: [&str; 4] = ["read", "parse", "lock", "hash"];
    let store = Store::default();
    let runtime = workers(4);
    let tasks: Vec<_> = (0..4_u64)
        .map(|task| {
            let scope = begin(&store).scope(async move {
                for round in 0..10_u64 {
                    for (number, name) in NAMES.into_iter().enumerate() {
                        let is_blocked = number as u64 == (task + round) % 4;
                        let ms = if is_blocked { 20 + 4 * round } else { 0 };
                        span(name)
                            .field("is_blocked", is_blocked)
                            .wrap(async move {
                                yields(2).await;
                                sleep(Duration::from_millis(ms));
                                yields(2).await;
                            })
                            .await;
                    }
                }
            });
            runtime.spawn(scope)
        })
        .collect();
    runtime.block_on(async {
        for task in tasks {
            task.await.unwrap();
        }
    });
    let spans = store.get_recent(4).iter().flat_map(|record| record.spans()).collect::<Vec<_>>();
    let (mut named, mut missed) = (0, 0);
    for span in spans {
        match (blocked_ms(&span), span.field("is_blocked") == Some(&true.into())) {
            (Some(ms), true) if ms <= span.duration().as_secs_f64() * 1e3 => named += 1,
            (None, true) => missed += 1,
            (None, false) => {}
            wrong => panic!("{wrong:?}: {span:?}"),
        }
    }
    assert_eq!(store.stats().blocked_polls, named);
    // A thread that waits for its processor again and again blocks for a time that is not known well.
    assert!(missed <= 4, "{named} blocks are named, {missed} are not");
}

#[test]
fn a_block_among_thousands_of_polls_is_noted() {
    let store = Store::default();
    workers(1).block_on(async {
        // A thread beside the workers that gets no processor in time would see nothing, so one try proves nothing.
        for _ in 0..50 {
            let trace = begin(&store);
            let busy = trace.scope(async {
                async { yields(5_000).await }.in_span("busy").await;
                async { sleep(BLOCK) }.in_span("blocks").await;
            });
            tokio::spawn(busy).await.unwrap();
            let spans = last(&store).spans();
            assert_eq!(blocked_ms(&spans[0]), None, "{spans:?}");
            if blocked_ms(&spans[1]).is_some() {
                return;
            }
        }
        panic!("no block was noted");
    });
}

#[test]
fn a_block_counts_once_for_the_innermost_span() {
    on_both_runtimes(|| async {
        let store = Store::default();
        let handler = async {
            async { async { sleep(BLOCK) }.in_span("inner").await }.in_span("outer").await;
        };
        tokio::spawn(begin(&store).scope(handler)).await.unwrap();
        let spans = last(&store).spans();
        assert_eq!(store.stats().blocked_polls, 1, "{spans:?}");
        assert_eq!(blocked_ms(&spans[0]), None);
        assert!(blocked_ms(&spans[1]).unwrap() > 10.0);
    });
}

#[test]
fn code_around_a_span_that_blocks_counts_on_its_own() {
    let store = Store::default();
    workers(1).block_on(async {
        let handler = async {
            sleep(BLOCK);
            async { sleep(BLOCK) }.in_span("inner").await;
        };
        tokio::spawn(begin(&store).scope(handler)).await.unwrap();
    });
    let record = last(&store);
    assert_eq!(store.stats().blocked_polls, 2);
    let of_span = Duration::from_secs_f64(blocked_ms(&record.spans()[0]).unwrap() / 1e3);
    assert!(record.blocked() > of_span + BLOCK / 2, "{record:?}");
    let json = serde_json::to_value(&*record).unwrap();
    assert!(json["blocked_ms"].as_f64().unwrap() > 30.0, "{json}");
}

#[test]
fn short_polls_in_one_long_poll_are_a_block_of_the_code_around_them() {
    let store = Store::default();
    workers(1).block_on(async {
        let handler = async {
            for _ in 0..10 {
                async { sleep(Duration::from_millis(4)) }.in_span("short").await;
            }
        };
        tokio::spawn(begin(&store).scope(handler)).await.unwrap();
    });
    let record = last(&store);
    assert_eq!(store.stats().blocked_polls, 1, "{record:?}");
    assert!(record.blocked() > Duration::from_millis(20));
    assert!(record.spans().iter().all(|span| blocked_ms(span).is_none()), "{record:?}");
}

#[test]
fn blocks_of_one_span_add_up() {
    let store = Store::default();
    workers(1).block_on(async {
        let twice = async {
            sleep(BLOCK);
            yields(1).await;
            sleep(BLOCK);
        };
        tokio::spawn(begin(&store).scope(twice.in_span("twice"))).await.unwrap();
    });
    let record = last(&store);
    assert_eq!(store.stats().blocked_polls, 2);
    assert!(blocked_ms(&record.spans()[0]).unwrap() > 40.0, "{record:?}");
}

#[test]
fn tasks_that_carry_a_span_name_it() {
    on_both_runtimes(|| async {
        let store = Store::default();
        let handler = async {
            async { obs_trace::spawn(async { sleep(BLOCK) }).await.unwrap() }.in_span("starts it").await;
        };
        tokio::spawn(begin(&store).scope(handler)).await.unwrap();
        assert!(blocked_ms(&last(&store).spans()[0]).is_some());
    });
}

#[test]
fn a_future_of_block_on_counts() {
    on_both_runtimes_at_the_top(|store| begin(store).scope(async { sleep(BLOCK) }.in_span("main")));
}

fn on_both_runtimes_at_the_top<F: Future>(f: impl Fn(&Store) -> F) {
    for runtime in [Builder::new_current_thread().build().unwrap(), workers(1)] {
        let store = Store::default();
        runtime.block_on(f(&store));
        assert_eq!(store.stats().blocked_polls, 1);
    }
}

#[test]
fn threads_that_may_block_do_not_count() {
    let store = Store::default();
    let blocks = || begin(&store).scope(async { sleep(BLOCK) }.in_span("blocks"));
    workers(1).block_on(async {
        let on_thread = blocks();
        tokio::task::spawn_blocking(move || Handle::current().block_on(on_thread)).await.unwrap();
        let closure = async { obs_trace::spawn_blocking(|| sleep(BLOCK)).await.unwrap() };
        tokio::spawn(begin(&store).scope(closure)).await.unwrap();
        let in_place = async {
            tokio::task::block_in_place(|| obs_trace::off_worker(|| sleep(BLOCK)));
        };
        tokio::spawn(begin(&store).scope(in_place.in_span("in place"))).await.unwrap();
        // The other thread has nothing to do here, which tells that this one is no worker.
        let in_place = async { tokio::task::block_in_place(|| sleep(3 * BLOCK)) };
        tokio::spawn(begin(&store).scope(in_place.in_span("in place"))).await.unwrap();
    });
    let mut plain = Box::pin(blocks());
    assert!(plain.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
    begin(&store).run(|| sleep(BLOCK));
    assert_eq!(store.stats().blocked_polls, 0);
    assert_eq!(store.stats().completed, 6);
}

#[test]
fn a_poll_by_hand_is_measured_where_it_says_that_it_polls() {
    let store = Store::default();
    workers(1).block_on(async {
        let trace = begin(&store);
        trace.enter(|| sleep(BLOCK));
        assert_eq!(store.stats().blocked_polls, 0);
        trace.enter_poll(|| sleep(BLOCK));
        assert_eq!(store.stats().blocked_polls, 1);
    });
}

#[test]
fn a_poll_that_blocks_and_panics_counts() {
    let store = Store::default();
    workers(1).block_on(async {
        let panics = async {
            sleep(BLOCK);
            panic!("as asked");
        };
        let scope = begin(&store).scope(panics.in_span("panics"));
        assert!(tokio::spawn(scope).await.unwrap_err().is_panic());
    });
    let record = last(&store);
    assert_eq!((record.status().as_str(), store.stats().blocked_polls), ("panic", 1));
    assert!(blocked_ms(&record.spans()[0]).is_some(), "{record:?}");
}

#[test]
fn the_threshold_can_be_set_and_switched_off() {
    for (ms, expected) in [(0, 0), (1, 1), (10, 1), (200, 0), (60_000, 0)] {
        let store = Store::new(Config::default().blocked_worker_ms(ms)).unwrap();
        workers(1).block_on(async {
            tokio::spawn(begin(&store).scope(async { sleep(BLOCK) })).await.unwrap();
        });
        assert_eq!(store.stats().blocked_polls, expected, "{ms}");
        assert_eq!(last(&store).blocked().is_zero(), expected == 0);
    }
    let store = Store::default();
    store.configure(&Config::default().blocked_worker_ms(0)).unwrap();
    workers(1).block_on(begin(&store).scope(async { sleep(BLOCK) }));
    assert_eq!(store.stats().blocked_polls, 0, "a change holds for traces that begin later");
    let error = store.configure(&Config::default().blocked_worker_ms(60_001)).unwrap_err();
    assert_eq!((error.kind(), error.field()), (ErrorKind::OutOfRange, "blocked_worker_ms"));
    assert_eq!(error.advice(), "set 1 ms to 60000 ms, or 0 for off");
}

#[test]
fn polls_that_are_quick_or_preempted_are_no_blocks() {
    let store = Store::default();
    let runtime = workers(4);
    let tasks: Vec<_> = (0..16_u64)
        .map(|task| {
            let busy = async move {
                for round in 0..100_u64 {
                    let work = async { (0..2_000 * (task + 1)).fold(round, |sum, n| sum.rotate_left(5) ^ n) };
                    std::hint::black_box(work.in_span("work").await);
                    yields(1).await;
                }
            };
            runtime.spawn(begin(&store).scope(busy))
        })
        .collect();
    runtime.block_on(async {
        for task in tasks {
            task.await.unwrap();
        }
    });
    // A hypervisor that takes a processor away for as long as a block lasts makes one of a poll.
    assert!(store.stats().blocked_polls < 16, "of 1 600 polls: {:?}", store.stats());
}
