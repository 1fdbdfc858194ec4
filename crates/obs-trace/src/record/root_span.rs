//! Root span of a trace as an exporter sees it.

use smol_str::SmolStr;

use super::done_fields::DoneFields;

/// Name and fields of the exported root span. They are set only while an exporter is connected.
#[derive(Default)]
pub(crate) struct RootSpan {
    /// `None` for a root span that is named by its capability.
    pub(super) name: Option<SmolStr>,
    pub(super) fields: DoneFields,
}

impl RootSpan {
    /// Removes the name and the fields, and keeps the memory of the fields.
    pub(super) fn clear(&mut self) {
        self.name = None;
        self.fields.clear();
    }

    /// Returns the bytes allocated for the span, with its own.
    pub(super) fn heap_bytes(&self) -> usize {
        let name = self.name.as_ref().filter(|name| name.is_heap_allocated()).map_or(0, SmolStr::len);
        size_of::<RootSpan>() + name + self.fields.heap_bytes()
    }
}
