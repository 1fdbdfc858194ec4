//! A capture has the lines, samples and traces of its test alone, on each thread and task of the test.

use std::sync::LazyLock;
use std::time::Duration;

use obs_facade::{Logger, info, metrics, testing::Capture, trace, warn_limited};

static LOG: Logger = Logger::new("test.capture");

/// Runs a test's future on a runtime with one thread and on one with several.
fn on_both_flavours(test: fn() -> std::pin::Pin<Box<dyn Future<Output = ()>>>) {
    let one = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let several = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for runtime in [one, several] {
        runtime.block_on(async { tokio::time::timeout(Duration::from_secs(30), test()).await }).unwrap();
    }
}

/// Records a line, a sample, a sample of a macro, and a span.
fn work(place: &'static str) {
    info!(logger: LOG, place; "worked");
    metrics::standard::requests_total().inc([place, "ok"]);
    trace::in_span(place, || ());
}

/// Asserts that the work of each place was captured, with the ID of the trace.
fn assert_worked(obs: &Capture, places: &[&str]) {
    let logs = obs.logs();
    let id = obs.traces().last().trace_id().to_string();
    let lines: Vec<_> = logs.all().iter().filter(|line| line["msg"] == "worked").collect();
    let mut found: Vec<_> = lines.iter().map(|line| line["place"].as_str().unwrap()).collect();
    found.sort_unstable();
    let mut expected = places.to_vec();
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert!(lines.iter().all(|line| line["trace_id"] == *id), "{lines:?}");
    for place in places {
        assert_eq!(obs.metrics().value("hearthnet_requests_total", [("capability", place)]), 1.0, "{place}");
    }
    let traces = obs.traces();
    let mut spans: Vec<_> = traces.last().spans().iter().map(|span| span.name()).collect();
    spans.sort_unstable();
    assert_eq!(spans, expected);
}

/// Line that three tests of one process log within a second.
fn quarantine() {
    warn_limited!(LOG, "peer_quarantined", node = "7H4G"; "peer is quarantined");
}

#[test]
fn a_limited_line_passes_in_each_of_three_captures() {
    for _ in 0..3 {
        let obs = Capture::new();
        obs.run(|| {
            quarantine();
            quarantine();
        });
        obs.logs().single("peer is quarantined").field("node", "7H4G");
    }
}

