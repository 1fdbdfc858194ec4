//! Root span of a trace as an exporter sees it.

use smol_str::SmolStr;

#[cfg(feature = "otlp")]
use super::Value;
use super::done_fields::DoneFields;

/// Name and fields of the exported root span. They are set only while an exporter is connected, and go to it with the trace.
#[derive(Default)]
pub(crate) struct RootSpan {
    /// `None` for a root span that is named by its capability.
    pub(super) name: Option<SmolStr>,
    pub(super) fields: DoneFields,
}

#[cfg(feature = "otlp")]
impl RootSpan {
    pub(crate) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Returns the fields. Those of HTTP and others have a key with a dot.
    pub(crate) fn fields(&self) -> &[(&'static str, Value)] {
        self.fields.list()
    }

    /// Returns the bytes of memory that the span takes.
    pub(crate) fn bytes(&self) -> usize {
        let name = self.name.as_ref().filter(|name| name.is_heap_allocated()).map_or(0, SmolStr::len);
        size_of::<RootSpan>() + name + self.fields.heap_bytes()
    }
}
