//! Span IDs as other systems know them: eight bytes each, all of a trace made of one random number.

use crate::record::slots::SpanIndex;

/// The span IDs of one trace as one node knows it: of the trace itself, which is the root of its
/// spans, and of each of them.
#[derive(Clone, Copy)]
pub(crate) struct SpanIds(u64);

impl SpanIds {
    pub(crate) fn random() -> SpanIds {
        SpanIds(fastrand::u64(..))
    }

    /// The ID of the span, or of the trace itself. Never all zero, which would be no ID.
    pub(crate) fn of(self, span: Option<SpanIndex>) -> [u8; 8] {
        let place = span.map_or(0, |span| span.get() as u64 + 1);
        // The factor is odd, so that no two places have the same ID.
        let id = self.0.wrapping_add(place.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        id.max(1).to_be_bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_span_has_an_id_of_its_own() {
        let traces = [SpanIds(0), SpanIds(u64::MAX), SpanIds::random(), SpanIds::random()];
        let spans = || std::iter::once(None).chain((0..128).map(SpanIndex::of_slot));
        let ids: HashSet<_> = traces.iter().flat_map(|ids| spans().map(|span| ids.of(span))).collect();
        assert_eq!(ids.len(), 4 * 129);
        assert!(!ids.contains(&[0; 8]));
    }
}
