//! Counts in the buckets of Prometheus' native histograms: exponential and sparse, for quantiles without bounds chosen
//! beforehand.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Each octave is cut into 2³ buckets, so a bound is 2^(1/8) or 1.09 times the one before.
const SCHEMA: i32 = 3;
const STEPS: i32 = 1 << SCHEMA;

/// Values up to 2⁻⁶⁴ are in the zero bucket; those beyond 2⁶⁴ share the bucket of infinity.
const OCTAVES: i32 = 64;
const LAST: i32 = OCTAVES * STEPS;
pub(crate) const ZERO_THRESHOLD: f64 = 1.0 / (1_u128 << OCTAVES) as f64;

/// The mantissas of 2^(0/8) to 2^(7/8), as Prometheus has them to the last bit.
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

/// A value's bucket: its distance from the zero bucket, below zero for values below zero.
///
/// Bucket `n` above zero has the bounds 2^((n - 1 - LAST) / 8) and 2^((n - LAST) / 8), of which the upper belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(i16);

impl Place {
    const ZERO: Self = Self(0);
    const INFINITY: i32 = 2 * LAST + 1;

    /// Exponent and mantissa straight from the number's bits.
    fn of(value: f64) -> Self {
        let size = value.abs();
        if size <= ZERO_THRESHOLD {
            return Self::ZERO;
        }
        let exponent = (size.to_bits() >> 52) as i32 - 1023;
        let mantissa = f64::from_bits(size.to_bits() & ((1 << 52) - 1) | 1.0_f64.to_bits());
        let step: i32 = BOUNDS.iter().map(|bound| i32::from(mantissa > *bound)).sum();
        let distance = (STEPS * exponent + step + LAST).min(Self::INFINITY) as i16;
        Self(if value < 0.0 { -distance } else { distance })
    }

    /// Which side of zero, and which bucket there; `None` for the zero bucket.
    fn side(self) -> Option<(usize, usize)> {
        let distance = usize::from(self.0.unsigned_abs());
        distance.checked_sub(1).map(|bucket| (usize::from(self.0 < 0), bucket))
    }

    /// The number that Prometheus gives the bucket on its side, for the schema that the values are counted in.
    fn index(bucket: usize) -> i32 {
        let distance = bucket as i32 + 1;
        if distance == Self::INFINITY { (1024 << SCHEMA) + 1 } else { distance - LAST }
    }
}

/// Counts made together when a value first falls among them: eight octaves.
const BLOCK: usize = 64;
const BLOCKS: usize = Place::INFINITY as usize / BLOCK + 1;
type Side = [OnceLock<Box<[AtomicU64; BLOCK]>>; BLOCKS];

/// One count for each bucket in use. Its memory is bounded whatever the values: at most 17 blocks of 512 bytes a side.
#[derive(Debug, Default)]
pub(crate) struct NativeCounts {
    zero: AtomicU64,
    /// Above zero, below zero.
    sides: [OnceLock<Box<Side>>; 2],
}

impl NativeCounts {
    /// Counts a value; for the one thread that writes here.
    pub(crate) fn count_alone(&self, value: f64) {
        let count = self.at(Place::of(value));
        count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// Counts a value; for any number of threads.
    pub(crate) fn count_shared(&self, value: f64) {
        self.at(Place::of(value)).fetch_add(1, Ordering::Relaxed);
    }

    /// Makes the other the same as this; for the one thread that writes both.
    pub(crate) fn copy_to(&self, other: &Self) {
        self.counts().for_each(|(place, count)| {
            other.at(place).store(count.load(Ordering::Relaxed), Ordering::Relaxed);
        });
    }

    /// Moves everything to the other, and tells what it was.
    pub(crate) fn move_to(&self, other: &Self, moved: &mut Vec<(Place, u64)>) {
        for (place, count) in self.counts() {
            let count = count.swap(0, Ordering::Relaxed);
            if count > 0 {
                other.at(place).fetch_add(count, Ordering::Relaxed);
                moved.push((place, count));
            }
        }
    }

    /// The buckets that are not empty.
    pub(crate) fn read(&self) -> Vec<(Place, u64)> {
        let counts = self.counts().map(|(place, count)| (place, count.load(Ordering::Relaxed)));
        counts.filter(|(_, count)| *count > 0).collect()
    }

    fn at(&self, place: Place) -> &AtomicU64 {
        let Some((side, bucket)) = place.side() else { return &self.zero };
        let side = self.sides[side].get_or_init(|| Box::new([const { OnceLock::new() }; BLOCKS]));
        let block = side[bucket / BLOCK].get_or_init(|| Box::new([const { AtomicU64::new(0) }; BLOCK]));
        &block[bucket % BLOCK]
    }

    /// Every count made so far.
    fn counts(&self) -> impl Iterator<Item = (Place, &AtomicU64)> {
        let sides = [1, -1].into_iter().zip(&self.sides);
        let sides = sides.filter_map(|(sign, side)| side.get().map(|side| (sign, side)));
        let blocks = sides.flat_map(|(sign, side)| side.iter().enumerate().map(move |at| (sign, at)));
        let counts = blocks.flat_map(|(sign, (number, block))| {
            let counts = block.get().into_iter().flat_map(|block| block.iter());
            counts.enumerate().map(move |(at, count)| (Place(sign * (number * BLOCK + at + 1) as i16), count))
        });
        [(Place::ZERO, &self.zero)].into_iter().chain(counts)
    }
}

/// What a native histogram shows: the counts of its buckets by their numbers in `schema`.
#[derive(Debug, PartialEq)]
pub(crate) struct NativeBuckets {
    pub(crate) schema: i32,
    pub(crate) zero: u64,
    pub(crate) positive: BTreeMap<i32, u64>,
    pub(crate) negative: BTreeMap<i32, u64>,
}

impl NativeBuckets {
    /// More than so many are merged into wider ones, so that what peers send does not decide how much a scrape stores.
    const MOST: usize = 160;
    const WIDEST: i32 = -4;

