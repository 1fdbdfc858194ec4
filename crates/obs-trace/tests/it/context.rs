//! The current trace.

use obs_trace::{InSpan, Store, attach, current_trace, detach, new_trace, scope};

use crate::{on_both_runtimes, yields};

fn here() -> Option<String> {
    current_trace().map(|trace| trace.capability().to_owned())
}

#[test]
fn test_trace_context_propagation() {
    on_both_runtimes(|| async {
        let request = |name: &'static str| async move {
            attach(new_trace(name));
            let (a, b) = tokio::join!(
                async {
                    yields(2).await;
                    async { here() }.in_span("a").await
                },
                async { async { here() }.in_span("b").await },
            );
            assert_eq!((a.as_deref(), b.as_deref()), (Some(name), Some(name)));
            #[cfg(feature = "rt")]
            {
                let mut set = obs_trace::JoinSet::new();
                for _ in 0..3 {
                    set.spawn(async { (here(), obs_trace::in_span("set", || ())).0 });
                }
                while let Some(found) = set.join_next().await {
                    assert_eq!(found.unwrap().as_deref(), Some(name));
                }
                let spawned = obs_trace::spawn(async { async { here() }.in_span("spawn").await });
                assert_eq!(spawned.await.unwrap().as_deref(), Some(name));
            }
            let record = detach().unwrap();
            assert_eq!(here(), None);
            assert!(detach().is_none());
            assert_eq!(record.capability(), name);
            assert_eq!(record.spans().len(), if cfg!(feature = "rt") { 6 } else { 2 });
            assert_eq!(record.dropped_spans(), 0);
        };
        // Concurrent in one task, each with its own scope.
        tokio::join!(scope(request("one")), scope(request("two")), scope(request("three")));
        assert_eq!(here(), None);
    });
}

#[test]
fn attach_and_detach_act_on_the_enclosing_scope_inside_spans_too() {
    on_both_runtimes(|| async {
        new_trace("outer")
            .scope(async {
                async {
                    attach(new_trace("inner"));
                    yields(1).await;
                    assert_eq!(here().as_deref(), Some("inner"));
                }
                .in_span("attaches")
                .await;
                assert_eq!(here().as_deref(), Some("inner"), "the trace stays attached after the span");
                let record = async { detach() }.in_span("detaches").await.unwrap();
                assert_eq!(record.capability(), "inner");
                assert_eq!(record.dropped_spans(), 1, "`detaches` was open at the end");
                assert_eq!(here().as_deref(), Some("outer"), "the trace before is current again");
                assert_eq!(detach().unwrap().capability(), "outer");
                assert_eq!(here(), None);
                yields(1).await;
                assert_eq!(here(), None);
            })
            .await;
    });
}

#[test]
fn a_thread_has_its_own_context() {
    attach(new_trace("thread"));
    std::thread::spawn(|| {
        assert_eq!(here(), None);
        attach(new_trace("other"));
        assert_eq!(detach().unwrap().capability(), "other");
    })
    .join()
    .unwrap();
    obs_trace::in_span("outer", || obs_trace::in_span("inner", || ()));
    let spans = detach().unwrap().spans();
    assert_eq!((spans[0].parent(), spans[1].parent()), (None, Some(0)));
}

#[test]
fn attaching_twice_leaves_the_first_to_its_owners() {
    let store = Store::default();
    let _scope = store.enter();
    let kept = new_trace("kept");
    attach(kept.clone());
    attach(new_trace("dropped"));
    attach(new_trace("last"));
    assert_eq!(store.get_recent(1)[0].capability(), "dropped");
    assert_eq!(store.get_recent(1)[0].status().as_str(), "cancelled");
    assert_eq!(detach().unwrap().capability(), "last");
    assert_eq!(here().as_deref(), Some("kept"));
    assert_eq!(detach().unwrap().capability(), "kept");
    assert_eq!(here(), None);
}

#[test]
fn a_thread_that_ends_ends_its_trace_as_cancelled() {
    let store = Store::default();
    let of_thread = store.clone();
    std::thread::spawn(move || {
        let _scope = of_thread.enter();
        attach(new_trace("forgotten"));
    })
    .join()
    .unwrap();
    assert_eq!(store.get_recent(1)[0].status().as_str(), "cancelled");
}

#[test]
fn a_future_in_a_span_keeps_its_parent_in_another_task() {
    on_both_runtimes(|| async {
        let trace = new_trace("moved");
        let future = trace.enter(|| {
            obs_trace::in_span("outer", || {
                async {
                    yields(2).await;
                    assert_eq!(here().as_deref(), Some("moved"));
                    async { yields(1).await }.in_span("leaf").await;
                }
                .in_span("moved")
            })
        });
        tokio::spawn(future).await.unwrap();
        let spans = trace.finish().unwrap().spans();
        let found: Vec<_> = spans.iter().map(|span| (span.name(), span.parent())).collect();
        assert_eq!(found, [("outer", None), ("moved", Some(0)), ("leaf", Some(1))]);
    });
}

#[test]
fn a_span_inside_another_trace_stays_in_its_own() {
    let (a, b) = (new_trace("a"), new_trace("b"));
    let span = a.enter(|| obs_trace::span("of a"));
    b.enter(|| {
        span.run(|| {
            assert_eq!(here().as_deref(), Some("a"));
            obs_trace::in_span("child", || ());
        });
        assert_eq!(here().as_deref(), Some("b"));
    });
    assert_eq!(a.finish().unwrap().spans()[1].parent(), Some(0));
    assert_eq!(b.finish().unwrap().spans().len(), 0);
}

#[test]
fn nothing_is_recorded_without_a_trace() {
    let span = obs_trace::span("none").field("k", "v").enter();
    assert!(!span.is_kept() && span.trace().is_none());
    span.set_field("k", 1);
    assert_eq!(obs_trace::in_span("none", || 3), 3);
    let mut called = false;
    obs_trace::with_current_id(&mut |_| called = true);
    assert!(!called);
}

#[test]
fn destructors_of_a_future_run_in_its_span_and_trace() {
    struct OnDrop;
    impl Drop for OnDrop {
        fn drop(&mut self) {
            obs_trace::in_span("destructor", || ());
        }
    }
    let trace = new_trace("destructors");
    let mut future = Box::pin(trace.clone().scope(obs_trace::span("work").wrap(async {
        let _on_drop = OnDrop;
        std::future::pending::<()>().await;
    })));
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(future.as_mut().poll(&mut cx).is_pending());
    drop(future);
    let spans = trace.spans();
    assert_eq!((spans[1].name(), spans[1].parent()), ("destructor", Some(0)));
    assert_eq!(trace.status().as_str(), "cancelled");
}
