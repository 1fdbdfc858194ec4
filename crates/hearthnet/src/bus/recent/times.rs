//! Distribution of durations in buckets of equal ratio.

use std::time::Duration;

/// Buckets for each doubling. A quantile is off by at most 12 %.
const PER_DOUBLING: f64 = 3.0;
/// Upper bound of the first bucket.
const FIRST_MS: f64 = 0.1;
/// Number of buckets. The last one begins at about 200 s, beyond the default timeouts of calls and models.
const BUCKETS: usize = 64;

/// Number of durations in each bucket.
#[derive(Clone, Debug)]
pub(super) struct Times([u32; BUCKETS]);

impl Default for Times {
    fn default() -> Times {
        Times([0; BUCKETS])
    }
}

impl Times {
    pub(super) fn add(&mut self, took: Duration) {
        let doublings = (took.as_secs_f64() * 1000.0 / FIRST_MS).log2();
        // The cast saturates: a duration below the first bound has a negative logarithm.
        let bucket = ((doublings * PER_DOUBLING).ceil() as usize).min(BUCKETS - 1);
        self.0[bucket] = self.0[bucket].saturating_add(1);
    }

    pub(super) fn merge(&mut self, other: &Times) {
        for (sum, more) in self.0.iter_mut().zip(other.0) {
            *sum = sum.saturating_add(more);
        }
    }

    /// Returns the duration that `share` of all do not exceed; `None` if there are none.
    pub(super) fn quantile_ms(&self, share: f64) -> Option<f64> {
        let all: u64 = self.0.iter().map(|count| u64::from(*count)).sum();
        let rank = (all as f64 * share).ceil().max(1.0) as u64;
        let mut below = 0;
        let bucket = self.0.iter().position(|count| {
            below += u64::from(*count);
            below >= rank
        })?;
        // The middle of the bucket on the scale of ratios.
        let ms = FIRST_MS * ((bucket as f64 - 0.5) / PER_DOUBLING).exp2();
        Some((ms * 100.0).round() / 100.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_an_eighth() {
        let mut times = Times::default();
        assert_eq!(times.quantile_ms(0.5), None);
        (1..=1000).for_each(|ms| times.add(Duration::from_millis(ms)));
        for (share, ms) in [(0.5, 500.0), (0.95, 950.0), (0.99, 990.0)] {
            let found = times.quantile_ms(share).unwrap();
            assert!((found / ms - 1.0).abs() < 0.125, "{share}: {found}");
        }
    }

    #[test]
    fn any_duration_has_a_bucket() {
        let mut times = Times::default();
        for took in [Duration::ZERO, Duration::from_nanos(1), Duration::from_micros(100), Duration::MAX] {
            times.add(took);
        }
        assert_eq!(times.0.iter().sum::<u32>(), 4);
        assert!(times.quantile_ms(1.0).unwrap() > 100_000.0);
        assert!(times.quantile_ms(0.0).unwrap() < 0.1);
    }
}
