//! Handle of a histogram.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::cell::histogram::HistogramCell;
use crate::family::series::Series;

/// Histogram of one series. Clones observe into the same series.
///
/// NaN is not observed. `hearthnet_metrics_nan_total{metric}` counts it.
///
/// ```
/// let registry = obs_metrics::Registry::new();
/// let sizes = registry.histogram("size_bytes", "Sizes.", [], &[10.0, 100.0]).with([]);
/// sizes.observe(7.0);
/// sizes.observe(70.0);
/// assert_eq!((sizes.count(), sizes.sum()), (2, 77.0));
/// ```
#[derive(Clone, Default)]
pub struct Histogram(pub(crate) Option<Arc<Series<HistogramCell>>>);

impl Histogram {
    /// Records a value.
    #[inline]
    pub fn observe(&self, value: f64) {
        if let Some(series) = &self.0 {
            series.observe(value);
        }
    }

    /// Records a duration in seconds.
    #[inline]
    pub fn observe_duration(&self, duration: Duration) {
        self.observe(duration.as_secs_f64());
    }

    /// Returns the number of values observed. It is 0 for a handle that does nothing.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.as_ref().map_or(0, |series| series.cell.snapshot().count())
    }

    /// Returns the sum of the values observed. It is 0 for a handle that does nothing.
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.0.as_ref().map_or(0.0, |series| series.cell.snapshot().sum)
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Histogram").field("count", &self.count()).field("sum", &self.sum()).finish()
    }
}
