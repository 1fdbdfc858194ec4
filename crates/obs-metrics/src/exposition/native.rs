//! Buckets of a native histogram as a page shows them.

use std::collections::BTreeMap;

/// Counts of a native histogram by bucket index.
///
/// A bucket with index `i` has the upper bound 2^(i / 2^schema), which belongs to it.
#[derive(Debug, PartialEq)]
pub(crate) struct NativeBuckets {
    pub(crate) schema: i32,
    /// Upper bound of the zero bucket.
    pub(crate) zero_threshold: f64,
    pub(crate) zero: u64,
    pub(crate) positive: BTreeMap<i32, u64>,
    pub(crate) negative: BTreeMap<i32, u64>,
}

impl NativeBuckets {
    /// Maximum number of buckets of a series on a page, the default of OpenTelemetry's exponential histograms too. Peers
    /// choose the values that are observed; they must not decide how much a server stores.
    pub(crate) const MAX_BUCKETS: usize = 160;

    /// Smallest schema that Prometheus knows: a bucket spans 16 octaves.
    const MIN_SCHEMA: i32 = -4;

    /// Merges neighbouring buckets until at most [`MAX_BUCKETS`](Self::MAX_BUCKETS) are left.
    pub(crate) fn limit(mut self) -> Self {
        while self.positive.len() + self.negative.len() > Self::MAX_BUCKETS && self.schema > Self::MIN_SCHEMA
        {
            self.merge_neighbours();
        }
        self
    }

    /// Halves the resolution. A bucket with an even index keeps its upper bound and takes in the one below it.
    pub(crate) fn merge_neighbours(&mut self) {
        self.schema -= 1;
        for side in [&mut self.positive, &mut self.negative] {
            let mut merged = BTreeMap::new();
            // Rounds up: index `i` covers values up to 2^(i / 2^schema), so `2i - 1` and `2i` become `i`.
            side.iter().for_each(|(index, count)| *merged.entry((index + 1) >> 1).or_default() += count);
            *side = merged;
        }
    }
}
