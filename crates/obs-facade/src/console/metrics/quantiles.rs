//! Quantiles of histograms and summaries.

use obs_console::api::Quantiles;
use obs_metrics::{HistogramValue, NativeBuckets, SummaryValue};

/// Returns a number that JSON can write. It has no NaN and no infinity.
pub(in crate::console) fn finite(number: f64) -> Option<f64> {
    number.is_finite().then_some(number)
}

pub(super) fn of_native(buckets: &NativeBuckets) -> Quantiles {
    let [p50, p95, p99] = [0.5, 0.95, 0.99].map(|q| buckets.quantile(q).and_then(finite));
    Quantiles { count: buckets.count(), p50, p95, p99 }
}

pub(super) fn of_histogram(histogram: &HistogramValue) -> Quantiles {
    if let Some(native) = &histogram.native {
        return of_native(native);
    }
    let [p50, p95, p99] = [0.5, 0.95, 0.99].map(|q| within(histogram, q));
    Quantiles { count: histogram.count(), p50, p95, p99 }
}

/// Returns a quantile by its place within its bucket. `None` in the last bucket, which has no upper bound.
fn within(histogram: &HistogramValue, q: f64) -> Option<f64> {
    let mut wanted = q * histogram.count() as f64;
    let mut lower = histogram.bounds.first().copied().filter(|first| *first < 0.0).unwrap_or_default();
    for (bound, count) in histogram.bounds.iter().zip(&histogram.counts) {
        let count = *count as f64;
        if count > 0.0 && wanted <= count {
            return finite(lower + (bound - lower) * (wanted / count));
        }
        wanted -= count;
        lower = *bound;
    }
    None
}

pub(super) fn of_summary(summary: &SummaryValue) -> Quantiles {
    let of = |q: f64| {
        let found = summary.quantiles.iter().find(|(share, _)| (share - q).abs() < 1e-9);
        found.and_then(|(_, value)| finite(*value))
    };
    Quantiles { count: summary.count, p50: of(0.5), p95: of(0.95), p99: of(0.99) }
}

#[cfg(test)]
mod tests {
    use obs_metrics::{Registry, SampleValue};

    use super::*;

    #[test]
    fn a_quantile_lies_in_its_bucket() {
        let registry = Registry::new();
        let sizes = registry.histogram("size_bytes", "Sizes.", [], &[10.0, 100.0]).with([]);
        (0..90).for_each(|_| sizes.observe(5.0));
        (0..9).for_each(|_| sizes.observe(50.0));
        sizes.observe(1e9);
        let family = registry.snapshot(|name, _| name == "size_bytes").remove(0);
        let SampleValue::Histogram(sizes) = &family.series[0].value else { panic!("no histogram") };
        let found = of_histogram(sizes);
        assert_eq!(found.count, 100);
        assert!((5.0..6.0).contains(&found.p50.unwrap()), "{found:?}");
        assert!((10.0..100.0).contains(&found.p95.unwrap()), "{found:?}");
        assert_eq!(found.p99, Some(100.0));
    }
}
