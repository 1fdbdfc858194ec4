//! Spans in traces.

use std::sync::{Arc, Barrier};

use obs_trace::{current_trace, in_span, new_trace};
use tracing::dispatcher::{self, Dispatch};
use tracing::{Instrument, Span, info_span};

use super::support::{bridged, elsewhere, named, parent, place, traced};

#[test]
fn a_span_is_a_child_of_the_enclosing_one_and_encloses_what_it_runs() {
    let record = traced(|trace| {
        in_span("ours", || {
            info_span!("theirs").in_scope(|| {
                assert_eq!(current_trace().as_ref(), Some(trace));
                let headers = obs_trace::outgoing().unwrap();
                in_span("inner", || info_span!("leaf").in_scope(|| {}));
                assert_eq!(headers.request_id(), trace.id().to_text());
                trace.fail("timeout");
            });
            in_span("after", || {});
        });
    });
    let spans = record.spans();
    assert_eq!(parent(&spans, "ours"), None);
    assert_eq!(parent(&spans, "theirs"), Some("ours"));
    assert_eq!(parent(&spans, "inner"), Some("theirs"));
    assert_eq!(parent(&spans, "leaf"), Some("inner"));
    assert_eq!(parent(&spans, "after"), Some("ours"));
    assert_eq!(named(&spans, "theirs").field("error"), Some(&"timeout".into()));
}

#[test]
fn a_span_that_is_entered_often_is_one_span() {
    let record = traced(|_| {
        let span = info_span!("often");
        for _ in 0..100 {
            span.in_scope(|| in_span("inside", || {}));
        }
        // Within itself.
        span.in_scope(|| {
            span.in_scope(|| {});
            in_span("still inside", || {});
        });
        in_span("outside", || {});
    });
    let spans = record.spans();
    assert_eq!(spans.iter().filter(|span| span.name() == "often").count(), 1);
    assert!(spans.iter().filter(|span| span.name() == "inside").all(|span| span.parent() == Some(0)));
    assert_eq!(parent(&spans, "still inside"), Some("often"));
    assert_eq!(parent(&spans, "outside"), None);
}

#[test]
fn an_instrumented_future_keeps_its_span_on_any_thread() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let record = traced(|trace| {
        let dispatch = dispatcher::get_default(Dispatch::clone);
        let work = {
            let trace = trace.clone();
            async move {
                for _ in 0..20 {
                    tokio::task::yield_now().await;
                    assert_eq!(current_trace().as_ref(), Some(&trace));
                    in_span("step", || {});
                }
                let inner = async { in_span("deep", || {}) };
                inner.instrument(info_span!("nested")).await;
            }
        };
        use tracing::instrument::WithSubscriber;
        let task = work.instrument(info_span!("task")).with_subscriber(dispatch);
        let task = runtime.spawn(async move {
            task.await;
            current_trace().is_none()
        });
        assert!(runtime.block_on(task).unwrap(), "the task is outside of the span again");
    });
    let spans = record.spans();
    let task = place(&spans, "task");
    assert_eq!(spans.iter().filter(|span| span.name() == "step" && span.parent() == Some(task)).count(), 20);
    assert_eq!(parent(&spans, "nested"), Some("task"));
    assert_eq!(parent(&spans, "deep"), Some("nested"));
}

#[test]
fn spans_of_concurrent_futures_do_not_mix() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let record = traced(|trace| {
        let branch = |name: &'static str| async move {
            for _ in 0..5 {
                tokio::task::yield_now().await;
                obs_trace::span(name).run(|| {});
            }
        };
        let both = async {
            tokio::join!(
                branch("in a").instrument(info_span!("a")),
                branch("in b").instrument(info_span!("b")),
            );
        };
        runtime.block_on(obs_trace::carry(both));
        assert!(!trace.is_ended());
    });
    let spans = record.spans();
    for (inner, outer) in [("in a", "a"), ("in b", "b")] {
        let outer = place(&spans, outer);
        let inner: Vec<_> = spans.iter().filter(|span| span.name() == inner).collect();
        assert!(inner.len() == 5 && inner.iter().all(|span| span.parent() == Some(outer)), "{spans:?}");
    }
}

