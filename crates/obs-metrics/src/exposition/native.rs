//! Buckets of a native histogram, and the arithmetic of them.

use std::collections::BTreeMap;

/// Counts of a native histogram by bucket index, as Prometheus and OpenTelemetry number them.
///
/// The bucket `i` of [`positive`](Self::positive) holds the values above 2^((i - 1) / 2^schema) up to 2^(i / 2^schema),
/// which belongs to it. [`negative`](Self::negative) is the same for the values below zero, by their size. So histograms of
/// different times and nodes add up, and the sum has true quantiles.
///
/// ```
/// use obs_metrics::{NativeBuckets, Registry, SampleValue};
///
/// let registry = Registry::new();
/// let waits = registry.histogram("wait_seconds", "Waits.", [], &[]).native().with([]);
/// let read = || -> NativeBuckets {
///     let family = registry.snapshot(|name, _| name == "wait_seconds").remove(0);
///     let SampleValue::Histogram(waits) = family.series[0].value.clone() else { panic!() };
///     waits.native.unwrap()
/// };
/// waits.observe(0.1);
/// let earlier = read();
/// (0..99).for_each(|_| waits.observe(2.0));
///
/// let between = read().since(&earlier).unwrap();
/// assert_eq!(between.count(), 99);
/// assert!((between.quantile(0.5).unwrap() - 2.0).abs() < 0.1);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct NativeBuckets {
    /// Resolution: 2^schema buckets in each octave. Prometheus has -4 to 8.
    pub schema: i32,
    /// Upper bound of the zero bucket.
    pub zero_threshold: f64,
    /// Count of the zero bucket, which holds the values from minus to plus the threshold.
    pub zero: u64,
    /// Counts of the buckets above zero. A count is not 0.
    pub positive: BTreeMap<i32, u64>,
    /// Counts of the buckets below zero. A count is not 0.
    pub negative: BTreeMap<i32, u64>,
}

impl NativeBuckets {
    /// Maximum number of buckets of a series on a page, the default of OpenTelemetry's exponential histograms too. Peers
    /// choose the values that are observed; they must not decide how much a server stores.
    pub const MAX_BUCKETS: usize = 160;

    /// Smallest schema that Prometheus knows: a bucket spans 16 octaves.
    const MIN_SCHEMA: i32 = -4;

    /// Returns a histogram without observations.
    #[must_use]
    pub fn empty(schema: i32, zero_threshold: f64) -> Self {
        Self { schema, zero_threshold, zero: 0, positive: BTreeMap::new(), negative: BTreeMap::new() }
    }

    /// Returns the number of observations.
    #[must_use]
    pub fn count(&self) -> u64 {
        let sides = self.positive.values().chain(self.negative.values());
        sides.fold(self.zero, |sum, count| sum.saturating_add(*count))
    }

