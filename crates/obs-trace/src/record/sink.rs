//! Sink of a trace: its store, as the record sees it.
//!
//! A store holds records and a record tells its store when it ends. This trait is the second direction, so that the
//! record knows nothing of the store.

use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::{Arc, OnceLock};

use super::marks::PeerNumber;
use super::trace_record::{End, TraceRecord};

// The auto traits are those of `TraceRecord`, which holds a `dyn Sink`. Without them a closure with a trace could not be
// passed to `catch_unwind`.
pub(crate) trait Sink: Send + Sync + UnwindSafe + RefUnwindSafe {
    /// Moves a trace from the running ones to the completed ones.
    fn complete(&self, record: &Arc<TraceRecord>, end: End);

    /// Keeps a trace because of the mark of a peer. Returns `false` if it is kept already.
    fn mark(&self, record: &Arc<TraceRecord>, peer: PeerNumber) -> bool;

    /// Counts a span that began after the end of its trace.
    fn count_late_span(&self);

    /// Counts a field that was not kept.
    fn count_dropped_field(&self);

    /// Returns whether an exporter takes the traces that end.
    fn is_exporting(&self) -> bool;

    /// Counts a poll that held its worker.
    #[cfg(feature = "rt")]
    fn count_blocked_poll(&self);

    /// Returns whether traces that their caller did not sample are not exported.
    fn exports_only_sampled(&self) -> bool;
}

static GLOBAL: OnceLock<&'static dyn Sink> = OnceLock::new();

/// Sets the store of the process, for records that begin without a sink of their own. The first call counts.
pub(crate) fn set_global(sink: &'static dyn Sink) {
    _ = GLOBAL.set(sink);
}

impl TraceRecord {
    /// Returns whether the trace belongs to the store of the process.
    pub(crate) fn is_of_process(&self) -> bool {
        self.sink.is_none()
    }

    /// Calls `f` with the store that the trace belongs to. A store that is gone counts and keeps nothing.
    #[inline]
    pub(super) fn with_sink(&self, f: impl FnOnce(&dyn Sink)) {
        match &self.sink {
            None => {
                if let Some(sink) = GLOBAL.get() {
                    f(*sink);
                }
            }
            Some(sink) => {
                if let Some(sink) = sink.upgrade() {
                    f(&*sink);
                }
            }
        }
    }
}