#[test]
fn a_span_ends_with_its_last_handle_on_any_thread() {
    let record = traced(|trace| {
        let span = info_span!("shared");
        let clone = span.clone();
        drop(span);
        assert!(trace.spans().is_empty(), "a handle is left");
        elsewhere(move || drop(clone));
        assert_eq!(trace.spans().len(), 1);
    });
    assert_eq!(record.dropped_spans(), 0);
}

#[test]
fn a_span_may_be_entered_on_several_threads_at_once() {
    const THREADS: usize = 4;
    let record = traced(|_| {
        let span = info_span!("shared");
        let dispatch = dispatcher::get_default(Dispatch::clone);
        let barrier = Arc::new(Barrier::new(THREADS));
        let threads = [(); THREADS].map(|()| {
            let (span, barrier, dispatch) = (span.clone(), barrier.clone(), dispatch.clone());
            std::thread::spawn(move || {
                dispatcher::with_default(&dispatch, || {
                    let entered = span.enter();
                    barrier.wait();
                    for _ in 0..10 {
                        info_span!("part").in_scope(|| in_span("detail", || {}));
                    }
                    drop(entered);
                    assert!(current_trace().is_none());
                });
            })
        });
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
    let spans = record.spans();
    let shared = place(&spans, "shared");
    let parts = spans.iter().filter(|span| span.name() == "part" && span.parent() == Some(shared));
    assert_eq!(parts.count(), THREADS * 10);
    let details = spans.iter().filter(|span| span.name() == "detail");
    assert!(details.clone().all(|span| spans[span.parent().unwrap()].name() == "part"));
    assert_eq!(details.count(), THREADS * 10);
}

#[test]
fn an_explicit_parent_counts_wherever_the_span_begins() {
    let record = traced(|_| {
        let outer = info_span!("outer");
        let _elsewhere = info_span!("enclosing").entered();
        for _ in 0..3 {
            let outer = outer.clone();
            elsewhere(move || {
                // The thread has no trace. A callsite that has begun spans there still knows the parent.
                info_span!(parent: &outer, "child").in_scope(|| in_span("grandchild", || {}));
                assert!(current_trace().is_none());
            });
        }
        info_span!(parent: &outer, "here").in_scope(|| in_span("in here", || {}));
        in_span("after", || {});
    });
    let spans = record.spans();
    let outer = place(&spans, "outer");
    let children = spans.iter().filter(|span| span.name() == "child" && span.parent() == Some(outer));
    assert_eq!(children.count(), 3);
    assert_eq!(parent(&spans, "grandchild"), Some("child"));
    assert_eq!((parent(&spans, "here"), parent(&spans, "in here")), (Some("outer"), Some("here")));
    assert_eq!(parent(&spans, "after"), Some("enclosing"));
}

#[test]
fn a_span_without_a_parent_is_no_part_of_the_current_trace() {
    let record = traced(|trace| {
        for _ in 0..2 {
            info_span!(parent: None, "root").in_scope(|| {
                assert_eq!(current_trace().as_ref(), Some(trace), "the code still belongs to the trace");
                in_span("inside", || {});
            });
        }
    });
    assert!(record.spans().iter().all(|span| span.name() == "inside" && span.parent().is_none()));
    assert_eq!(record.span_count(), 2);
}

#[test]
fn a_span_names_the_one_that_it_follows() {
    let record = traced(|trace| {
        let cause = info_span!("cause");
        let effect = info_span!("effect");
        effect.follows_from(&cause);
        effect.follows_from(Span::none());
        drop((cause, effect));
        assert_eq!(trace.spans().len(), 2);
    });
    let spans = record.spans();
    let cause = format!("{}/{}", record.trace_id(), named(&spans, "cause").span_id());
    assert_eq!(named(&spans, "effect").field("follows_from"), Some(&cause.as_str().into()));
    assert!(named(&spans, "cause").fields().is_empty());
}

#[test]
fn spans_may_be_left_in_any_order() {
    // On a thread whose trace is current, and on one without it.
    for is_current in [true, false] {
        let record = traced(|trace| {
            let trace = trace.clone();
            let [a, b, c] = [info_span!("a"), info_span!("b"), info_span!("c")];
            let check = move || {
                let before = current_trace();
                let [in_a, in_b, in_c] = [a.enter(), b.enter(), c.enter()];
                drop(in_a);
                in_span("in c", || {});
                drop(in_c);
                in_span("in b", || {});
                let in_a = a.enter();
                drop(in_b);
                in_span("in a", || {});
                drop(in_a);
                assert_eq!(current_trace(), before);
                in_span("outside", || {});
                // One span twice, around another one.
                let [first, in_b, second] = [a.enter(), b.enter(), a.enter()];
                drop(first);
                in_span("in a again", || {});
                drop(second);
                drop(in_b);
                assert_eq!(current_trace(), before);
            };
            if is_current {
                check()
            } else {
                elsewhere(check)
            }
            assert_eq!(current_trace(), Some(trace));
        });
        let spans = record.spans();
        for (inner, outer) in [("in a", "a"), ("in b", "b"), ("in c", "c")] {
            assert_eq!(parent(&spans, inner), Some(outer), "{is_current}");
        }
        if is_current {
            assert_eq!(parent(&spans, "outside"), None);
        }
    }
}

#[test]
fn spans_of_two_traces_may_be_left_in_any_order() {
    let records = [new_trace("first"), new_trace("second")];
    bridged(|| {
        let [a, b] = records.each_ref().map(|trace| trace.enter(|| info_span!("span")));
        let current = |trace: Option<usize>| {
            assert_eq!(current_trace().as_ref(), trace.map(|trace| &records[trace]));
            in_span("inner", || {});
        };
        let in_a = a.enter();
        current(Some(0));
        let in_b = b.enter();
        current(Some(1));
        drop(in_a);
        current(Some(1));
        drop(in_b);
        current(None);
        // Around a scope that begins later.
        let in_a = a.clone().entered();
        records[1].enter(|| {
            current(Some(1));
            drop(in_a);
            current(Some(1));
        });
        b.in_scope(|| current(Some(1)));
        current(None);
    });
    let spans = records.map(|trace| trace.finish().unwrap().spans());
    assert_eq!(spans.each_ref().map(|spans| spans.len()), [2, 6]);
}

#[test]
fn a_handler_runs_in_a_span() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let trace = new_trace("handler");
    bridged(|| {
        runtime.block_on(trace.clone().scope(async {
            let span = info_span!("sync part");
            span.in_scope(|| in_span("inside", || {}));
            tokio::task::yield_now().await;
            span.in_scope(|| {
                // Its own trace, within the span.
                obs_trace::attach(new_trace("other"));
                info_span!("of the other").in_scope(|| {});
                assert_eq!(obs_trace::detach().unwrap().span_count(), 1);
                in_span("inside again", || {});
            });
            let held = span.enter();
            tokio::task::yield_now().await;
            in_span("held", || {});
            drop(held);
            in_span("outside", || {});
        }));
    });
    let spans = trace.spans();
    for (name, outer) in [
        ("inside", Some("sync part")),
        ("inside again", Some("sync part")),
        ("held", Some("sync part")),
        ("outside", None),
    ] {
        assert_eq!(parent(&spans, name), outer, "{name}");
    }
}

#[test]
fn a_span_of_a_dropped_future_is_cancelled() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let trace = new_trace("dropped");
    bridged(|| {
        let never = std::future::pending::<()>().instrument(trace.enter(|| info_span!("never")));
        let ready = async {}.instrument(trace.enter(|| info_span!("ready")));
        let mut scope = Box::pin(trace.clone().scope(async {
            ready.await;
            never.await;
        }));
        runtime.block_on(std::future::poll_fn(|cx| {
            assert!(scope.as_mut().poll(cx).is_pending());
            std::task::Poll::Ready(())
        }));
        drop(scope);
        assert!(current_trace().is_none());
    });
    let spans = trace.spans();
    assert_eq!(trace.status().as_str(), "cancelled");
    assert_eq!(named(&spans, "never").field("error"), Some(&"cancelled".into()));
    assert_eq!(named(&spans, "ready").field("error"), None);
}

