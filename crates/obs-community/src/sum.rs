//! Sum of the samples of groups, over one tick or many.

use std::collections::BTreeMap;

use obs_metrics::NativeBuckets;
use serde::{Deserialize, Serialize};

use crate::band::Band;
use crate::metric::Metric;
use crate::sample::Sample;

/// Number of standard deviations from the mean of its group beyond which a sample is left out.
const MOST_DEVIATIONS: f64 = 3.0;

/// Sum of samples of one metric. It names no node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Sum {
    /// Length of the ticks.
    seconds: f64,
    calls: f64,
    failed: f64,
    /// Counts of the buckets as fractions.
    zero: f64,
    buckets: BTreeMap<i32, f64>,
    /// Sum of levels, and their number.
    level: f64,
    levels: f64,
}

impl Sum {
    /// Returns the empty sum of a tick of this length.
    pub(crate) fn of_tick(seconds: u32) -> Sum {
        Sum { seconds: f64::from(seconds), ..Sum::default() }
    }

    /// Adds the samples of a group, without those beyond three standard deviations. None weighs more than twice the median.
    /// Returns whether it counts: a group of which fewer than `min_nodes` had calls is left out.
    pub(crate) fn add(&mut self, samples: &[&Sample], min_nodes: usize) -> bool {
        let samples = without_outliers(samples);
        if samples.len() < min_nodes {
            return false;
        }
        let mut weights: Vec<f64> = samples.iter().map(|(_, weight)| *weight).collect();
        weights.sort_unstable_by(f64::total_cmp);
        // The lower one of two medians: half of the nodes cannot raise it alone.
        let most = 2.0 * weights.get((weights.len() - 1) / 2).copied().unwrap_or_default();
        for (sample, weight) in samples {
            self.add_one(sample, if weight > most { most / weight } else { 1.0 });
        }
        true
    }

    fn add_one(&mut self, sample: &Sample, part: f64) {
        match sample {
            Sample::Calls(calls) => self.calls += *calls as f64 * part,
            Sample::Errors { calls, failed } => {
                self.calls += *calls as f64 * part;
                self.failed += *failed as f64 * part;
            }
            Sample::Latency(buckets) => {
                self.zero += buckets.zero as f64 * part;
                for (index, count) in &buckets.positive {
                    *self.buckets.entry(*index).or_default() += *count as f64 * part;
                }
            }
            Sample::Level(level) => {
                self.level += *level as f64 * part;
                self.levels += 1.0;
            }
        }
    }

    /// Adds the sum of another time.
    pub(crate) fn merge(&mut self, other: &Sum) {
        let Sum { seconds, calls, failed, zero, buckets, level, levels } = other;
        self.seconds += seconds;
        self.calls += calls;
        self.failed += failed;
        self.zero += zero;
        for (index, count) in buckets {
            *self.buckets.entry(*index).or_default() += count;
        }
        self.level += level;
        self.levels += levels;
    }

    /// Returns the figure of the metric: calls a minute, percent of failed calls, the 95th percentile in milliseconds, or the
    /// mean of a level.
    pub(crate) fn band(&self, metric: Metric) -> Option<Band> {
        let per = |part: f64, whole: f64| (whole > 0.0).then(|| part / whole);
        let figure = match metric {
            Metric::Calls => per(60.0 * self.calls, self.seconds)?,
            Metric::Errors => per(100.0 * self.failed, self.calls)?,
            Metric::Latency => 1e3 * self.merged().quantile(0.95)?,
            _ => per(self.level, self.levels)?,
        };
        Some(Band::of(figure, metric.bands()))
    }

    /// Returns the buckets with whole counts. A thousandth of a call is the finest part.
    fn merged(&self) -> NativeBuckets {
        let whole = |count: f64| (count * 1e3).round() as u64;
        let mut merged = NativeBuckets::empty(0, 0.0);
        merged.zero = whole(self.zero);
        merged.positive = self.buckets.iter().map(|(index, count)| (*index, whole(*count))).collect();
        merged
    }
}

