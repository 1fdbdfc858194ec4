//! What became of spans: cancelled, failed by an error, panicked.

use std::future::pending;
use std::task::{Context, Waker};
use std::time::Duration;

use obs_trace::{InSpan, SpanRecord, new_trace, span};

use crate::{on_both_runtimes, yields};

fn fate(span: &SpanRecord) -> (&'static str, Option<&str>) {
    (span.name(), span.field("error").map(|error| error.as_str().unwrap()))
}

#[test]
fn a_future_that_is_dropped_before_its_end_is_cancelled() {
    on_both_runtimes(|| async {
        let trace = new_trace("fates");
        trace
            .clone()
            .scope(async {
                tokio::select! {
                    biased;
                    () = pending().in_span("loser of select") => {}
                    () = async { yields(2).await }.in_span("winner of select") => {}
                }
                let late = pending::<()>().in_span("timed out");
                tokio::time::timeout(Duration::from_millis(1), late).await.unwrap_err();
                let nested = async {
                    let _guard = span("guard").enter();
                    pending::<()>().in_span("inner").await;
                };
                let mut dropped = Box::pin(nested.in_span("outer"));
                assert!(dropped.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
                drop(dropped);
                drop(pending::<()>().in_span("never polled"));
                let code = span("failed before").wrap(async {
                    obs_trace::current_trace().unwrap().set_field("error", "timeout");
                    pending::<()>().await;
                });
                tokio::time::timeout(Duration::from_millis(1), code).await.unwrap_err();
                async {}.in_span("ends").await;
            })
            .await;
        let cancelled = Some("cancelled");
        let expected = [
            ("loser of select", cancelled),
            ("winner of select", None),
            ("timed out", cancelled),
            ("outer", cancelled),
            ("guard", cancelled),
            ("inner", cancelled),
            ("failed before", Some("timeout")),
            ("ends", None),
        ];
        let spans = trace.spans();
        assert_eq!(spans.iter().map(fate).collect::<Vec<_>>(), expected);
        assert!(trace.status().is_ok());
    });
}

#[test]
fn spans_of_destructors_of_a_dropped_future_are_not_cancelled() {
    struct OnDrop;
    impl Drop for OnDrop {
        fn drop(&mut self) {
            obs_trace::in_span("destructor", || ());
        }
    }
    let trace = new_trace("destructors");
    let mut future = Box::pin(
        trace.clone().scope(
            async {
                let _on_drop = OnDrop;
                pending::<()>().await;
            }
            .in_span("work"),
        ),
    );
    assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(future);
    let spans = trace.spans();
    assert_eq!(
        spans.iter().map(fate).collect::<Vec<_>>(),
        [("work", Some("cancelled")), ("destructor", None)]
    );
    // The thread is as it was before.
    let trace = new_trace("after");
    trace.enter(|| obs_trace::in_span("step", || ()));
    assert_eq!(fate(&trace.spans()[0]), ("step", None));
}

#[cfg(feature = "rt")]
#[test]
fn an_aborted_task_cancels_its_spans() {
    on_both_runtimes(|| async {
        let trace = new_trace("aborted");
        let (begun, begins) = tokio::sync::oneshot::channel();
        let tasks = async {
            let mut set = obs_trace::JoinSet::new();
            set.spawn(async {
                let _guard = span("guard").enter();
                begun.send(()).unwrap();
                pending::<()>().in_span("waits").await;
            });
            begins.await.unwrap();
            yields(1).await;
            set.shutdown().await;
        };
        trace.clone().scope(tasks).await;
        let spans = trace.spans();
        assert!(spans.iter().all(|span| fate(span).1 == Some("cancelled")), "{spans:?}");
        assert!(!spans.is_empty());
    });
}

#[test]
fn an_error_is_kept_on_the_span_and_bounded() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let trace = new_trace("errors");
    runtime.block_on(trace.clone().scope(async {
        let fails = |text: String| async move { Err::<(), _>(text) };
        span("long").wrap_result(fails("ü".repeat(10_000))).await.unwrap_err();
        let coded = async {
            obs_trace::current_trace().unwrap().set_field("error", "timeout");
            Err::<(), _>("no answer after 5 s")
        };
        span("coded").wrap_result(coded).await.unwrap_err();
        assert_eq!(span("ok").wrap_result(async { Ok::<_, String>(7) }).await, Ok(7));
    }));
    let spans = trace.spans();
    let cause = |index: usize| spans[index].field("cause").map(|cause| cause.as_str().unwrap());
    assert_eq!(fate(&spans[0]), ("long", Some("alloc::string::String")));
    assert!((200..=256).contains(&cause(0).unwrap().len()));
    assert_eq!((fate(&spans[1]), cause(1)), (("coded", Some("timeout")), Some("no answer after 5 s")));
    assert_eq!((fate(&spans[2]), cause(2)), (("ok", None), None));
    // Without a trace the future works as it is.
    assert_eq!(runtime.block_on(span("none").wrap_result(async { Err::<(), _>("x") })), Err("x"));
}

#[cfg(feature = "rt")]
#[test]
fn a_task_that_panics_fails_its_spans_and_the_span_that_started_it() {
    on_both_runtimes(|| async {
        let store = obs_trace::Store::default();
        let trace = {
            let _scope = store.enter();
            new_trace("panics")
        };
        let starts = async {
            let task = async {
                async { panic!("as asked") }.in_span("of the task").await;
            };
            assert!(obs_trace::spawn(task).await.unwrap_err().is_panic());
            async {
                obs_trace::spawn_blocking(|| panic!("as asked")).await.unwrap_err();
            }
            .in_span("starts a closure")
            .await;
        };
        trace.scope(starts.in_span("starts a task")).await;
        let record = &store.get_recent(1)[0];
        let panic = Some("panic");
        let expected = [("starts a task", panic), ("of the task", panic), ("starts a closure", panic)];
        assert_eq!(record.spans().iter().map(fate).collect::<Vec<_>>(), expected);
        assert!(record.status().is_ok(), "the task alone failed");
    });
}
