//! Counts in the exponential, sparse buckets of a native histogram.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::exposition::native::NativeBuckets;

/// Prometheus' number for the resolution: 2³ buckets in each octave. A bound is 2^(1/8) or 1.09 times the previous one, so
/// a quantile is off by 4.5 % at most.
const SCHEMA: i32 = 3;
const STEPS: i32 = 1 << SCHEMA;

/// Octaves on each side of 1. Values up to 2⁻⁶⁴ fall into the zero bucket, values beyond 2⁶⁴ into the bucket of infinity:
/// no duration or size that a node observes lies outside.
const OCTAVES: i32 = 64;

/// Distance of the last finite bucket from the zero bucket, and of the bound 1 from it.
const LAST: i32 = OCTAVES * STEPS;

/// Upper bound of the zero bucket.
const ZERO_THRESHOLD: f64 = 1.0 / (1_u128 << OCTAVES) as f64;

/// Mantissas of 2^(0/8) to 2^(7/8), bit for bit as in Prometheus.
const BOUNDS: [f64; STEPS as usize] = [
    1.0,
    2.0 * 0.545_253_866_332_628_8,
    2.0 * 0.594_603_557_501_360_5,
    2.0 * 0.648_419_777_325_504_8,
    2.0 * 0.707_106_781_186_547_5,
    2.0 * 0.771_105_412_703_970_4,
    2.0 * 0.840_896_415_253_714_4,
    2.0 * 0.917_004_043_204_671_1,
];

/// Bucket of a value, as its distance from the zero bucket. The distance of a negative value is negative.
///
/// Bucket `n` above zero has the bounds 2^((n - 1 - LAST) / 8) and 2^((n - LAST) / 8). The upper bound belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NativeBucket(i16);

impl NativeBucket {
    const ZERO: Self = Self(0);
    const INFINITY: i32 = 2 * LAST + 1;

    /// Returns the bucket of a value. Exponent and mantissa come from the bits of the number, which is faster than a
    /// logarithm and exact at the bounds.
    fn of(value: f64) -> Self {
        let size = value.abs();
        if size <= ZERO_THRESHOLD {
            return Self::ZERO;
        }
        // An `f64` has 52 bits of fraction, and its exponent is stored plus 1023. Subnormal numbers are below the threshold.
        let exponent = (size.to_bits() >> 52) as i32 - 1023;
        let mantissa = f64::from_bits(size.to_bits() & ((1 << 52) - 1) | 1.0_f64.to_bits());
        // Compared with all bounds, because the branches of a search would depend on the value.
        let step: i32 = BOUNDS.iter().map(|bound| i32::from(mantissa > *bound)).sum();
        let distance = (STEPS * exponent + step + LAST).min(Self::INFINITY) as i16;
        Self(if value < 0.0 { -distance } else { distance })
    }

    /// Returns the side of zero (0 above, 1 below) and the bucket on it, or `None` for the zero bucket.
    fn side(self) -> Option<(usize, usize)> {
        let distance = usize::from(self.0.unsigned_abs());
        distance.checked_sub(1).map(|bucket| (usize::from(self.0 < 0), bucket))
    }

    /// Returns Prometheus' index of a bucket, in the schema that values are counted in.
    fn index(bucket: usize) -> i32 {
        let distance = bucket as i32 + 1;
        // Prometheus numbers the bucket of infinity after that of the largest finite number, 2^1024.
        if distance == Self::INFINITY { (1024 << SCHEMA) + 1 } else { distance - LAST }
    }
}

/// Counts that are allocated together, for eight octaves, when a value first falls among them. Observed values mostly lie
/// within a few octaves of each other.
const BLOCK: usize = 64;
const BLOCKS: usize = NativeBucket::INFINITY as usize / BLOCK + 1;
type Side = [OnceLock<Box<[AtomicU64; BLOCK]>>; BLOCKS];

