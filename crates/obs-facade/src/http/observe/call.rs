//! One bus call or request of a route, from its headers to the end of its response.

use obs_metrics::{Lease, standard};
use obs_trace::Trace;

use super::result_label;

/// Kind of an observed request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A call of a capability.
    BusCall,
    /// Any other request, named by the template of its route.
    Route,
}

/// A call that has begun. Dropping it records it, so each call is recorded exactly once: by [`Call::end`], by a client
/// that disconnected, or by a handler that unwinds.
#[derive(Debug)]
pub(super) struct Call {
    kind: Kind,
    trace: Trace,
    stream: Option<Lease>,
}

impl Call {
    /// Begins a call, which lasts as long as its trace.
    pub(super) fn begin(kind: Kind, trace: Trace) -> Self {
        Call { kind, trace, stream: None }
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Runs a part of the call inside its trace, as a poll that may hold its worker. If the part unwinds, the trace ends as
    /// `panic`.
    pub(super) fn enter<T>(&self, part: impl FnOnce() -> T) -> T {
        // A runtime catches the panic before it drops the call. By then `thread::panicking` is false, and the drop
        // would look like a cancellation. So the trace ends during the unwinding.
        let unwinding = EndTrace(&self.trace);
        let result = self.trace.enter_poll(part);
        // Reached only without a panic.
        std::mem::forget(unwinding);
        result
    }

    /// Counts a streamed response as open until the call ends.
    pub(super) fn open_stream(&mut self) {
        self.stream = Some(standard::active_streams().with([self.trace.capability()]).lease());
    }

    /// Ends the call with the current status of its trace.
    pub(super) fn end(self) {
        self.trace.finish();
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        // Before the counters, so that a scrape never shows a counted call as an open stream.
        self.stream = None;
        // No effect on a trace that `end` has finished.
        self.trace.cancel();
        let capability = self.trace.capability();
        let status = self.trace.status();
        // Inside the trace, so that the exemplars carry its ID.
        self.trace.enter(|| {
            standard::requests_total().inc([capability, result_label::of(&status)]);
            standard::observe_request_duration(capability, self.trace.elapsed());
        });
    }
}

/// Ends the trace when it is dropped, as `panic` while the thread unwinds.
struct EndTrace<'a>(&'a Trace);

impl Drop for EndTrace<'_> {
    fn drop(&mut self) {
        self.0.cancel();
    }
}
