//! The functions of `obs-trace`, as a program calls them: context belongs to the task.

use std::sync::Arc;

use obs_trace::{self as trace, Config, JoinSet, Store, TraceId};
use tokio::runtime::{Builder, Runtime};

use crate::case::{Outcome, ensure, equal, failed};
use crate::harness::Lab;

/// Returns a runtime of each kind.
fn runtimes() -> Outcome<[(&'static str, Runtime); 2]> {
    let one_thread = Builder::new_current_thread().enable_time().build()?;
    let threads = Builder::new_multi_thread().worker_threads(2).enable_time().build()?;
    Ok([("on one thread", one_thread), ("on several threads", threads)])
}

/// `attach` and `detach` round-trip over the concurrent parts of a request.
pub(super) fn propagation(_lab: &Lab) -> Outcome {
    for (place, runtime) in runtimes()? {
        runtime.block_on(trace::scope(round_trip())).map_err(|stop| stop.at(place))?;
    }
    Ok(())
}

fn current_id() -> Option<TraceId> {
    trace::current_trace().map(|current| current.id())
}

async fn seen(name: &'static str) -> Option<TraceId> {
    trace::span(name)
        .wrap(async {
            tokio::task::yield_now().await;
            current_id()
        })
        .await
}

async fn round_trip() -> Outcome {
    equal("the current trace before", current_id(), None)?;
    let id = TraceId::generate();
    trace::attach(trace::new_trace_with_id(id, "rag.query"));
    equal("the current trace after attach", current_id(), Some(id))?;

    let joined = tokio::join!(seen("a"), seen("b"));
    equal("the current trace in branches of join!", joined, (Some(id), Some(id)))?;
    let mut set = JoinSet::new();
    set.spawn(seen("c"));
    set.spawn(seen("d"));
    while let Some(result) = set.join_next().await {
        equal("the current trace in tasks of a JoinSet", result?, Some(id))?;
    }
    equal("the current trace in a task", trace::spawn(seen("e")).await?, Some(id))?;
    let blocking = trace::spawn_blocking(|| trace::in_span("f", current_id)).await?;
    equal("the current trace in a blocking task", blocking, Some(id))?;
    equal("the current trace in a bare tokio::spawn", tokio::spawn(async { current_id() }).await?, None)?;
    equal("the current trace after all of them", current_id(), Some(id))?;

    let record = trace::detach().ok_or_else(|| failed("a record of the trace", "none"))?;
    equal("the current trace after detach", current_id(), None)?;
    equal("the ID of the record", record.trace_id(), id)?;
    let mut names: Vec<_> = record.spans().iter().map(|span| span.name()).collect();
    names.sort_unstable();
    equal("its spans", names, vec!["a", "b", "c", "d", "e", "f"])?;
    ensure(trace::detach().is_none(), "nothing to detach a second time", "a record")
}

/// A thousand tasks hold a span over a yield. Each span is in the trace of its own task.
pub(super) fn tasks_keep_apart(_lab: &Lab) -> Outcome {
    for (place, runtime) in runtimes()? {
        runtime.block_on(many_tasks()).map_err(|stop| stop.at(place))?;
    }
    Ok(())
}

async fn many_tasks() -> Outcome {
    let one = |number: u64| {
        let current = trace::new_trace("rag.query");
        let id = current.id();
        tokio::spawn(async move {
            let work = async {
                let outer = trace::span("outer").field("number", number).enter();
                tokio::task::yield_now().await;
                let seen = current_id();
                let inner = trace::span("inner").wrap(tokio::task::yield_now());
                inner.await;
                drop(outer);
                (seen, trace::current_trace())
            };
            let (seen, current) = current.scope(work).await;
            (number, id, seen, current)
        })
    };
    let tasks: Vec<_> = (0..1_000).map(one).collect();
    for task in tasks {
        let (number, id, seen, current) = task.await?;
        equal("the trace that a task sees", seen, Some(id))?;
        let spans = current.map(|current| current.spans()).unwrap_or_default();
        let numbers: Vec<_> =
            spans.iter().filter_map(|span| span.field("number")).map(ToString::to_string).collect();
        equal("the spans of its trace", (spans.len(), numbers), (2, vec![number.to_string()]))?;
    }
    Ok(())
}

/// A trace that ends, is dropped, fails or unwinds is recorded once, with that status.
pub(super) fn ends(_lab: &Lab) -> Outcome {
    let store = Store::new(Config::default())?;
    let _scope = store.enter();
    let runtime = Builder::new_current_thread().enable_time().build()?;
    runtime.block_on(async {
        trace::new_trace("ended").scope(async {}).await;
        let failing =
            async { trace::current_trace().into_iter().for_each(|current| current.fail("timeout")) };
        trace::new_trace("failed").scope(failing).await;
        drop(Box::pin(trace::new_trace("never polled").scope(async {})));
        let dropped = trace::new_trace("dropped").scope(std::future::pending::<()>());
        // The timeout drops the future before it ends.
        let _elapsed = tokio::time::timeout(std::time::Duration::from_millis(10), dropped).await;
    });
    let unwound = std::panic::catch_unwind(|| {
        trace::new_trace("unwound")
            .run(|| std::panic::resume_unwind(Box::new("a panic without a message on stderr")))
    });
    ensure(unwound.is_err(), "the panic goes on", "it was caught")?;

    let raced = trace::new_trace("raced");
    let records: usize = std::thread::scope(|threads| {
        let racers: Vec<_> =
            (0..4).map(|_| threads.spawn(|| usize::from(raced.finish().is_some()))).collect();
        racers.into_iter().filter_map(|racer| racer.join().ok()).sum()
    });
    equal("records of a trace that four threads ended", records, 1)?;

    let recent = store.get_recent(10);
    let mut statuses: Vec<_> =
        recent.iter().map(|record| (record.capability().to_owned(), status(record))).collect();
    statuses.sort();
    let expected = [
        ("dropped", "cancelled"),
        ("ended", "ok"),
        ("failed", "timeout"),
        ("never polled", "cancelled"),
        ("raced", "ok"),
        ("unwound", "panic"),
    ];
    equal(
        "capability and status of each",
        statuses,
        expected.map(|(name, status)| (name.to_owned(), status.to_owned())).to_vec(),
    )
}

fn status(record: &Arc<trace::TraceRecord>) -> String {
    record.status().as_str().to_owned()
}
