//! The handle of a trace.
//!
//! `store/begin.rs` makes it. Methods that need the context of the caller are in `context/`: `scope`, `run`, `enter`
//! and `fail`.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::record::Outcome;
use crate::{IntoValue, SpanRecord, Status, TraceId, TraceRecord, Value};

/// A trace that has begun: everything that is done for one request.
///
/// A handle, cheap to clone. A trace ends once: by [`finish`](Trace::finish), [`detach`](crate::detach), the end of its
/// [`scope`](Trace::scope), or the drop of its last handle (`cancelled`, or `panic` while the thread unwinds). The first
/// of these records it and logs `done` with target `hearthnet.trace`. The others have no effect.
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
    /// Returns the ID of the trace.
    pub fn id(&self) -> TraceId {
        self.0.trace_id()
    }

    /// Returns the name of the requested capability; at most 128 bytes. Untrusted text.
    pub fn capability(&self) -> &str {
        self.0.capability()
    }

    /// Returns the time of the beginning by the wall clock.
    pub fn started_at(&self) -> SystemTime {
        self.0.started_at()
    }

    /// Returns the time since the beginning, or the duration of a trace that has ended.
    pub fn elapsed(&self) -> Duration {
        self.0.duration()
    }

    /// Returns the spans that have ended so far, in the order of their beginnings.
    pub fn spans(&self) -> Vec<SpanRecord> {
        self.0.spans()
    }

    /// Returns the status that the trace would have if it ended normally now, or the status that it ended with.
    pub fn status(&self) -> Status {
        self.0.status()
    }

    /// Returns whether the trace has ended.
    pub fn is_ended(&self) -> bool {
        self.0.is_ended()
    }

    /// Sets a field of the line `done` of this trace, such as the address of its caller.
    ///
    /// The field is in no record: only the log has it. The last value under a key counts. There are at most 8 fields, with
    /// texts of at most 256 bytes; further ones are counted in [`Stats::dropped_fields`](crate::Stats::dropped_fields).
    ///
    /// ```
    /// let trace = obs_trace::new_trace("llm.chat");
    /// trace.set_done_field("address", "192.0.2.7");
    /// trace.finish();                 // done  capability=llm.chat status=ok ms=0.01 spans=0 address=192.0.2.7
    /// ```
    pub fn set_done_field<How>(&self, key: &'static str, value: impl IntoValue<How>) {
        self.0.set_done_field(key, value.into_value());
    }

    /// Sets an attribute of the root span for exporters, such as `http.route`. The value is made only if it is kept.
    ///
    /// The attribute is kept while an exporter is connected, and costs a load otherwise. It is in no line and in no JSON. A
    /// key without a dot is exported in the namespace `hearthnet`. The last value under a key counts. There are at most 8
    /// attributes, with texts of at most [`Config::max_field_bytes`](crate::Config::max_field_bytes); further ones are counted
    /// in [`Stats::dropped_fields`](crate::Stats::dropped_fields).
    ///
    /// ```
    /// let trace = obs_trace::new_trace("web:GET /items/{id}");
    /// trace.set_root_field("http.route", || "/items/{id}".into());
    /// # trace.finish();
    /// ```
    pub fn set_root_field(&self, key: &'static str, value: impl FnOnce() -> Value) {
        self.0.set_root_field(key, value);
    }

    /// Names the root span for exporters. Without it the root span has the name of the capability. At most 160 bytes are
    /// kept, while an exporter is connected.
    ///
    /// A root span with a name of its own stands for a request of HTTP: with a status 4xx in `http.response.status_code`
    /// it is exported as no error, as OpenTelemetry asks of servers.
    ///
    /// ```
    /// let trace = obs_trace::new_trace("web:GET /items/{id}");
    /// trace.set_root_name("GET /items/{id}");
    /// # trace.finish();
    /// ```
    pub fn set_root_name(&self, name: &str) {
        self.0.set_root_name(name);
    }

    /// Returns the address of the record, which tells traces apart while they exist.
    #[inline]
    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    /// Ends the trace: records it in the ring and logs `done`. `None` if it has ended already.
    pub fn finish(&self) -> Option<Arc<TraceRecord>> {
        self.0.finish(Outcome::Ok)
    }

    /// Ends the trace as `cancelled`, or as `panic` while the thread unwinds. `None` if it has ended already.
    ///
    /// The drop of the last handle does the same. An owner that knows of the end earlier calls this.
    pub fn cancel(&self) -> Option<Arc<TraceRecord>> {
        self.0.finish(Outcome::of_drop())
    }
}

/// Two handles are equal if they belong to the same trace.
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
