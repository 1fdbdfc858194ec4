//! A span as readers see it.

use std::time::Duration;

use serde_core::ser::SerializeStruct;
use serde_core::{Serialize, Serializer};

use super::Value;
use crate::{SpanId, clock};

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
    pub(super) id: SpanId,
    pub(super) is_client: bool,
    pub(super) name: &'static str,
    pub(super) parent: Option<usize>,
    pub(super) start: Duration,
    pub(super) duration: Duration,
    pub(super) fields: Vec<(&'static str, Value)>,
}

impl SpanRecord {
    /// Returns the name of the span.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the ID that other systems know the span by.
    pub fn span_id(&self) -> SpanId {
        self.id
    }

    /// Returns the index of the enclosing span in the same list. It is smaller than the index of this span.
    pub fn parent(&self) -> Option<usize> {
        self.parent
    }

    /// Returns the time from the beginning of the trace to the beginning of the span.
    pub fn start(&self) -> Duration {
        self.start
    }

    /// Returns the time from the beginning of the span to its end.
    pub fn duration(&self) -> Duration {
        self.duration
    }

    /// Returns the fields in the order in which they were first set. No key occurs twice.
    pub fn fields(&self) -> &[(&'static str, Value)] {
        &self.fields
    }

    /// Returns the value of one field.
    pub fn field(&self, key: &str) -> Option<&Value> {
        self.fields.iter().find(|(known, _)| *known == key).map(|(_, value)| value)
    }
}

impl SpanRecord {
    /// Returns whether another node was told the span's ID.
    pub fn is_client(&self) -> bool {
        self.is_client
    }
}

impl SpanRecord {
    /// Serialises the members of the span.
    pub(super) fn serialize_members<S: SerializeStruct>(&self, span: &mut S) -> Result<(), S::Error> {
        span.serialize_field("name", self.name)?;
        span.serialize_field("parent", &self.parent)?;
        span.serialize_field("start_ms", &clock::ms(self.start))?;
        span.serialize_field("duration_ms", &clock::ms(self.duration))?;
        span.serialize_field("fields", &FieldMap(&self.fields))
    }
}

impl Serialize for SpanRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut span = serializer.serialize_struct("SpanRecord", 5)?;
        self.serialize_members(&mut span)?;
        span.end()
    }
}

struct FieldMap<'a>(&'a [(&'static str, Value)]);

impl Serialize for FieldMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}
