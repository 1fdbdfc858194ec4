//! Runs of checks: order, width, deadlines, panics, causes.
//!
//! One conductor hands each check to a thread of its own and waits for results and deadlines. A thread that does not
//! finish in time is abandoned, and its check is not started again before the thread has finished.

mod claim;
mod conductor;
mod limits;
mod node_id;
mod plan;
mod worker;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

pub(crate) use conductor::fix_without_thread;
pub use limits::Limits;
pub(crate) use plan::{Entry, positions_of_dependencies, refuse_cycles};

use self::conductor::Run;
use crate::check::Context;
use crate::report::{CheckResult, Report};
use crate::text::clean;

/// Wait for the node's ID after the last check: enough for a bus that works, and no delay that a person notices.
const NODE_ID_GRACE: Duration = Duration::from_millis(100);

/// Runs `entries` and returns the report within `limits.total`. `asking` counts the threads that ask for the node's ID.
pub(crate) fn run(entries: &[Entry], limits: Limits, cx: &Context, asking: &Arc<AtomicUsize>) -> Report {
    let started = Instant::now();
    let node_id = node_id::ask(cx, asking);
    let mut run = Run::new(entries, limits, cx, started);
    while run.has_open() {
        run.start_ready();
        run.wait();
        run.expire();
    }
    let patience = run.left().min(NODE_ID_GRACE);
    let node_id = node_id.recv_timeout(patience).ok().flatten().map(|id| clean(&id, 100));
    Report { results: run.into_results(), node_id, duration: started.elapsed() }
}

/// Returns the report of a run that could not take place: an error for each check.
pub(crate) fn all_errors(entries: &[Entry], why: &str, fix: &str, duration: Duration) -> Report {
    let result = |entry: &Entry| {
        let check = &entry.check;
        CheckResult::error(why).fix(fix).settle(check.name(), check.category(), Duration::ZERO)
    };
    Report { results: entries.iter().map(result).collect(), node_id: None, duration }
}