    /// Returns the value that the share `q` (0 to 1) of the observations does not exceed. `None` without observations, and
    /// for a `q` that is no share.
    ///
    /// The value lies within the bucket of the true one, so it is off by 9 % at most in schema 3. Infinite observations
    /// give infinity.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let count = self.count();
        if count == 0 || !(0.0..=1.0).contains(&q) {
            return None;
        }
        let mut wanted = q * count as f64;
        // From the lowest value up. The last bucket serves a rank that rounding has put beyond all of them.
        let mut found = None;
        for (lower, upper, count) in self.buckets() {
            let count = count as f64;
            found = Some(within(lower, upper, (wanted / count).clamp(0.0, 1.0)));
            if wanted <= count {
                break;
            }
            wanted -= count;
        }
        found
    }

    /// Adds the observations of `other`. The result has the lower resolution of the two.
    ///
    /// ```
    /// use obs_metrics::NativeBuckets;
    ///
    /// let mut fine = NativeBuckets::empty(3, 0.0);
    /// fine.positive.insert(8, 1);
    /// let mut coarse = NativeBuckets::empty(0, 0.0);
    /// coarse.positive.insert(1, 2);
    /// fine.merge(&coarse);
    /// assert_eq!((fine.schema, fine.positive[&1]), (0, 3));
    /// ```
    pub fn merge(&mut self, other: &Self) {
        while self.schema > other.schema.max(Self::MIN_SCHEMA) {
            self.merge_neighbours();
        }
        if other.schema > self.schema {
            let mut other = other.clone();
            while other.schema > self.schema {
                other.merge_neighbours();
            }
            return self.add(&other);
        }
        self.add(other);
    }

    fn add(&mut self, other: &Self) {
        self.zero_threshold = self.zero_threshold.max(other.zero_threshold);
        self.zero = self.zero.saturating_add(other.zero);
        for (own, other) in [(&mut self.positive, &other.positive), (&mut self.negative, &other.negative)] {
            add_counts(own, other);
        }
    }

    /// Returns the observations that came after `earlier`, which is a previous reading of the same series. `None` if it is
    /// none: a count of it is higher, or its resolution is another one.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Option<Self> {
        if self.schema != earlier.schema {
            return None;
        }
        Some(Self {
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            zero: self.zero.checked_sub(earlier.zero)?,
            positive: difference(&self.positive, &earlier.positive)?,
            negative: difference(&self.negative, &earlier.negative)?,
        })
    }

    /// Merges neighbouring buckets until at most [`MAX_BUCKETS`](Self::MAX_BUCKETS) are left.
    #[must_use]
    pub fn limit(mut self) -> Self {
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
            for (index, count) in side.iter() {
                // Halved before the rounding, so that no index overflows.
                let sum: &mut u64 = merged.entry((index >> 1) + (index & 1)).or_default();
                *sum = sum.saturating_add(*count);
            }
            *side = merged;
        }
    }

    /// Returns the bounds and the count of each bucket, in order of the values.
    pub(crate) fn buckets(&self) -> impl Iterator<Item = (f64, f64, u64)> {
        let bounds = |index: i32| (self.bound(index.saturating_sub(1)), self.bound(index));
        let below = self.negative.iter().rev().map(move |(index, count)| {
            let (near, far) = bounds(*index);
            (-far, -near, *count)
        });
        let zero = (self.zero > 0).then_some((
            if self.negative.is_empty() { 0.0 } else { -self.zero_threshold },
            if self.positive.is_empty() { 0.0 } else { self.zero_threshold },
            self.zero,
        ));
        let above = self.positive.iter().map(move |(index, count)| {
            let (lower, upper) = bounds(*index);
            (lower, upper, *count)
        });
        below.chain(zero).chain(above).filter(|(_, _, count)| *count > 0)
    }

    /// Returns the upper bound of a bucket above zero.
    fn bound(&self, index: i32) -> f64 {
        (f64::from(index) * (-f64::from(self.schema)).exp2()).exp2()
    }
}

/// Adds counts. Both maps are walked at once, because a search for each bucket takes several times as long.
fn add_counts(own: &mut BTreeMap<i32, u64>, other: &BTreeMap<i32, u64>) {
    let mut missing = Vec::new();
    let mut places = own.iter_mut().peekable();
    for (index, count) in other {
        while places.next_if(|(own, _)| *own < index).is_some() {}
        match places.next_if(|(own, _)| *own == index) {
            Some((_, own)) => *own = own.saturating_add(*count),
            None => missing.push((*index, *count)),
        }
    }
    own.extend(missing);
}

/// Returns the value at a share of the way through a bucket. Values are taken to be spread evenly on a logarithmic scale,
/// as Prometheus does.
fn within(lower: f64, upper: f64, share: f64) -> f64 {
    match lower * upper > 0.0 && lower.is_finite() && upper.is_finite() {
        true => lower * (upper / lower).powf(share),
        // A bucket that reaches zero or infinity has no logarithm.
        false if upper.is_infinite() => upper,
        false if lower.is_infinite() => lower,
        false => lower + (upper - lower) * share,
    }
}

