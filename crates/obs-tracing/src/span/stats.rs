//! Counts of the bridge.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::slots;

/// Spans that found no slot.
pub(crate) static EXCESS: AtomicU64 = AtomicU64::new(0);

/// Spans that are open in stacks of `tracing-subscriber`.
pub(crate) static OUTSIDE: AtomicUsize = AtomicUsize::new(0);

/// Counts of the bridge since the start of the process.
///
/// ```
/// assert_eq!(obs_tracing::stats().excess_spans, 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Spans that have a trace and are open now. At most 8 192 of [`Bridge`](crate::Bridge), and as many of layers.
    pub open_spans: usize,
    /// Spans that were not recorded, because too many were open.
    pub excess_spans: u64,
}

/// Returns the counts of the bridge. Takes some microseconds.
///
/// ```
/// assert_eq!(obs_tracing::stats().open_spans, 0);
/// ```
#[must_use]
pub fn stats() -> Stats {
    // Relaxed: a counter orders nothing else.
    let open_spans = slots::count() + OUTSIDE.load(Ordering::Relaxed);
    Stats { open_spans, excess_spans: EXCESS.load(Ordering::Relaxed) }
}
