//! One bus call, from its headers to the end of its answer.

use std::time::Instant;

use obs_metrics::{Lease, standard};
use obs_trace::{Status, Trace};

/// A call that has begun. It is recorded exactly once, when it is dropped: by [`Call::end`], by a
/// client that hung up, or by a handler that unwinds.
#[derive(Debug)]
pub(super) struct Call {
    trace: Trace,
    started: Instant,
    stream: Option<Lease>,
}

impl Call {
    pub(super) fn begin(trace: Trace) -> Self {
        Call { trace, started: Instant::now(), stream: None }
    }

    pub(super) fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Runs a part of the call inside its trace. If it unwinds, the trace ends as `panic` here: a
    /// runtime catches the panic first and drops the call afterwards, when nothing tells it from one
    /// that was cancelled.
    pub(super) fn enter<T>(&self, part: impl FnOnce() -> T) -> T {
        let unwinding = EndTrace(&self.trace);
        let result = self.trace.enter(part);
        std::mem::forget(unwinding);
        result
    }

    /// Counts a streamed answer as open until the call ends.
    pub(super) fn open_stream(&mut self) {
        self.stream = Some(standard::active_streams().with([self.trace.capability()]).lease());
    }

    /// Ends the call with the status that its trace has by now.
    pub(super) fn end(self) {
        self.trace.finish();
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.stream = None;
        // Without effect where `end` was first.
        self.trace.cancel();
        let capability = self.trace.capability();
        let status = self.trace.status();
        // Inside the trace once more, so that the exemplars name it (T9).
        self.trace.enter(|| {
            standard::requests_total().inc([capability, result(&status)]);
            standard::observe_request_duration(capability, self.started.elapsed());
        });
    }
}

struct EndTrace<'a>(&'a Trace);

impl Drop for EndTrace<'_> {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// What the caller got, in the words of the protocol; one that went away got nothing.
fn result(status: &Status) -> &str {
    match status {
        Status::Panic => "internal_error",
        status => status.as_str(),
    }
}
