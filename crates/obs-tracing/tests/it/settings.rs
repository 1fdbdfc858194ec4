//! Spans under the settings of the process: levels, roots and the global dispatcher.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use obs_trace::{SpanRecord, Trace, TraceRecord, current_trace, new_trace};
use tracing::dispatcher::{self, Dispatch};
use tracing::info_span;

use super::events::ran_alone;
use super::support::{bridged, log, traced};

#[test]
fn the_outermost_span_of_a_root_is_a_trace() {
    if ran_alone("settings::the_outermost_span_of_a_root_is_a_trace") {
        return;
    }
    const TARGET: &str = "roots_test::jobs";
    let store = obs_trace::Store::default();
    let _scope = store.enter();
    obs_tracing::configure(&obs_tracing::Config::new().install(false).roots(["roots_test"])).unwrap();
    bridged(|| {
        let job = || info_span!(target: TARGET, "job", number = 7, status = "theirs");
        let span = job();
        span.in_scope(|| {
            assert_eq!(current_trace().unwrap().capability(), "job");
            info_span!("step", part = 1).in_scope(|| job().in_scope(|| {}));
        });
        assert!(current_trace().is_none());
        assert_eq!((store.stats().active, store.stats().completed), (1, 0));
        drop(span);
        assert!(info_span!(target: "roots_test2", "other").is_disabled() || current_trace().is_none());
        // A span without a parent is outermost too.
        traced(|_| drop(info_span!(target: TARGET, parent: None, "apart")));
    });
    obs_tracing::configure(&obs_tracing::Config::new().install(false)).unwrap();
    let traces: Vec<Arc<TraceRecord>> = store.get_recent(10);
    let names: Vec<_> = traces.iter().map(|trace| trace.capability()).collect();
    assert_eq!(names, ["test", "apart", "job"]);
    let spans = traces[2].spans();
    assert_eq!(spans.iter().map(SpanRecord::name).collect::<Vec<_>>(), ["step", "job"]);
    assert_eq!((spans[0].parent(), spans[1].parent()), (None, Some(0)));
    assert!(traces[2].status().is_ok());
}

#[test]
fn a_global_dispatcher_serves_every_thread() {
    if ran_alone("settings::a_global_dispatcher_serves_every_thread") {
        return;
    }
    log();
    dispatcher::set_global_default(Dispatch::new(obs_tracing::Bridge::new())).unwrap();
    let trace = new_trace("global");
    let span = trace.enter(|| info_span!("shared"));
    let (done, finished) = mpsc::channel();
    for _ in 0..4 {
        let (span, done) = (span.clone(), done.clone());
        std::thread::spawn(move || {
            for _ in 0..10 {
                span.in_scope(|| info_span!("part").in_scope(|| {}));
            }
            drop(span);
            done.send(()).unwrap();
        });
    }
    for _ in 0..4 {
        finished.recv_timeout(Duration::from_secs(30)).unwrap();
    }
    drop(span);
    let record = Trace::finish(&trace).unwrap();
    assert_eq!(record.span_count(), 41);
    assert!(record.spans()[1..].iter().all(|span| span.parent() == Some(0)));
    assert_eq!(obs_tracing::stats().open_spans, 0);
}

#[test]
fn spans_follow_the_level_of_the_log_while_callsites_are_cached() {
    if ran_alone("settings::spans_follow_the_level_of_the_log_while_callsites_are_cached") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let config = obs_log::Config::new(folder.path());
    let mut guard = Some(obs_log::configure(&config).unwrap());
    obs_tracing::configure(&obs_tracing::Config::new()).unwrap();
    let names = || {
        let record = {
            let trace = new_trace("test");
            trace.enter(|| {
                tracing::debug_span!("debug").in_scope(|| info_span!("info").in_scope(|| {}));
                tracing::trace_span!(target: "relevel::own", "own").in_scope(|| {});
            });
            trace.finish().unwrap()
        };
        record.spans().iter().map(|span| span.name()).collect::<Vec<_>>()
    };
    for (level, expected) in [
        ("info", vec!["info"]),
        ("debug", vec!["debug", "info"]),
        ("warning,relevel.own=trace", vec!["own"]),
        ("info", vec!["info"]),
    ] {
        drop(guard.take());
        guard = Some(obs_log::configure(&config.clone().level(level)).unwrap());
        for _ in 0..2 {
            assert_eq!(names(), expected, "{level}");
        }
    }
}