/// Returns the samples with calls and their weights, without those beyond three standard deviations from the mean. Of ten samples
/// none is beyond them, whatever they are.
fn without_outliers<'a>(samples: &[&'a Sample]) -> Vec<(&'a Sample, f64)> {
    let mut weighed: Vec<_> =
        samples.iter().filter_map(|sample| Some((*sample, sample.weight()? as f64))).collect();
    let mean_of = |numbers: &mut dyn Iterator<Item = f64>| numbers.sum::<f64>() / weighed.len() as f64;
    let mean = mean_of(&mut weighed.iter().map(|(_, weight)| *weight));
    let variance = mean_of(&mut weighed.iter().map(|(_, weight)| (weight - mean).powi(2)));
    let most = MOST_DEVIATIONS * variance.sqrt();
    weighed.retain(|(_, weight)| (weight - mean).abs() <= most);
    weighed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn band(metric: Metric, samples: &[Sample], min_nodes: usize) -> Option<String> {
        let mut sum = Sum::of_tick(60);
        sum.add(&samples.iter().collect::<Vec<_>>(), min_nodes).then(|| sum.band(metric).unwrap().to_string())
    }

    fn calls(counts: &[u64], min_nodes: usize) -> Option<String> {
        let samples: Vec<_> = counts.iter().copied().map(Sample::Calls).collect();
        band(Metric::Calls, &samples, min_nodes)
    }

    #[test]
    fn no_node_weighs_more_than_twice_the_median() {
        assert_eq!(calls(&[4, 5, 6], 3).as_deref(), Some("10-20"));
        assert_eq!(calls(&[4, 5, u64::MAX], 3).as_deref(), Some("10-20"), "19");
        assert_eq!(calls(&[1, 1, 1000], 3).as_deref(), Some("0-5"), "a lone busy node does not show");
        assert_eq!(calls(&[3, 3, 1000, 1000], 3).as_deref(), Some("10-20"), "half cannot raise the median");
    }

    #[test]
    fn a_group_counts_if_enough_of_its_nodes_had_calls() {
        assert_eq!(calls(&[4, 5, 0], 3), None);
        assert_eq!(calls(&[0, 0, 1000], 3), None);
        assert_eq!(calls(&[4, 5, 6, 0], 3).as_deref(), Some("10-20"));
        assert_eq!(calls(&[4, 5, 6, 0], 4), None);
    }

    #[test]
    fn a_node_beyond_three_deviations_is_left_out() {
        // 11 nodes of 9 calls are 99. With one more at the limit of its weight they would be 117.
        let mut counts = vec![9; 11];
        counts.push(1 << 40);
        assert_eq!(calls(&counts, 3).as_deref(), Some("50-100"), "99");
        assert_eq!(calls(&counts, 12), None, "too few are left");
        // Beside nodes that differ, 18 is none.
        assert_eq!(calls(&[9, 2, 9, 16, 9, 1, 9, 17, 9, 2, 9, 18], 3).as_deref(), Some("100-200"), "110");
    }

    #[test]
    fn a_level_is_the_mean_of_a_group() {
        let of = |levels: &[u64]| {
            band(Metric::Cpu, &levels.iter().copied().map(Sample::Level).collect::<Vec<_>>(), 3)
        };
        assert_eq!(of(&[0, 40, 80]).as_deref(), Some("25-50"), "40, of which one is idle");
        assert_eq!(of(&[0, 0, 100]).as_deref(), Some("0-10"), "a lone busy node does not show");
        assert_eq!(of(&[10, 10, 100]).as_deref(), Some("10-25"), "13");
        assert_eq!(of(&[40, 80]), None);
    }

    #[test]
    fn a_limited_share_keeps_its_shape() {
        let errors = |calls, failed| Sample::Errors { calls, failed };
        let samples = [errors(10, 0), errors(10, 0), errors(1_000_000, 1_000_000)];
        assert_eq!(band(Metric::Errors, &samples, 3).as_deref(), Some("50+"), "20 of 40");

        // The buckets end at 1/8 s, and at 64 s.
        let latency = |index, count| {
            let mut buckets = NativeBuckets::empty(0, 0.0);
            buckets.positive.insert(index, count);
            Sample::Latency(buckets)
        };
        let samples = [latency(-3, 98), latency(-3, 97), latency(-3, 96), latency(6, 1)];
        assert_eq!(band(Metric::Latency, &samples, 3).as_deref(), Some("100-250"));
    }

    #[test]
    fn a_sum_of_many_ticks_is_their_mean() {
        let mut sum = Sum::default();
        for count in [4, 40] {
            let mut tick = Sum::of_tick(60);
            let samples = [Sample::Calls(count), Sample::Calls(count), Sample::Calls(count)];
            assert!(tick.add(&samples.iter().collect::<Vec<_>>(), 3));
            sum.merge(&tick);
        }
        assert_eq!(sum.band(Metric::Calls).unwrap().to_string(), "50-100", "132 in two minutes");
        let text = serde_json::to_string(&sum).unwrap();
        assert_eq!(serde_json::from_str::<Sum>(&text).unwrap(), sum);
    }
}
