//! Handle of a gauge.

use std::fmt;
use std::sync::Arc;

use super::lease::{Lease, OwnedGauge};
use crate::cell::gauge::GaugeCell;
use crate::family::series::Series;

/// Gauge of one series. Clones set the same series.
///
/// ```
/// let registry = obs_metrics::Registry::new();
/// let depth = registry.gauge("queue_depth", "Waiting jobs.", []).with([]);
/// depth.set(3.0);
/// depth.inc();
/// depth.sub(0.5);
/// assert_eq!(depth.value(), 3.5);
/// ```
#[derive(Clone, Default)]
pub struct Gauge(pub(crate) Option<Arc<Series<GaugeCell>>>);

impl Gauge {
    /// Sets the gauge to `value`.
    #[inline]
    pub fn set(&self, value: f64) {
        if let Some(series) = &self.0 {
            series.write(move |cell| cell.set(value));
        }
    }

    /// Adds `amount`, which may be negative.
    #[inline]
    pub fn add(&self, amount: f64) {
        if let Some(series) = &self.0 {
            series.write(move |cell| cell.add(amount));
        }
    }

    /// Subtracts `amount`.
    #[inline]
    pub fn sub(&self, amount: f64) {
        self.add(-amount);
    }

    /// Adds one.
    #[inline]
    pub fn inc(&self) {
        self.add(1.0);
    }

    /// Subtracts one.
    #[inline]
    pub fn dec(&self) {
        self.add(-1.0);
    }

    /// Returns the value. It is 0 for a handle that does nothing.
    #[must_use]
    pub fn value(&self) -> f64 {
        self.0.as_ref().map_or(0.0, |series| series.cell.value())
    }

    /// Adds one now, and subtracts it when the lease is dropped.
    ///
    /// The last lease of a series removes the series if it leaves it at zero, so that streams, peers or models that no
    /// longer exist leave the page. A series with [trusted](crate::Family::trust) values stays, at zero.
    ///
    /// ```
    /// use obs_metrics::testing;
    ///
    /// let registry = obs_metrics::Registry::new();
    /// let streams = registry.gauge("streams", "Open streams.", ["capability"]);
    /// let lease = streams.with(["llm.chat"]).lease();
    /// assert_eq!(testing::value(&registry, "streams", &[("capability", "llm.chat")]), Some(1.0));
    /// drop(lease);
    /// assert_eq!(testing::value(&registry, "streams", &[("capability", "llm.chat")]), None);
    /// ```
    pub fn lease(&self) -> Lease {
        Lease::new(self)
    }

    /// Owns the series without a change of its value. The last owner or lease removes the series, whatever its value.
    pub(crate) fn owned(&self) -> OwnedGauge {
        OwnedGauge::new(self)
    }
}

impl fmt::Debug for Gauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Gauge").field(&self.value()).finish()
    }
}
