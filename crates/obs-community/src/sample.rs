//! One metric of one capability in a share, and the sum of a group's samples.

use obs_metrics::NativeBuckets;

use crate::band::{self, Band};

/// Metric of a capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Metric {
    Calls,
    Errors,
    Latency,
}

impl Metric {
    pub(crate) const ALL: [Metric; 3] = [Metric::Calls, Metric::Errors, Metric::Latency];
}

/// Counts of one metric of a node since the last tick.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Sample {
    Calls(u64),
    Errors {
        calls: u64,
        failed: u64,
    },
    /// Seconds, in buckets of the schema 0.
    Latency(NativeBuckets),
}

impl Sample {
    /// Returns the number of calls behind the sample.
    pub(crate) fn weight(&self) -> u64 {
        match self {
            Sample::Calls(calls) | Sample::Errors { calls, .. } => *calls,
            Sample::Latency(buckets) => buckets.count(),
        }
    }
}

/// Sum of samples of one metric.
#[derive(Debug, Default)]
pub(crate) struct Sum {
    calls: f64,
    failed: f64,
    /// Counts of the buckets as fractions: by their index, and by `None` for zero.
    buckets: std::collections::BTreeMap<Option<i32>, f64>,
}

impl Sum {
    /// Adds the samples of a group, of which none weighs more than twice the median. Returns whether it counts: a group of which
    /// fewer than `min_nodes` had calls is left out.
    pub(crate) fn add(&mut self, samples: &[&Sample], min_nodes: usize) -> bool {
        let mut weights: Vec<u64> =
            samples.iter().map(|sample| sample.weight()).filter(|weight| *weight > 0).collect();
        if weights.len() < min_nodes {
            return false;
        }
        weights.sort_unstable();
        // The lower one of two medians: half of the nodes cannot raise it alone.
        let most = 2.0 * weights.get((weights.len() - 1) / 2).map_or(0.0, |median| *median as f64);
        for sample in samples {
            let weight = sample.weight() as f64;
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
                *self.buckets.entry(None).or_default() += buckets.zero as f64 * part;
                for (index, count) in &buckets.positive {
                    *self.buckets.entry(Some(*index)).or_default() += *count as f64 * part;
                }
            }
        }
    }

    /// Returns the figure of the metric: calls a minute, percent of failed calls, or the 95th percentile in milliseconds.
    pub(crate) fn band(&self, metric: Metric, tick_seconds: u32) -> Option<Band> {
        match metric {
            Metric::Calls => Some(Band::of(self.calls * 60.0 / f64::from(tick_seconds), band::CALLS)),
            Metric::Errors if self.calls > 0.0 => {
                Some(Band::of(100.0 * self.failed / self.calls, band::PERCENT))
            }
            Metric::Errors => None,
            Metric::Latency => {
                let seconds = self.merged().quantile(0.95)?;
                Some(Band::of(seconds * 1e3, band::MILLISECONDS))
            }
        }
    }

    /// Returns the buckets with whole counts. A thousandth of a call is the finest part.
    fn merged(&self) -> NativeBuckets {
        let whole = |count: f64| (count * 1e3).round() as u64;
        let mut merged = NativeBuckets::empty(0, 0.0);
        for (index, count) in &self.buckets {
            match index {
                None => merged.zero = whole(*count),
                Some(index) => drop(merged.positive.insert(*index, whole(*count))),
            }
        }
        merged
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(counts: &[u64], min_nodes: usize) -> Option<String> {
        let samples: Vec<_> = counts.iter().copied().map(Sample::Calls).collect();
        let mut sum = Sum::default();
        sum.add(&samples.iter().collect::<Vec<_>>(), min_nodes)
            .then(|| sum.band(Metric::Calls, 60).unwrap().to_string())
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
    fn a_limited_share_keeps_its_shape() {
        let mut sum = Sum::default();
        let errors = |calls, failed| Sample::Errors { calls, failed };
        let samples = [errors(10, 0), errors(10, 0), errors(1_000_000, 1_000_000)];
        assert!(sum.add(&samples.iter().collect::<Vec<_>>(), 3));
        assert_eq!(sum.band(Metric::Errors, 60).unwrap().to_string(), "50+", "20 of 40");

        // The buckets end at 1/8 s, and at 64 s.
        let latency = |index, count| {
            let mut buckets = NativeBuckets::empty(0, 0.0);
            buckets.positive.insert(index, count);
            Sample::Latency(buckets)
        };
        let mut sum = Sum::default();
        let samples = [latency(-3, 98), latency(-3, 97), latency(-3, 96), latency(6, 1)];
        assert!(sum.add(&samples.iter().collect::<Vec<_>>(), 3));
        assert_eq!(sum.band(Metric::Latency, 60).unwrap().to_string(), "100-250");
    }
}
