//! Metrics at this moment.

use obs_metrics::{FamilySnapshot, Registry, SampleValue, SeriesSnapshot};

/// Metrics at this moment.
#[derive(Debug)]
pub(super) struct Present(Vec<FamilySnapshot>);

impl Present {
    pub(super) fn now() -> Present {
        Present::of(Registry::global())
    }

    pub(super) fn of(registry: &Registry) -> Present {
        let is_wanted = |name: &str| name.starts_with("hearthnet_") || name.starts_with("process_");
        Present(registry.snapshot(|name, _| is_wanted(name)))
    }

    /// Returns the series of a family.
    pub(super) fn series(&self, family: &str) -> impl Iterator<Item = &SeriesSnapshot> {
        self.0.iter().filter(move |found| found.name == family).flat_map(|found| &found.series)
    }

    /// Returns the sum of the series of a counter or gauge that `is_wanted` chooses. `None` if there are none.
    pub(super) fn sum(&self, family: &str, is_wanted: impl Fn(&SeriesSnapshot) -> bool) -> Option<f64> {
        let values = self.series(family).filter(|series| is_wanted(series)).filter_map(number);
        values.reduce(|sum, value| sum + value).filter(|sum| sum.is_finite())
    }
}

/// Returns the number of a counter or gauge.
pub(super) fn number(series: &SeriesSnapshot) -> Option<f64> {
    match series.value {
        SampleValue::Counter(value) | SampleValue::Gauge(value) => Some(value),
        _ => None,
    }
}