#[test]
fn a_span_may_outlive_its_trace() {
    let store = obs_trace::Store::default();
    let _scope = store.enter();
    let (record, span) = bridged(|| {
        let trace = new_trace("short");
        let span = trace.enter(|| info_span!("long", late = tracing::field::Empty));
        let record = trace.finish().unwrap();
        span.record("late", 1);
        span.in_scope(|| assert!(current_trace().is_none(), "the trace has ended"));
        trace.enter(|| {
            span.in_scope(|| info_span!("later").in_scope(|| {}));
            info_span!(parent: &span, "later still").in_scope(|| {});
        });
        (record, span)
    });
    drop(span);
    assert_eq!((record.span_count(), record.dropped_spans()), (0, 3));
    assert_eq!((store.stats().late_spans, store.stats().dropped_fields), (2, 1));
}

#[test]
fn a_span_without_a_trace_is_disabled() {
    bridged(|| {
        let begin = || info_span!("alone", value = 1);
        // The first one shows that the callsite names no parent.
        drop(begin());
        let alone = begin();
        assert!(alone.is_disabled());
        alone.in_scope(|| assert!(current_trace().is_none() && Span::current().is_none()));
        let record = traced(|_| begin().in_scope(|| {}));
        assert_eq!(record.spans()[0].field("value"), Some(&1.into()));
        assert!(begin().is_disabled());
    });
}

