//! Known pitfalls of tracing crates, one test each.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use obs_trace::{InSpan, Store, TraceRecord};

use crate::{on_both_runtimes, yields};

/// Returns the only trace of a store.
fn single(store: &Store) -> Arc<TraceRecord> {
    let recent = store.get_recent(2);
    assert_eq!(recent.len(), 1, "{recent:?}");
    Arc::clone(&recent[0])
}

#[test]
fn guards_across_await_stay_in_their_trace() {
    on_both_runtimes(|| async {
        let traces: Vec<_> = (0..1_000)
            .map(|number| {
                let trace = obs_trace::new_trace("guards");
                let scope = trace.clone().scope(async move {
                    let outer = obs_trace::span("outer").field("number", number).enter();
                    yields(3).await;
                    let inner = obs_trace::span("inner").field("number", number).enter();
                    yields(number % 5).await;
                    drop(outer);
                    yields(1).await;
                    drop(inner);
                });
                (trace, tokio::spawn(scope))
            })
            .collect();
        for (number, (trace, task)) in traces.into_iter().enumerate() {
            task.await.unwrap();
            let spans = trace.spans();
            assert_eq!(spans.iter().map(|span| span.name()).collect::<Vec<_>>(), ["outer", "inner"]);
            assert!(spans.iter().all(|span| span.parent().is_none()), "a guard is not a parent");
            assert!(spans.iter().all(|span| span.field("number") == Some(&number.into())), "{spans:?}");
        }
    });
}

#[test]
fn durations_are_right_in_any_order_of_drops() {
    let store = Store::default();
    let _scope = store.enter();
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let trace = obs_trace::new_trace("order");
        trace.enter(|| {
            let mut guards = ["0", "1", "2"].map(|name| Some(obs_trace::span(name).enter()));
            for (step, guard) in order.into_iter().enumerate() {
                std::thread::sleep(Duration::from_millis(3));
                let guard = guards[guard].take().unwrap();
                guard.set_field("step", step);
            }
        });
        let record = trace.finish().unwrap();
        let spans = record.spans();
        let mut by_drop: Vec<_> = order.iter().map(|guard| spans[*guard].duration()).collect();
        assert!(by_drop.is_sorted(), "{order:?}: {by_drop:?}");
        by_drop.dedup();
        assert_eq!(by_drop.len(), 3);
        assert!(by_drop[0] >= Duration::from_millis(3) && by_drop[2] <= record.duration());
    }
}

#[cfg(feature = "rt")]
#[test]
fn helpers_carry_the_trace_and_a_bare_spawn_does_not() {
    on_both_runtimes(|| async {
        let trace = obs_trace::new_trace("spawn");
        let id = trace.id();
        trace
            .clone()
            .scope(async move {
                async {
                    let here = || obs_trace::current_trace().map(|trace| trace.id());
                    let child = move || obs_trace::in_span("child", here);
                    assert_eq!(obs_trace::spawn(async move { child() }).await.unwrap(), Some(id));
                    assert_eq!(obs_trace::spawn_blocking(child).await.unwrap(), Some(id));
                    let mut set = obs_trace::JoinSet::new();
                    set.spawn(async move { child() });
                    set.spawn_blocking(child);
                    assert_eq!(set.join_all().await, [Some(id), Some(id)]);
                    assert_eq!(
                        tokio::spawn(obs_trace::carry(async move { child() })).await.unwrap(),
                        Some(id)
                    );

                    assert_eq!(tokio::spawn(async move { child() }).await.unwrap(), None);
                    assert_eq!(tokio::task::spawn_blocking(child).await.unwrap(), None);
                    assert_eq!(std::thread::spawn(child).join().unwrap(), None);
                }
                .in_span("parent")
                .await;
            })
            .await;
        let spans = trace.spans();
        assert_eq!(spans.len(), 6);
        assert!(
            spans[1..].iter().all(|span| span.name() == "child" && span.parent() == Some(0)),
            "{spans:?}"
        );
    });
}

#[cfg(feature = "rt")]
#[test]
fn detach_records_at_once_and_late_spans_are_counted() {
    on_both_runtimes(|| async {
        let (open, opened) = tokio::sync::oneshot::channel();
        let (go, gone) = tokio::sync::oneshot::channel();
        let store = Store::default();
        let trace = {
            let _scope = store.enter();
            obs_trace::new_trace("late")
        };
        let (hand_over, handed) = tokio::sync::oneshot::channel();
        trace
            .clone()
            .scope(async move {
                async {}.in_span("in time").await;
                let task = obs_trace::spawn(async {
                    let held = obs_trace::span("still open at the end").enter();
                    open.send(()).unwrap();
                    gone.await.unwrap();
                    drop(held);
                    obs_trace::in_span("begun after the end", || {});
                });
                opened.await.unwrap();
                obs_trace::detach().unwrap();
                hand_over.send(task).unwrap();
            })
            .await;
        let record = single(&store);
        assert_eq!(record.spans().len(), 1);
        go.send(()).unwrap();
        handed.await.unwrap().await.unwrap();
        assert_eq!(record.spans().len(), 1, "the record is fixed");
        assert_eq!(record.spans()[0].name(), "in time");
        assert_eq!(record.dropped_spans(), 2);
        assert_eq!((store.stats().late_spans, store.stats().dropped_spans), (1, 2));
        assert_eq!(store.stats().active, 0);
        assert_eq!(record.status().as_str(), "ok");
        let weak = Arc::downgrade(&record);
        drop((trace, store, record));
        assert!(weak.upgrade().is_none(), "the record is freed");
    });
}

