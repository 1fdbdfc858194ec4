//! A record with the IDs that join it with the records of other nodes.

use serde_core::ser::SerializeStruct;
use serde_core::{Serialize, Serializer};

use super::{SpanRecord, TraceRecord};

/// A record with the IDs of its spans and of the caller's span.
///
/// Serialises like the [`TraceRecord`], with `span_id` and `parent_span_id` in the record and `span_id` in each span. The part of
/// another node is a child of the span whose `span_id` is the `parent_span_id` of that part.
///
/// ```
/// let trace = obs_trace::new_trace("rag.query");
/// trace.enter(|| obs_trace::in_span("forward", || {}));
/// let record = trace.finish().unwrap();
/// let joined = record.with_span_ids();
/// # let _ = joined;
/// ```
#[derive(Clone, Copy, Debug)]
pub struct WithSpanIds<'a>(&'a TraceRecord);

impl TraceRecord {
    /// Returns the record in a form that serialises with the IDs of its spans.
    pub fn with_span_ids(&self) -> WithSpanIds<'_> {
        WithSpanIds(self)
    }
}

impl Serialize for WithSpanIds<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let spans = self.0.spans();
        let spans: Vec<_> = spans.iter().map(WithSpanId).collect();
        let mut record = serializer.serialize_struct("TraceRecord", 9 + usize::from(self.0.is_restored()))?;
        self.0.serialize_head(&mut record)?;
        record.serialize_field("span_id", &self.0.span_id())?;
        record.serialize_field("parent_span_id", &self.0.parent_span_id())?;
        record.serialize_field("spans", &spans)?;
        record.serialize_field("dropped_spans", &self.0.dropped_spans())?;
        record.end()
    }
}

struct WithSpanId<'a>(&'a SpanRecord);

impl Serialize for WithSpanId<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut span = serializer.serialize_struct("SpanRecord", 6)?;
        self.0.serialize_members(&mut span)?;
        span.serialize_field("span_id", &self.0.span_id())?;
        span.end()
    }
}
