//! Runs cases one after another, each with a deadline.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::case::{Case, Outcome, Stop, failed};
use crate::harness::Lab;
use crate::manifest::Selected;

/// Result of a case.
pub(crate) struct Ran {
    pub(crate) selected: Selected,
    pub(crate) outcome: Outcome,
    pub(crate) took: Duration,
    /// Command line that runs the case again.
    pub(crate) reproduce: String,
}

pub(crate) fn run(selected: &[Selected], lab: &Arc<Lab>) -> Vec<Ran> {
    let run_one = |selected: &Selected| {
        let start = Instant::now();
        let outcome = one(selected.case, lab);
        let reproduce = lab.reproduce(&selected.entry.path);
        Ran { selected: selected.clone(), outcome, took: start.elapsed(), reproduce }
    };
    selected.iter().map(run_one).collect()
}

/// Runs a case on a thread of its own. A case that panics or hangs fails; the thread of a hanging case is left behind.
fn one(case: Case, lab: &Arc<Lab>) -> Outcome {
    let (tell, told) = mpsc::channel();
    let lab = Arc::clone(lab);
    let body = move || {
        let outcome = (case.run)(&lab);
        // Before the end of the run is known: this thread must not be the one that ends the servers of the lab.
        drop(lab);
        // The receiver is dropped when the deadline passes.
        let _ = tell.send(outcome);
    };
    let thread = std::thread::Builder::new().name(case.name.to_owned()).spawn(body)?;
    match told.recv_timeout(case.deadline) {
        Ok(outcome) => outcome,
        Err(RecvTimeoutError::Timeout) => {
            Err(failed(format!("an end within {:?}", case.deadline), "still running"))
        }
        Err(RecvTimeoutError::Disconnected) => Err(panicked(thread)),
    }
}

fn panicked(thread: std::thread::JoinHandle<()>) -> Stop {
    let payload = thread.join().err();
    let text = payload.as_ref().and_then(|payload| {
        payload
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| payload.downcast_ref::<&str>().copied())
    });
    failed("no panic", text.unwrap_or("a panic without a message"))
}
