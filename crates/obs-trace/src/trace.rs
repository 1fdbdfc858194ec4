//! A trace while it runs.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::context::scope::Scope;
use crate::context::{self, Frame, Position};
use crate::propagation::remote::Remote;
use crate::record::Outcome;
use crate::{SpanRecord, Status, Store, TraceId, TraceRecord, clock};

/// Begins a trace (spec §5.1), typically at the top of a capability handler.
///
/// It is not current before it is [attached](crate::attach), [entered](Trace::enter) or given a
/// future to [scope](Trace::scope). Of `capability` 128 bytes are kept; it may be hostile.
///
/// ```
/// let trace = obs_trace::new_trace("llm.chat");
/// assert_eq!(trace.capability(), "llm.chat");
/// # trace.finish();
/// ```
pub fn new_trace(capability: &str) -> Trace {
    begin(None, capability)
}

/// Begins a trace that continues the one of a caller, under the same ID (T7).
///
/// ```
/// let id = obs_trace::propagation::parse_request_id(b"01HXR3F2Q4T6V8X0Z2B4D6F8HJ").unwrap();
/// let trace = obs_trace::new_trace_with_id(id, "llm.chat");
/// assert_eq!(trace.id(), id);
/// # trace.finish();
/// ```
pub fn new_trace_with_id(id: TraceId, capability: &str) -> Trace {
    begin(Some(Remote::new(id)), capability)
}

/// Begins a trace that continues the one of a caller, as a child of the caller's span (T7).
///
/// ```
/// use obs_trace::{Remote, TraceId};
///
/// let id = TraceId::generate();
/// let trace = obs_trace::new_trace_from(Remote::new(id).parent([1; 8]), "llm.chat");
/// assert_eq!(trace.id(), id);
/// # trace.finish();
/// ```
pub fn new_trace_from(remote: Remote, capability: &str) -> Trace {
    begin(Some(remote), capability)
}

fn begin(remote: Option<Remote>, capability: &str) -> Trace {
    let entered = Store::entered();
    let store = entered.as_ref().unwrap_or_else(|| Store::global());
    let weak = entered.as_ref().map(Store::downgrade);
    let record = Arc::new(TraceRecord::begin(remote, capability, store.limits(), weak));
    store.begin(&record);
    Trace(record)
}

/// A trace that has begun: what is done for one request, from its beginning to its end.
///
/// A handle, cheap to clone. The trace ends once: by [`finish`](Trace::finish),
/// [`detach`](crate::detach), the end of its [`scope`](Trace::scope), or when the last handle is
/// dropped (`cancelled`, or `panic` while the thread unwinds). Whichever comes first records it and
/// logs `done` with target `hearthnet.trace`; the others find it ended.
///
/// ```
/// let trace = obs_trace::new_trace("llm.chat");
/// trace.enter(|| obs_trace::in_span("forward", || trace.fail("timeout")));
/// let record = trace.finish().unwrap();
/// assert_eq!(record.status().as_str(), "timeout");
/// assert_eq!(record.spans()[0].field("error").unwrap().as_str(), Some("timeout"));
/// ```
#[derive(Clone)]
#[must_use = "a trace that is dropped ends as `cancelled`"]
pub struct Trace(pub(crate) Arc<TraceRecord>);

impl Trace {
    /// The ID of the trace.
    pub fn id(&self) -> TraceId {
        self.0.trace_id()
    }

    /// What was asked for; at most 128 bytes. Untrusted text.
    pub fn capability(&self) -> &str {
        self.0.capability()
    }

    /// When the trace began, by the wall clock.
    pub fn started_at(&self) -> SystemTime {
        self.0.started_at()
    }

    /// How long the trace has been running, or ran.
    pub fn elapsed(&self) -> Duration {
        self.0.duration()
    }

    /// The spans that have ended so far, in the order in which they began.
    pub fn spans(&self) -> Vec<SpanRecord> {
        self.0.spans()
    }

    /// What the status would be if the trace ended well now, or how it ended.
    pub fn status(&self) -> Status {
        self.0.status()
    }

    /// Whether somebody has ended it.
    pub fn is_ended(&self) -> bool {
        self.0.is_ended()
    }