    pub(crate) fn new(counts: &[(Place, u64)]) -> Self {
        let mut buckets =
            Self { schema: SCHEMA, zero: 0, positive: BTreeMap::new(), negative: BTreeMap::new() };
        for (place, count) in counts {
            match place.side() {
                None => buckets.zero += count,
                Some((0, bucket)) => *buckets.positive.entry(Place::index(bucket)).or_default() += count,
                Some((_, bucket)) => *buckets.negative.entry(Place::index(bucket)).or_default() += count,
            }
        }
        while buckets.positive.len() + buckets.negative.len() > Self::MOST && buckets.schema > Self::WIDEST {
            buckets.widen();
        }
        buckets
    }

    /// Two neighbours become one: what has an even number keeps its upper bound.
    fn widen(&mut self) {
        self.schema -= 1;
        for side in [&mut self.positive, &mut self.negative] {
            let mut merged = BTreeMap::new();
            side.iter().for_each(|(index, count)| *merged.entry((index + 1) >> 1).or_default() += count);
            *side = merged;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number of a value's bucket as the definition has it: the least `i` with `value <= 2^(i/8)`.
    fn index_of(value: f64) -> i32 {
        let (_, bucket) = Place::of(value).side().expect("not zero");
        Place::index(bucket)
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
    fn buckets_are_those_of_the_logarithm() {
        let mut value = 1.1e-19;
        while value < 1.7e19 {
            let exact = 8.0 * f64::log2(value);
            assert_eq!(f64::from(index_of(value)), exact.ceil(), "{value}");
            assert_eq!(index_of(-value), index_of(value));
            assert_eq!(Place::of(-value).side().unwrap().0, 1);
            value *= 1.013;
        }
    }

    #[test]
    fn odd_values_have_a_bucket_too() {
        for value in [0.0, -0.0, 1e-300, f64::MIN_POSITIVE / 2.0, ZERO_THRESHOLD, -ZERO_THRESHOLD] {
            assert_eq!(Place::of(value), Place::ZERO, "{value}");
        }
        assert_eq!(index_of(ZERO_THRESHOLD.next_up()), 1 - LAST);
        assert_eq!(index_of(2f64.powi(64)), LAST);
        for value in [2f64.powi(64).next_up(), 1e300, f64::MAX, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(index_of(value), (1024 << 3) + 1, "{value}");
        }
    }

    #[test]
    fn what_was_counted_is_read() {
        let counts = NativeCounts::default();
        for value in [0.0, 1.0, 1.0, -1.0, 1e10, f64::INFINITY] {
            counts.count_alone(value);
            counts.count_shared(value);
        }
        let buckets = NativeBuckets::new(&counts.read());
        assert_eq!((buckets.schema, buckets.zero), (3, 2));
        assert_eq!(Vec::from_iter(buckets.positive), [(0, 4), (266, 2), (8193, 2)]);
        assert_eq!(Vec::from_iter(buckets.negative), [(0, 2)]);
    }

    /// However far values lie apart, a scrape gets a bounded number of buckets, none too few, and wider ones have the
    /// bounds of narrower ones.
    #[test]
    fn many_buckets_are_merged_into_wider_ones() {
        let counts = NativeCounts::default();
        let values = (-600..=600).map(|step| 2f64.powf(f64::from(step) / 10.0));
        let values: Vec<f64> = values.flat_map(|value| [value, -value, -value]).collect();
        values.iter().for_each(|value| counts.count_alone(*value));
        let buckets = NativeBuckets::new(&counts.read());
        assert_eq!(buckets.schema, -1, "120 octaves on each side, two a bucket");
        assert!(buckets.positive.len() + buckets.negative.len() <= NativeBuckets::MOST);
        assert_eq!(buckets.positive.values().sum::<u64>(), 1201);
        assert_eq!(buckets.negative.values().sum::<u64>(), 2402);
        for (index, count) in &buckets.positive {
            let inside = |value: &f64| *value > 4f64.powi(index - 1) && *value <= 4f64.powi(*index);
            assert_eq!(values.iter().filter(|value| inside(value)).count() as u64, *count, "{index}");
        }
    }

    #[test]
    fn infinity_stays_infinity_in_wider_buckets() {
        let mut buckets = NativeBuckets::new(&[(Place::of(f64::INFINITY), 1)]);
        for schema in (-4..3).rev() {
            buckets.widen();
            // Prometheus' number of the bucket above the largest finite bound.
            let index = if schema >= 0 { (1024 << schema) + 1 } else { (1024 >> -schema) + 1 };
            assert_eq!((buckets.schema, buckets.positive.keys().next()), (schema, Some(&index)));
        }
    }
}
