//! A span of a completed trace, as readers see it.

use std::time::Duration;

use serde_core::ser::SerializeStruct;
use serde_core::{Serialize, Serializer};

use crate::{Value, clock};

/// A span of a [`TraceRecord`](crate::TraceRecord).
///
/// Serialises to `{"name", "parent", "start_ms", "duration_ms", "fields"}`, where `parent` is the
/// index of the enclosing span in the same list or `null`, and `start_ms` counts from the beginning
/// of the trace.
///
/// ```
/// let trace = obs_trace::new_trace("rag.query");
/// trace.enter(|| {
///     obs_trace::in_span("search", || obs_trace::in_span("embed", || {}));
/// });
/// let spans = trace.finish().unwrap().spans();
/// assert_eq!((spans[0].name(), spans[0].parent()), ("search", None));
/// assert_eq!((spans[1].name(), spans[1].parent()), ("embed", Some(0)));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct SpanRecord {
    pub(crate) id: [u8; 8],
    pub(crate) is_client: bool,
    pub(crate) name: &'static str,
    pub(crate) parent: Option<usize>,
    pub(crate) start: Duration,
    pub(crate) duration: Duration,
    pub(crate) fields: Vec<(&'static str, Value)>,
}

impl SpanRecord {
    /// What was done.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The ID by which other systems know the span: eight bytes.
    pub fn span_id(&self) -> [u8; 8] {
        self.id
    }

    /// The enclosing span, by its index in the trace's list; always smaller than the own one.
    pub fn parent(&self) -> Option<usize> {
        self.parent
    }

    /// From the beginning of the trace to the beginning of the span.
    pub fn start(&self) -> Duration {
        self.start
    }

    /// From the beginning of the span to its end.
    pub fn duration(&self) -> Duration {
        self.duration
    }

    /// The fields, in the order in which they were first set; no key twice.
    pub fn fields(&self) -> &[(&'static str, Value)] {
        &self.fields
    }

    /// The value of one field.
    pub fn field(&self, key: &str) -> Option<&Value> {
        self.fields.iter().find(|(known, _)| *known == key).map(|(_, value)| value)
    }
}

impl Serialize for SpanRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut span = serializer.serialize_struct("SpanRecord", 5)?;
        span.serialize_field("name", self.name)?;
        span.serialize_field("parent", &self.parent)?;
        span.serialize_field("start_ms", &clock::ms(self.start))?;
        span.serialize_field("duration_ms", &clock::ms(self.duration))?;
        span.serialize_field("fields", &FieldMap(&self.fields))?;
        span.end()
    }
}

struct FieldMap<'a>(&'a [(&'static str, Value)]);

impl Serialize for FieldMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}
