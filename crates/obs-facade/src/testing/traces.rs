//! Captured traces.

use std::sync::Arc;

use obs_trace::TraceRecord;

/// Captured traces; see [`Capture::traces`](crate::testing::Capture::traces).
///
/// ```
/// let obs = obs_facade::testing::Capture::new();
/// obs.run(|| obs_facade::trace::new_trace("rag.query").run(|| ()));
/// assert_eq!(obs.traces().last().capability(), "rag.query");
/// ```
#[derive(Debug)]
pub struct Traces(pub(super) Vec<Arc<TraceRecord>>);

impl Traces {
    /// Returns all traces, in the order of their ends.
    #[must_use]
    pub fn all(&self) -> &[Arc<TraceRecord>] {
        &self.0
    }

    /// Returns the trace that ended last.
    ///
    /// # Panics
    ///
    /// If none has ended.
    #[must_use]
    #[track_caller]
    pub fn last(&self) -> &TraceRecord {
        self.0.last().expect("no trace has ended yet")
    }
}
