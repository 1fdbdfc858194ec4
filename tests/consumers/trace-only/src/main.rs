//! A program with tracing only. Its requests are tasks, and their steps are spans, some of them in tasks of their own.
//!
//! It ends with exit code 0 when the traces are right.

use std::error::Error;
use std::time::Duration;

use obs_trace::{self as trace, TraceRecord};

const REQUESTS: usize = 20;

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    runtime.block_on(serve());

    let recent = trace::get_recent(REQUESTS + 1);
    if recent.len() != REQUESTS {
        return Err(format!("{} traces of {REQUESTS} requests", recent.len()).into());
    }
    recent.iter().try_for_each(|record| check(record))
}

/// Runs all requests at once on one thread.
async fn serve() {
    let mut requests = trace::JoinSet::new();
    for number in 0..REQUESTS {
        requests.spawn(trace::new_trace("rag.query").scope(query(number)));
    }
    while requests.join_next().await.is_some() {}
}

async fn query(number: usize) {
    trace::span("search").field("number", number as u64).wrap(step(1)).await;
    let (embed, rank) = (trace::span("embed").wrap(step(2)), trace::span("rank").wrap(step(1)));
    tokio::join!(embed, rank);
    // The spawned task carries the trace.
    let stored = trace::spawn(async { trace::span("store").wrap(step(1)).await }).await;
    if let (Some(current), true) = (trace::current_trace(), stored.is_err() || number.is_multiple_of(10)) {
        current.fail("timeout");
    }
}

async fn step(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

/// Checks that each request has its four spans and that every tenth request failed.
fn check(record: &TraceRecord) -> Result<(), Box<dyn Error>> {
    let spans = record.spans();
    let mut names: Vec<_> = spans.iter().map(|span| span.name()).collect();
    names.sort_unstable();
    let number = spans.iter().find_map(|span| span.field("number").map(ToString::to_string));
    let should_fail = number.as_deref().is_some_and(|number| number.ends_with('0'));
    let right = names == ["embed", "rank", "search", "store"]
        && spans
            .iter()
            .all(|span| span.duration() >= Duration::from_millis(1) && span.duration() <= record.duration())
        && record.status().as_str() == if should_fail { "timeout" } else { "ok" };
    if right { Ok(()) } else { Err(format!("{record:?}").into()) }
}
