//! Contents of a histogram at one moment.

use super::native::NativeBucket;

/// Counts by bucket, not cumulative, and the sum of exactly those observations. The last bucket is `+Inf`.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    pub(crate) counts: Vec<u64>,
    pub(crate) sum: f64,
    /// The same observations in native buckets, part by part. Empty unless the histogram is native.
    pub(crate) native: Vec<(NativeBucket, u64)>,
}

impl Snapshot {
    pub(crate) fn empty(buckets: usize) -> Self {
        Self { counts: vec![0; buckets], sum: 0.0, native: Vec::new() }
    }

    pub(crate) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.sum += other.sum;
        self.counts.iter_mut().zip(&other.counts).for_each(|(own, other)| *own += other);
        self.native.extend(&other.native);
    }
}