#[test]
fn the_current_span_is_the_one_entered_last() {
    let record = traced(|_| {
        assert!(Span::current().is_none());
        let outer = info_span!("outer");
        outer.in_scope(|| {
            assert_eq!(Span::current().id(), outer.id());
            in_span("ours", || assert_eq!(Span::current().id(), outer.id()));
            Span::current().record("unknown", 1);
            let work = async { in_span("carried", || {}) }.in_current_span();
            elsewhere(move || tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work));
        });
        assert!(Span::current().is_none());
    });
    assert_eq!(parent(&record.spans(), "carried"), Some("outer"));
}

#[test]
fn a_panic_marks_the_spans_that_it_leaves() {
    let record = traced(|trace| {
        let panics = || {
            let _outer = info_span!("outer").entered();
            info_span!("inner").in_scope(|| panic!("in a span"));
        };
        assert!(std::panic::catch_unwind(panics).is_err());
        assert_eq!(current_trace().as_ref(), Some(trace));
        info_span!("after").in_scope(|| {});
    });
    let spans = record.spans();
    assert_eq!(named(&spans, "inner").field("error"), Some(&"panic".into()));
    assert_eq!(named(&spans, "outer").field("error"), Some(&"panic".into()));
    assert_eq!((parent(&spans, "after"), named(&spans, "after").fields().len()), (None, 0));
}

#[test]
fn a_span_at_the_end_of_a_thread_is_recorded() {
    thread_local! {
        static KEPT: std::cell::RefCell<Vec<Span>> = const { std::cell::RefCell::new(Vec::new()) };
    }
    let record = traced(|_| {
        let span = info_span!("kept");
        elsewhere(move || {
            span.in_scope(|| {});
            KEPT.with(|kept| kept.borrow_mut().push(span));
        });
    });
    assert_eq!(record.span_count(), 1);
}