fn difference(now: &BTreeMap<i32, u64>, earlier: &BTreeMap<i32, u64>) -> Option<BTreeMap<i32, u64>> {
    if earlier.keys().any(|index| !now.contains_key(index)) {
        return None;
    }
    let left = now.iter().map(|(index, count)| {
        let before = earlier.get(index).copied().unwrap_or(0);
        count.checked_sub(before).map(|left| (*index, left))
    });
    let left: Option<Vec<(i32, u64)>> = left.collect();
    Some(left?.into_iter().filter(|(_, left)| *left > 0).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(positive: &[(i32, u64)], zero: u64, negative: &[(i32, u64)]) -> NativeBuckets {
        NativeBuckets {
            zero,
            positive: positive.iter().copied().collect(),
            negative: negative.iter().copied().collect(),
            ..NativeBuckets::empty(3, 1e-9)
        }
    }

    #[test]
    fn counts_are_added_where_either_has_buckets() {
        let mut sum = of(&[(-3, 1), (0, 2), (7, u64::MAX)], 0, &[]);
        sum.merge(&of(&[(-9, 4), (-3, 10), (1, 20), (7, 1), (9, 30)], 0, &[(2, 5)]));
        let expected = [(-9, 4), (-3, 11), (0, 2), (1, 20), (7, u64::MAX), (9, 30)];
        assert_eq!(sum, of(&expected, 0, &[(2, 5)]));
    }

    #[test]
    fn a_quantile_lies_in_the_bucket_of_the_true_value() {
        // Values from 1 to 1000, each in the bucket of its logarithm.
        let mut buckets = NativeBuckets::empty(3, 0.0);
        for value in 1..=1000_u32 {
            *buckets.positive.entry((f64::from(value).log2() * 8.0).ceil() as i32).or_default() += 1;
        }
        for (q, value) in
            [(0.0, 1.0), (0.01, 10.0), (0.5, 500.0), (0.95, 950.0), (0.99, 990.0), (1.0, 1000.0)]
        {
            let found = buckets.quantile(q).unwrap();
            assert!((found / value).log2().abs() <= 0.1251, "{q}: {found} and {value}");
        }
        for q in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert_eq!(buckets.quantile(q), None, "{q}");
        }
        assert_eq!(NativeBuckets::empty(3, 0.0).quantile(0.5), None);
    }

    #[test]
    fn quantiles_go_from_the_lowest_value_to_the_highest() {
        let buckets = of(&[(8, 10)], 10, &[(8, 10), (16, 10)]);
        let at = |q| buckets.quantile(q).unwrap();
        assert!((-4.0..-3.6).contains(&at(0.05)), "{}", at(0.05));
        assert!((-2.0..-1.8).contains(&at(0.4)), "{}", at(0.4));
        assert!(at(0.6).abs() <= 1e-9, "{}", at(0.6));
        assert!((1.8..=2.0).contains(&at(1.0)), "{}", at(1.0));
        assert_eq!(of(&[(8193, 1)], 0, &[]).quantile(0.5), Some(f64::INFINITY));
        assert_eq!(of(&[], 3, &[]).quantile(0.5), Some(0.0));
    }

    #[test]
    fn the_difference_of_two_readings_is_what_came_between() {
        let (earlier, now) = (of(&[(1, 2)], 1, &[]), of(&[(1, 2), (5, 3)], 4, &[(2, 1)]));
        let between = now.since(&earlier).unwrap();
        assert_eq!(between, of(&[(5, 3)], 3, &[(2, 1)]));
        assert_eq!(earlier.since(&now), None, "counts do not go down");
        assert_eq!(now.since(&NativeBuckets::empty(2, 1e-9)), None, "another resolution");
        let mut sum = earlier.clone();
        sum.merge(&between);
        assert_eq!(sum, now);
    }

    /// Counts and indexes may come from a file that someone else wrote.
    #[test]
    fn extreme_counts_and_indexes_are_added_without_overflow() {
        let extreme = of(&[(i32::MAX, u64::MAX), (i32::MIN, 1)], u64::MAX, &[(i32::MIN, u64::MAX)]);
        let mut sum = extreme.clone();
        sum.merge(&extreme);
        assert_eq!(sum.count(), u64::MAX);
        assert!(sum.quantile(0.5).is_some());
        sum.merge(&NativeBuckets::empty(i32::MIN, 0.0));
        assert_eq!(sum.schema, NativeBuckets::MIN_SCHEMA);
    }
}
