//! Span IDs of one trace, all derived from one random number.

use crate::SpanId;
use crate::record::slots::SpanIndex;

/// Span IDs that this node gives to a trace: one to the trace itself, which is the root, and one to each of its spans.
#[derive(Clone, Copy)]
pub(crate) struct SpanIds(u64);

impl SpanIds {
    pub(crate) fn random() -> SpanIds {
        SpanIds(fastrand::u64(..))
    }

    /// Returns the IDs that were made from this number.
    pub(super) fn from_seed(seed: u64) -> SpanIds {
        SpanIds(seed)
    }

    /// Returns the number that all IDs are made from.
    pub(super) fn seed(self) -> u64 {
        self.0
    }

    /// Returns the ID of a span, or of the trace itself for `None`.
    pub(crate) fn of(self, span: Option<SpanIndex>) -> SpanId {
        let number = span.map_or(0, |span| span.get() as u64 + 1);
        // The factor (2^64 divided by the golden ratio) is odd, so different numbers give different IDs. It spreads the
        // numbers over all bits, so IDs of one trace do not look like a sequence.
        SpanId::of_number(self.0.wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_span_has_its_own_id() {
        let traces = [SpanIds(0), SpanIds(u64::MAX), SpanIds::random(), SpanIds::random()];
        let spans = || std::iter::once(None).chain((0..128).map(SpanIndex::of_slot));
        let ids: HashSet<_> = traces.iter().flat_map(|ids| spans().map(|span| ids.of(span))).collect();
        assert_eq!(ids.len(), 4 * 129);
    }
}