#[test]
fn a_client_that_disconnects_leaves_one_cancelled_record() {
    on_both_runtimes(|| async {
        let store = Store::default();
        let trace = {
            let _scope = store.enter();
            obs_trace::new_trace("gone")
        };
        let handler = trace.scope(async {
            std::future::pending::<()>().in_span("waiting").await;
        });
        assert!(tokio::time::timeout(Duration::from_millis(5), handler).await.is_err());
        let record = single(&store);
        assert_eq!(record.status().as_str(), "cancelled");
        assert_eq!(record.spans()[0].name(), "waiting", "the open span is in the record");
        assert_eq!(store.stats().cancelled, 1);
    });
}

#[test]
fn a_panic_is_a_status_and_poisons_nothing() {
    on_both_runtimes(|| async {
        let store = Store::default();
        let trace = {
            let _scope = store.enter();
            obs_trace::new_trace("panics")
        };
        let task = tokio::spawn(trace.scope(async {
            let _guard = obs_trace::span("guard").field("k", 1).enter();
            let inner = async {
                yields(2).await;
                panic!("as asked");
            };
            inner.in_span("work").await;
        }));
        assert!(task.await.unwrap_err().is_panic());
        let record = single(&store);
        assert_eq!(record.status().as_str(), "panic");
        let spans = record.spans();
        assert_eq!(spans.len(), 2, "both closed while unwinding: {spans:?}");
        assert!(spans.iter().all(|span| span.field("error") == Some(&"panic".into())), "{spans:?}");
        assert!(obs_trace::current_trace().is_none());

        // The same outside futures.
        let _scope = store.enter();
        let trace = obs_trace::new_trace("panics");
        assert!(catch_unwind(AssertUnwindSafe(|| trace.run(|| panic!("as asked")))).is_err());
        assert!(
            catch_unwind(|| {
                let _dropped = obs_trace::new_trace("panics");
                panic!("as asked");
            })
            .is_err()
        );
        assert_eq!(store.stats().panicked, 3);
        obs_trace::new_trace("after").run(|| obs_trace::in_span("works", || {}));
        assert_eq!(store.get_recent(1)[0].spans().len(), 1);
    });
}

#[test]
fn a_million_spans_in_one_trace_are_capped_with_an_exact_count() {
    let trace = obs_trace::new_trace("many");
    trace.enter(|| {
        std::thread::scope(|threads| {
            for _ in 0..4 {
                let trace = trace.clone();
                threads.spawn(move || {
                    trace.enter(|| {
                        for _ in 0..250_000 {
                            drop(
                                obs_trace::span("one")
                                    .field("text", "0123456789012345678901234567890")
                                    .enter(),
                            );
                        }
                    });
                });
            }
        });
    });
    let record = trace.finish().unwrap();
    assert_eq!(record.spans().len(), 128);
    assert_eq!(record.dropped_spans(), 1_000_000 - 128);
}

#[test]
fn hostile_headers_are_refused_and_names_bounded() {
    for text in
        ["8ZZZZZZZZZZZZZZZZZZZZZZZZZ", "", "00000000000000000000000000", "01HXR3F2Q4T6V8X0Z2B4D6F8H\n"]
    {
        assert_eq!(obs_trace::propagation::parse_request_id(text.as_bytes()), None, "{text:?}");
    }
    let store = Store::default();
    let _scope = store.enter();
    for name in ["x".repeat(1 << 20), "ü\n\u{202e}\"".repeat(100), "\0".repeat(129), "é".repeat(65)] {
        let record = obs_trace::new_trace(&name).finish().unwrap();
        assert!(record.capability().len() <= 128 && record.capability().len() > 120);
        serde_json::to_string(&*record).unwrap();
    }
}

#[test]
fn siblings_of_join_are_not_parents_of_each_other() {
    on_both_runtimes(|| async {
        let trace = obs_trace::new_trace("join");
        trace
            .clone()
            .scope(async {
                let branch = |name: &'static str| {
                    obs_trace::span(name).wrap(async {
                        let _held = obs_trace::span("held").enter();
                        yields(3).await;
                        async { yields(2).await }.in_span("leaf").await;
                    })
                };
                tokio::join!(branch("a"), branch("b"), branch("c"));
                join_all(["d", "e"].map(branch)).await;
            })
            .await;
        let spans = trace.spans();
        assert_eq!(spans.len(), 15);
        for (index, span) in spans.iter().enumerate() {
            match span.name() {
                "held" | "leaf" => {
                    let parent = span.parent().unwrap();
                    assert!(parent < index && !["held", "leaf"].contains(&spans[parent].name()));
                }
                _ => assert_eq!(span.parent(), None),
            }
        }
        for leaf in ["held", "leaf"] {
            let mut parents: Vec<_> = spans
                .iter()
                .filter(|span| span.name() == leaf)
                .map(|span| spans[span.parent().unwrap()].name())
                .collect();
            parents.sort_unstable();
            assert_eq!(parents, ["a", "b", "c", "d", "e"]);
        }
    });
}
