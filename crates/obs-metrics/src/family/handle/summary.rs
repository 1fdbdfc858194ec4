//! Handle of a summary.

use std::fmt;
use std::sync::Arc;

use crate::cell::summary::SummaryCell;
use crate::family::series::Series;

/// Summary of one series. Clones observe into the same series.
///
/// The quantiles are those of the last five minutes, within 2 % for values between 2⁻¹² and 2²⁸. They are NaN if nothing
/// was observed in that time. Sum and count cover the time since the start, as those of a counter do.
///
/// ```
/// let registry = obs_metrics::Registry::new();
/// let waits = registry.summary("wait_ms", "Waits.", []).with([]);
/// (1..=100).for_each(|ms| waits.observe(f64::from(ms)));
/// let median = waits.quantile(0.5);
/// assert!((49.0..=51.0).contains(&median));
/// ```
#[derive(Clone, Default)]
pub struct Summary(pub(crate) Option<Arc<Series<SummaryCell>>>);

impl Summary {
    /// Records a value. NaN is not recorded; `hearthnet_metrics_nan_total{metric}` counts it.
    #[inline]
    pub fn observe(&self, value: f64) {
        if let Some(series) = &self.0 {
            series.observe(value);
        }
    }

    /// Returns the value that the share `q` (0 to 1) of the last five minutes' values does not exceed. NaN if there were
    /// none.
    #[must_use]
    pub fn quantile(&self, q: f64) -> f64 {
        self.0.as_ref().map_or(f64::NAN, |series| series.cell.quantile(q))
    }

    /// Returns the number of values observed since the start. It is 0 for a handle that does nothing.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.as_ref().map_or(0, |series| series.cell.totals().count())
    }

    /// Returns the sum of the values observed since the start. It is 0 for a handle that does nothing.
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.0.as_ref().map_or(0.0, |series| series.cell.totals().sum)
    }
}

impl fmt::Debug for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Summary").field("count", &self.count()).field("sum", &self.sum()).finish()
    }
}
