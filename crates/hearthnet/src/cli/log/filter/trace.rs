//! Selection by trace ID.

use memchr::memchr;
use memchr::memmem::Finder;
use obs_facade::trace::{IdPattern, TraceId};

use crate::cli::log::line::Line;

/// Form of an ID, with a searcher for a part of it.
pub(super) struct Trace {
    id: IdPattern,
    needle: Finder<'static>,
}

impl Trace {
    pub(super) fn new(id: &IdPattern) -> Trace {
        let shown = id.to_string();
        let longest = shown.split('…').max_by_key(|part| part.len()).unwrap_or_default();
        Trace { id: id.clone(), needle: Finder::new(longest).into_owned() }
    }

    /// Returns whether the bytes of the line show that it is of another trace. The node writes IDs in upper case.
    pub(super) fn is_surely_not_in(&self, line: &[u8]) -> bool {
        self.needle.find(line).is_none() && memchr(b'\\', line).is_none()
    }

    pub(super) fn is_in(&self, line: &Line) -> bool {
        let id = line.trace_id.as_deref().and_then(|id| id.parse::<TraceId>().ok());
        id.is_some_and(|id| self.id.matches(id))
    }
}
