//! The current trace: attach, detach, and what depends on the caller's context.

use std::sync::Arc;

use super::frame;
use super::tasks;
use crate::record::{ERROR_FIELD, ending};
use crate::{IntoValue, Trace, TraceRecord};

/// Returns the trace that is current here: that of the enclosing scope, or else of the task or the thread.
///
/// ```
/// assert!(obs_trace::current_trace().is_none());
/// let trace = obs_trace::new_trace("llm.chat");
/// trace.enter(|| assert_eq!(obs_trace::current_trace().unwrap().id(), trace.id()));
/// # trace.finish();
/// ```
pub fn current_trace() -> Option<Trace> {
    frame::position().map(|at| at.trace)
}

/// Returns whether a trace is current here. Takes about a nanosecond.
///
/// For code that prepares what only a span would use.
///
/// ```
/// assert!(!obs_trace::has_current_trace());
/// obs_trace::new_trace("llm.chat").run(|| assert!(obs_trace::has_current_trace()));
/// ```
#[inline]
pub fn has_current_trace() -> bool {
    frame::has_trace()
}

/// Makes `trace` the current one of the enclosing scope, or of the task or the thread outside all scopes.
///
/// [`detach`] ends it and brings back the trace that was current before, if any. Of two `attach` without a `detach`
/// between them, the first trace is left to its other owners. If it has none it ends as `cancelled`, as it does when the
/// scope or thread ends without a `detach`.
///
/// A task outside all scopes that ends without a `detach` leaves its trace behind, running. The last 4 096 such traces
/// stay, and the oldest ends when there are more. Where a task may end early, use [`Trace::scope`].
///
/// ```
/// obs_trace::attach(obs_trace::new_trace("llm.chat"));
/// obs_trace::in_span("forward", || {});
/// let record = obs_trace::detach().unwrap();
/// assert_eq!(record.spans()[0].name(), "forward");
/// assert!(obs_trace::current_trace().is_none());
/// ```
pub fn attach(trace: Trace) {
    // The replaced handles are dropped here, outside the frame: a trace that ends by it calls the logger, which may ask
    // for the current trace.
    match frame::other_task() {
        Some(task) => drop(tasks::attach(task, trace)),
        None => drop(frame::attach(trace)),
    }
}

/// Ends the current trace: records it, logs `done`, and makes the trace before it current again.
///
/// Its status is `ok`, or the code that [`Trace::fail`] has set. `None` if no trace is current or the trace has ended
/// already.
///
/// ```
/// assert!(obs_trace::detach().is_none());
/// ```
pub fn detach() -> Option<Arc<TraceRecord>> {
    match frame::other_task() {
        Some(task) => tasks::detach(task)?.finish(),
        None => frame::detach().current?.finish(),
    }
}

/// Calls `f` with the text of the current trace's ID, if a trace is current.
///
/// Log lines and exemplars take their trace ID from here. During the `done` line of a trace it is the ID of that trace.
///
/// ```
/// let mut id = None;
/// let trace = obs_trace::new_trace("llm.chat");
/// trace.enter(|| obs_trace::with_current_id(&mut |text| id = Some(text.to_owned())));
/// assert_eq!(id, Some(trace.id().to_string()));
/// # trace.finish();
/// ```
pub fn with_current_id(f: &mut dyn FnMut(&str)) {
    if let Some(id) = ending().or_else(frame::current_id) {
        f(std::str::from_utf8(&id.to_text()).unwrap_or_default());
    }
}

impl Trace {
    /// Marks the request as failed, with an error code such as `timeout`: the status that the trace will have if it ends
    /// normally. The first of several calls counts, because it is the nearest to the cause.
    ///
    /// The span that encloses the caller gets the field `error`. At most 64 bytes of the code are kept. Has no effect
    /// once the trace has ended, nor with an empty code or `ok`.
    pub fn fail(&self, code: &str) {
        if code.is_empty() || code == "ok" {
            return;
        }
        // After the end neither the code nor the field has an effect. The record checks that itself.
        self.0.fail(code);
        if let Some(span) = frame::enclosing_span(self) {
            self.0.set_field(span, ERROR_FIELD, code.into());
        }
    }

    /// Sets a field of the span that encloses the caller. Has no effect outside of a span, nor once the trace has ended.
    ///
    /// ```
    /// let trace = obs_trace::new_trace("llm.chat");
    /// trace.enter(|| obs_trace::in_span("forward", || trace.set_field("cause", "connection refused")));
    /// let record = trace.finish().unwrap();
    /// assert_eq!(record.spans()[0].field("cause").unwrap().as_str(), Some("connection refused"));
    /// ```
    pub fn set_field<How>(&self, key: &'static str, value: impl IntoValue<How>) {
        if let Some(span) = frame::enclosing_span(self) {
            self.0.set_field(span, key, value.into_value());
        }
    }
}
