//! Records that repeat a line. Another logging crate made both, and its bridge recognises them.

use std::sync::OnceLock;

use log::Record;

/// Function that says whether a record repeats a line that the log has, or will have, on this thread.
pub type EchoFilter = fn(&Record<'_>, Entry) -> bool;

/// Way by which a record of the `log` crate came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Entry {
    /// This crate is the logger of the process.
    Installed,
    /// Another logger called [`logger`](crate::logger).
    Handed,
}

static FILTER: OnceLock<EchoFilter> = OnceLock::new();

/// Sets the function that recognises repeated lines among the records of the `log` crate. The first one that is set stays.
///
/// The function is called for every record of [`Entry::Handed`]. Of the other records it gets those that no `log` macro made.
/// It must not block, panic or log.
pub fn set_echo_filter(filter: EchoFilter) {
    FILTER.get_or_init(|| filter);
}

/// Whether the record repeats a line.
#[inline]
pub(super) fn is_echo(record: &Record<'_>, entry: Entry) -> bool {
    // A `log` macro gives a record the static name of its file.
    if entry == Entry::Installed && record.file_static().is_some() {
        return false;
    }
    FILTER.get().is_some_and(|filter| filter(record, entry))
}