#[test]
fn tasks_and_threads_that_carry_the_context_are_captured() {
    on_both_flavours(|| {
        Box::pin(async {
            let obs = Capture::new();
            let helpers = async {
                trace::spawn(async { work("spawn") }).await.unwrap();
                trace::spawn_blocking(|| work("spawn_blocking")).await.unwrap();
                let mut set = trace::JoinSet::new();
                set.spawn(async { work("set.spawn") });
                set.spawn_blocking(|| work("set.spawn_blocking"));
                set.join_all().await;
                tokio::spawn(trace::carry(async { work("carry") })).await.unwrap();
                tokio::task::LocalSet::new()
                    .run_until(async { trace::spawn_local(async { work("spawn_local") }).await.unwrap() })
                    .await;
                std::thread::spawn(trace::carry_fn(|| work("carry_fn"))).join().unwrap();
                let callback = trace::carry_callback(|place: &'static str| work(place));
                std::thread::spawn(move || callback("carry_callback")).join().unwrap();
                // A task of a task.
                trace::spawn(async { trace::spawn(async { work("nested") }).await.unwrap() }).await.unwrap();
            };
            obs.scope(async { trace::new_trace("rag.index").scope(helpers).await }).await;
            let places = [
                "spawn",
                "spawn_blocking",
                "set.spawn",
                "set.spawn_blocking",
                "carry",
                "spawn_local",
                "carry_fn",
                "carry_callback",
                "nested",
            ];
            assert_worked(&obs, &places);
            obs.logs().single("done").field("capability", "rag.index").field("spans", places.len());
        })
    });
}

#[test]
fn tasks_without_a_trace_are_captured_and_bare_ones_are_not() {
    on_both_flavours(|| {
        Box::pin(async {
            let obs = Capture::new();
            obs.scope(async {
                trace::spawn(async { info!("carried") }).await.unwrap();
                tokio::spawn(async { info!("bare task") }).await.unwrap();
                std::thread::spawn(|| info!("bare thread")).join().unwrap();
            })
            .await;
            obs.logs().single("carried");
            assert_eq!(obs.logs().all().len(), 1);
        })
    });
}

/// A drop records too: that of a task which is aborted runs inside of the capture.
#[test]
fn the_drop_of_a_carried_task_is_captured() {
    struct Leaves;
    impl Drop for Leaves {
        fn drop(&mut self) {
            info!("left");
        }
    }
    on_both_flavours(|| {
        Box::pin(async {
            let obs = Capture::new();
            obs.scope(async {
                let leaves = Leaves;
                let task = trace::spawn(async move {
                    let _leaves = leaves;
                    std::future::pending::<()>().await;
                });
                task.abort();
                assert!(task.await.unwrap_err().is_cancelled());
            })
            .await;
            obs.logs().single("left");
        })
    });
}

#[test]
fn a_trace_that_began_before_the_capture_is_captured_in_either_nesting() {
    on_both_flavours(|| {
        Box::pin(async {
            let inside = Capture::new();
            inside.scope(trace::new_trace("x").scope(async { work("inside") })).await;
            assert_worked(&inside, &["inside"]);
            inside.logs().single("done").field("capability", "x");

            let outside = Capture::new();
            trace::new_trace("y").scope(outside.scope(async { work("outside") })).await;
            assert_worked(&outside, &["outside"]);

            let sync = Capture::new();
            trace::new_trace("z").run(|| sync.run(|| work("sync")));
            assert_worked(&sync, &["sync"]);

            // A trace that is dropped early is found again too.
            let dropped = Capture::new();
            drop(dropped.scope(trace::new_trace("v").scope(std::future::pending::<()>())));
            assert_eq!(dropped.traces().last().status().as_str(), "cancelled");
        })
    });
}

#[test]
fn macros_of_other_crates_are_captured() {
    let [one, other] = [(); 2].map(|()| Capture::new());
    for obs in [&one, &other] {
        obs.run(|| {
            ::metrics::counter!("lib_calls", "kind" => "a").increment(2);
            std::thread::spawn(trace::carry_fn(|| {
                ::metrics::counter!("lib_calls", "kind" => "a").increment(1)
            }))
            .join()
            .unwrap();
        });
        assert_eq!(obs.metrics().value("lib_calls_total", [("kind", "a")]), 3.0);
    }
}

/// Returns the message of the panic of `f`.
fn panic_of(f: impl FnOnce() + std::panic::UnwindSafe) -> String {
    let panic = std::panic::catch_unwind(f).unwrap_err();
    panic.downcast_ref::<String>().cloned().unwrap_or_default()
}

#[test]
fn a_name_that_is_not_declared_panics_with_the_nearest() {
    static CALLS: LazyLock<metrics::CounterFamily<1>> =
        LazyLock::new(|| metrics::counter("capture_calls_total", "Calls.", ["result"]));
    let value = |name: &'static str, labels: &'static [(&'static str, &'static str)]| {
        panic_of(move || {
            let obs = Capture::new();
            match labels {
                [] => _ = obs.metrics().value(name, []),
                [label, ..] => _ = obs.metrics().value(name, [*label]),
            }
        })
    };
    assert_eq!(
        value("hearthnet_request_total", &[]),
        "no family `hearthnet_request_total`; did you mean `hearthnet_requests_total`?"
    );
    assert_eq!(
        value("hearthnet_requests_total", &[("capabilty", "x")]),
        "hearthnet_requests_total: no label `capabilty`; did you mean `capability`?"
    );
    assert!(value("capture_calls_total", &[]).starts_with("no family `capture_calls_total`; "));
    LazyLock::force(&CALLS);
    let obs = Capture::new();
    assert_eq!(obs.metrics().value("capture_calls_total", [("result", "ok")]), 0.0);
    assert_eq!(obs.metrics().value("hearthnet_requests_total", []), 0.0);
}

/// Events and spans of libraries that speak `tracing`, in the test's task and in one that carries the context.
#[cfg(feature = "tracing")]
#[test]
fn events_and_spans_of_tracing_are_captured() {
    fn library(place: &'static str) {
        ::tracing::info_span!("library").in_scope(|| ::tracing::warn!(place, "told"));
    }
    on_both_flavours(|| {
        Box::pin(async {
            let [obs, other] = [(); 2].map(|()| Capture::new());
            obs.scope(trace::new_trace("rag.index").scope(async {
                library("here");
                trace::spawn(async { library("task") }).await.unwrap();
                std::thread::spawn(trace::carry_fn(|| library("thread"))).join().unwrap();
            }))
            .await;
            let id = obs.traces().last().trace_id().to_string();
            let logs = obs.logs();
            let told: Vec<_> = logs.all().iter().filter(|line| line["msg"] == "told").collect();
            let places: Vec<_> = told.iter().map(|line| line["place"].as_str().unwrap()).collect();
            assert_eq!(places, ["here", "task", "thread"]);
            assert!(
                told.iter().all(|line| line["trace_id"] == *id && line["level"] == "warning"),
                "{told:?}"
            );
            let traces = obs.traces();
            let spans: Vec<_> = traces.last().spans().iter().map(|span| span.name()).collect();
            assert_eq!(spans, ["library"; 3]);
            assert_eq!(other.logs().all().len(), 0);
        })
    });
}

#[test]
fn a_misspelt_message_or_field_is_told_with_the_nearest_one() {
    let obs = Capture::new();
    obs.run(|| {
        info!(logger: LOG, capability = "llm.chat"; "routed");
        info!(logger: Logger::new("test.captured"), "answered");
        info!(logger: Logger::new("test::capture::part"), "answered");
    });
    let logs = obs.logs();
    let text = panic_of(|| _ = logs.single("ruoted"));
    assert!(text.starts_with("no line with the message \"ruoted\"; did you mean \"routed\"?"), "{text}");
    let text = panic_of(|| _ = logs.single("something else"));
    assert!(text.starts_with("no line with the message \"something else\" among"), "{text}");
    let text = panic_of(|| _ = logs.single("routed").field("capabilty", "llm.chat"));
    assert!(text.starts_with("no field \"capabilty\"; did you mean \"capability\"?"), "{text}");
    let text = panic_of(|| _ = logs.single("answered"));
    assert!(text.starts_with("2 lines with the message"), "{text}");
    assert_eq!(obs.logs().of("test.capture").all().len(), 2);
    assert_eq!(obs.logs().of("test::capture").single("answered").json()["logger"], "test.capture.part");
    assert!(obs.logs().of("tes").all().is_empty());
}

#[test]
fn a_field_of_a_span_is_equal_to_a_number_of_any_type() {
    let obs = Capture::new();
    obs.run(|| trace::new_trace("x").run(|| trace::span("send").field("attempt", 2_u64).run(|| ())));
    assert_eq!(obs.traces().last().spans()[0].field("attempt"), Some(&2.into()));
}

#[test]
fn a_panic_of_a_spawned_task_is_an_error_line_with_the_trace() {
    on_both_flavours(|| {
        Box::pin(async {
            let obs = Capture::new();
            let work = async {
                let task = trace::spawn(trace::span("index").wrap(async { panic!("out of shelves") }));
                assert!(task.await.is_err());
                trace::span("send").enter().fail("refused");
            };
            obs.scope(trace::new_trace("rag.index").scope(work)).await;
            let (logs, traces) = (obs.logs(), obs.traces());
            let id = traces.last().trace_id().to_string();
            let lines: Vec<_> = logs.all().iter().filter(|line| line["level"] == "error").collect();
            assert_eq!(lines.len(), 1, "{logs:?}");
            assert_eq!(lines[0]["trace_id"], id);
            let errors: Vec<_> = traces
                .last()
                .spans()
                .iter()
                .map(|span| (span.name(), span.field("error").cloned()))
                .collect();
            assert_eq!(errors, [("index", Some("panic".into())), ("send", Some("refused".into()))]);
        })
    });
}