    /// Says that the request failed, with an error code such as `timeout`: the status that the trace
    /// will have if it ends by itself. Of several calls the first counts, being nearest to the cause.
    ///
    /// The span that encloses the caller gets the field `error`. Of the code 64 bytes are kept. Has
    /// no effect once the trace has ended, nor with an empty code or `ok`.
    pub fn fail(&self, code: &str) {
        if code.is_empty() || code == "ok" {
            return;
        }
        self.0.fail(code);
        if let Some(span) = context::enclosing_span(self) {
            self.0.set_field(span, ERROR, code.into());
        }
    }

    /// Ends the trace: records it in the ring and logs `done`. `None` if somebody has ended it already.
    pub fn finish(&self) -> Option<Arc<TraceRecord>> {
        self.finish_as(Outcome::Ok)
    }

    /// Ends the trace as `cancelled`, or as `panic` while the thread unwinds: what happens by itself
    /// when the last handle is dropped, for an owner that knows before. `None` if somebody has ended it already.
    pub fn cancel(&self) -> Option<Arc<TraceRecord>> {
        self.finish_as(Outcome::of_drop())
    }

    /// Makes the trace current while `future` runs, and ends it when `future` has ended: `ok` or what
    /// [`fail`](Trace::fail) has set, `cancelled` if `future` is dropped before, `panic` if it unwinds.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let trace = obs_trace::new_trace("rag.query");
    /// let id = trace.id();
    /// trace.scope(async move {
    ///     assert_eq!(obs_trace::current_trace().unwrap().id(), id);
    /// }).await;
    /// # });
    /// ```
    pub fn scope<F: Future>(self, future: F) -> Scope<F> {
        Scope::new(self, future)
    }

    /// [`scope`](Trace::scope) for what is not a future.
    ///
    /// ```
    /// let answer = obs_trace::new_trace("rag.query").run(|| obs_trace::in_span("search", || 42));
    /// assert_eq!(answer, 42);
    /// ```
    pub fn run<R>(self, f: impl FnOnce() -> R) -> R {
        let panics = EndOnUnwind(&self);
        let result = self.enter(f);
        std::mem::forget(panics);
        self.finish();
        result
    }

    /// Makes the trace current while `f` runs, without ending it afterwards.
    pub fn enter<R>(&self, f: impl FnOnce() -> R) -> R {
        Frame::at(Some(Position { trace: self.clone(), parent: None })).enter(f)
    }

    pub(crate) fn finish_as(&self, outcome: Outcome) -> Option<Arc<TraceRecord>> {
        let end = self.0.end(outcome)?;
        self.0.with_store(|store| store.complete(&self.0, end));
        self.log_done();
        Some(Arc::clone(&self.0))
    }

    fn log_done(&self) {
        if !log::log_enabled!(target: TARGET, log::Level::Info) {
            return;
        }
        let record = &*self.0;
        let line = || {
            log::info!(
                target: TARGET,
                capability = record.capability(),
                status = record.status().as_str(),
                ms = clock::ms(record.duration()),
                spans = record.span_count();
                "done"
            );
        };
        // A logger that panics must not take the request with it, least of all one that unwinds.
        let _ = catch_unwind(AssertUnwindSafe(|| context::while_ending(record.trace_id(), line)));
    }
}

const TARGET: &str = "hearthnet.trace";

/// The field of a span that failed.
pub(crate) const ERROR: &str = "error";

/// Ends a trace as `panic` if it is dropped, which happens only when the stack unwinds.
pub(crate) struct EndOnUnwind<'a>(pub(crate) &'a Trace);

impl Drop for EndOnUnwind<'_> {
    fn drop(&mut self) {
        self.0.finish_as(Outcome::Panic);
    }
}

/// Two handles are equal if they are of the same trace.
impl PartialEq for Trace {
    fn eq(&self, other: &Trace) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Trace {}

impl std::fmt::Debug for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trace")
            .field("id", &self.id())
            .field("capability", &self.capability())
            .field("status", &self.status())
            .field("is_ended", &self.is_ended())
            .finish_non_exhaustive()
    }
}