/// One count for each bucket. Whatever the values, it takes at most 17 blocks of 512 bytes on each side.
///
/// Accesses are `Relaxed`: the part of the histogram that holds the counts orders them for its readers.
#[derive(Debug, Default)]
pub(crate) struct NativeCounts {
    zero: AtomicU64,
    /// Counts above zero, and below zero.
    sides: [OnceLock<Box<Side>>; 2],
}

impl NativeCounts {
    /// Counts a value. Only one thread may write.
    pub(crate) fn count_as_owner(&self, value: f64) {
        let count = self.at(NativeBucket::of(value));
        count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// Counts a value. Any number of threads may write.
    pub(crate) fn count_shared(&self, value: f64) {
        self.at(NativeBucket::of(value)).fetch_add(1, Ordering::Relaxed);
    }

    /// Copies the counts to `other`. Only one thread may write both.
    pub(crate) fn copy_to(&self, other: &Self) {
        self.counts().for_each(|(bucket, count)| {
            other.at(bucket).store(count.load(Ordering::Relaxed), Ordering::Relaxed);
        });
    }

    /// Moves the counts to `other`, and adds them to `moved`.
    pub(crate) fn move_to(&self, other: &Self, moved: &mut Vec<(NativeBucket, u64)>) {
        for (bucket, count) in self.counts() {
            let count = count.swap(0, Ordering::Relaxed);
            // Empty buckets are not shown, so they are not moved either.
            if count > 0 {
                other.at(bucket).fetch_add(count, Ordering::Relaxed);
                moved.push((bucket, count));
            }
        }
    }

    /// Returns the counts that are not zero.
    pub(crate) fn read(&self) -> Vec<(NativeBucket, u64)> {
        let counts = self.counts().map(|(bucket, count)| (bucket, count.load(Ordering::Relaxed)));
        counts.filter(|(_, count)| *count > 0).collect()
    }

    fn at(&self, bucket: NativeBucket) -> &AtomicU64 {
        let Some((side, bucket)) = bucket.side() else { return &self.zero };
        let side = self.sides[side].get_or_init(|| Box::new([const { OnceLock::new() }; BLOCKS]));
        let block = side[bucket / BLOCK].get_or_init(|| Box::new([const { AtomicU64::new(0) }; BLOCK]));
        &block[bucket % BLOCK]
    }

    /// Returns every count that was allocated.
    fn counts(&self) -> impl Iterator<Item = (NativeBucket, &AtomicU64)> {
        let sides = [1, -1].into_iter().zip(&self.sides);
        let sides = sides.filter_map(|(sign, side)| side.get().map(|side| (sign, side)));
        let blocks = sides.flat_map(|(sign, side)| side.iter().enumerate().map(move |at| (sign, at)));
        let counts = blocks.flat_map(|(sign, (number, block))| {
            let counts = block.get().into_iter().flat_map(|block| block.iter());
            counts
                .enumerate()
                .map(move |(at, count)| (NativeBucket(sign * (number * BLOCK + at + 1) as i16), count))
        });
        [(NativeBucket::ZERO, &self.zero)].into_iter().chain(counts)
    }
}

/// Returns the buckets of these counts, in full resolution.
pub(crate) fn native_buckets(counts: &[(NativeBucket, u64)]) -> NativeBuckets {
    let mut buckets = NativeBuckets::empty(SCHEMA, ZERO_THRESHOLD);
    for (bucket, count) in counts {
        match bucket.side() {
            None => buckets.zero += count,
            Some((0, bucket)) => *buckets.positive.entry(NativeBucket::index(bucket)).or_default() += count,
            Some((_, bucket)) => *buckets.negative.entry(NativeBucket::index(bucket)).or_default() += count,
        }
    }
    buckets
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the index of a value's bucket. By its definition this is the least `i` with `value <= 2^(i/8)`.
    fn index_of(value: f64) -> i32 {
        let (_, bucket) = NativeBucket::of(value).side().expect("not zero");
        NativeBucket::index(bucket)
    }

    #[test]
    fn a_bound_belongs_to_the_bucket_below_it() {
        for exponent in -60..60 {
            for (step, bound) in BOUNDS.iter().enumerate() {
                let bound = bound * 2f64.powi(exponent);
                let index = 8 * exponent + step as i32;
                assert_eq!(index_of(bound), index, "{bound}");
                assert_eq!(index_of(bound.next_up()), index + 1, "just above {bound}");
                assert_eq!(index_of(bound.next_down()), index, "just below {bound}");
            }
        }
    }

    #[test]
    fn a_bucket_is_that_of_the_logarithm() {
        let mut value = 1.1e-19;
        while value < 1.7e19 {
            let exact = 8.0 * f64::log2(value);
            assert_eq!(f64::from(index_of(value)), exact.ceil(), "{value}");
            assert_eq!(index_of(-value), index_of(value));
            assert_eq!(NativeBucket::of(-value).side().unwrap().0, 1);
            value *= 1.013;
        }
    }

    #[test]
    fn zero_tiny_and_huge_values_have_a_bucket() {
        for value in [0.0, -0.0, 1e-300, f64::MIN_POSITIVE / 2.0, ZERO_THRESHOLD, -ZERO_THRESHOLD] {
            assert_eq!(NativeBucket::of(value), NativeBucket::ZERO, "{value}");
        }
        assert_eq!(index_of(ZERO_THRESHOLD.next_up()), 1 - LAST);
        assert_eq!(index_of(2f64.powi(64)), LAST);
        for value in [2f64.powi(64).next_up(), 1e300, f64::MAX, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(index_of(value), (1024 << 3) + 1, "{value}");
        }
    }

    #[test]
    fn counts_are_read_back() {
        let counts = NativeCounts::default();
        for value in [0.0, 1.0, 1.0, -1.0, 1e10, f64::INFINITY] {
            counts.count_as_owner(value);
            counts.count_shared(value);
        }
        let buckets = native_buckets(&counts.read());
        assert_eq!((buckets.schema, buckets.zero), (3, 2));
        assert_eq!(Vec::from_iter(buckets.positive), [(0, 4), (266, 2), (8193, 2)]);
        assert_eq!(Vec::from_iter(buckets.negative), [(0, 2)]);
    }

    /// The number of buckets is bounded however far values lie apart, and bounds of merged buckets are bounds of the
    /// narrow ones.
    #[test]
    fn too_many_buckets_are_merged() {
        let counts = NativeCounts::default();
        let values = (-600..=600).map(|step| 2f64.powf(f64::from(step) / 10.0));
        let values: Vec<f64> = values.flat_map(|value| [value, -value, -value]).collect();
        values.iter().for_each(|value| counts.count_as_owner(*value));
        let buckets = native_buckets(&counts.read()).limit();
        assert_eq!(buckets.schema, -1, "120 octaves on each side, two a bucket");
        assert!(buckets.positive.len() + buckets.negative.len() <= NativeBuckets::MAX_BUCKETS);
        assert_eq!(buckets.positive.values().sum::<u64>(), 1201);
        assert_eq!(buckets.negative.values().sum::<u64>(), 2402);
        for (index, count) in &buckets.positive {
            let inside = |value: &f64| *value > 4f64.powi(index - 1) && *value <= 4f64.powi(*index);
            assert_eq!(values.iter().filter(|value| inside(value)).count() as u64, *count, "{index}");
        }
    }

    #[test]
    fn the_bucket_of_infinity_stays_so_when_merged() {
        let mut buckets = native_buckets(&[(NativeBucket::of(f64::INFINITY), 1)]);
        for schema in (-4..3).rev() {
            buckets.merge_neighbours();
            // Prometheus' index of the bucket above the largest finite bound.
            let index = if schema >= 0 { (1024 << schema) + 1 } else { (1024 >> -schema) + 1 };
            assert_eq!((buckets.schema, buckets.positive.keys().next()), (schema, Some(&index)));
        }
    }
}
