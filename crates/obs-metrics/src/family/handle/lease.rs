//! Guards of a gauge: one unit on it, or the ownership of its series.

use std::ops::Deref;
use std::sync::Arc;

use super::gauge::Gauge;
use crate::cell::gauge::GaugeCell;
use crate::family::series::{Removal, Series};

/// One unit on a gauge, subtracted on drop. Made by [`Gauge::lease`].
///
/// ```
/// let registry = obs_metrics::Registry::new();
/// let gauge = registry.gauge("streams", "Open streams.", []).with([]);
/// let lease: obs_metrics::Lease = gauge.lease();
/// assert_eq!(gauge.value(), 1.0);
/// drop(lease);
/// assert_eq!(gauge.value(), 0.0);
/// ```
#[derive(Debug)]
#[must_use = "the unit is subtracted when the lease is dropped"]
pub struct Lease {
    gauge: Gauge,
}

impl Lease {
    /// Amount of a lease.
    const UNIT: f64 = 1.0;

    pub(super) fn new(gauge: &Gauge) -> Self {
        Self { gauge: begin(gauge, Self::UNIT) }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(series) = &self.gauge.0 else { return };
        let Some(family) = series.family() else { return };
        // The value and the trust are read under the lock of the table, after which no lease can begin on the series.
        family.remove_if(series, &|cell, is_trusted| {
            let is_over = cell.end_lease(Self::UNIT) && cell.value() == 0.0 && !is_trusted();
            is_over.then_some(Removal::UnlessWritten)
        });
    }
}

/// Gauge whose series lives as long as its owners. Made by [`GaugeFamily::owned`](crate::GaugeFamily::owned).
///
/// ```
/// let registry = obs_metrics::Registry::new();
/// let online = registry.gauge("nodes_online", "Peers that answer.", ["community"]);
/// let gauge: obs_metrics::OwnedGauge = online.owned(["home"]);
/// gauge.set(5.0);
/// drop(gauge);
/// assert_eq!(obs_metrics::testing::value(&registry, "nodes_online", &[]), None);
/// ```
#[derive(Debug)]
#[must_use = "the series is removed when its owner is dropped"]
pub struct OwnedGauge {
    gauge: Gauge,
}

impl OwnedGauge {
    pub(super) fn new(gauge: &Gauge) -> Self {
        Self { gauge: begin(gauge, 0.0) }
    }
}

impl Deref for OwnedGauge {
    type Target = Gauge;

    fn deref(&self) -> &Gauge {
        &self.gauge
    }
}

impl Drop for OwnedGauge {
    fn drop(&mut self) {
        let Some(series) = &self.gauge.0 else { return };
        if let Some(family) = series.family() {
            family.remove_if(series, &|cell, _| cell.end_lease(0.0).then_some(Removal::Final));
        }
    }
}

/// Begins a lease on the series of a gauge. The result stands for the series with the lease, which is another one if the
/// series was removed and replaced. It stands for none if the registry is switched off.
fn begin(gauge: &Gauge, amount: f64) -> Gauge {
    let series = gauge.0.as_ref().filter(|series| !series.is_off());
    Gauge(series.map(|series| begin_on(series, amount)))
}

fn begin_on(series: &Arc<Series<GaugeCell>>, amount: f64) -> Arc<Series<GaugeCell>> {
    match series.family() {
        Some(family) => family.while_listed(series, &|cell| cell.begin_lease(amount)),
        None => series.clone(),
    }
}

#[cfg(test)]
mod tests {
    use crate::{Registry, testing};

    #[test]
    fn a_series_with_trusted_values_outlives_its_leases() {
        let registry = Registry::new();
        let streams = registry.gauge("streams", "Open streams.", ["capability"]);
        streams.trust("capability", &["llm.chat"]).unwrap();
        drop(streams.with(["llm.chat"]).lease());
        drop(streams.with(["from.a.peer"]).lease());
        assert_eq!(testing::value(&registry, "streams", &[("capability", "llm.chat")]), Some(0.0));
        assert_eq!(testing::value(&registry, "streams", &[("capability", "from.a.peer")]), None);
    }
}
