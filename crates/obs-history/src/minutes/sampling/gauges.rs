//! Lowest, highest and last value of each gauge in a minute.

use std::collections::HashMap;
use std::sync::Arc;

use obs_metrics::{FamilySnapshot, SampleValue};

use crate::minutes::minute::{Change, GaugeChange, SeriesName};

/// Maximum number of gauges that are watched. Further ones are left out.
const MAX_SERIES: usize = 16_384;

/// Gauges of the current minute.
#[derive(Debug, Default)]
pub(in crate::minutes) struct Gauges {
    seen: HashMap<Arc<SeriesName>, Seen>,
    /// Number of readings. A gauge that the latest one does not have has ended.
    readings: u64,
}

#[derive(Debug)]
struct Seen {
    min: f64,
    max: f64,
    last: f64,
    reading: u64,
    /// Last value in the file.
    noted: Option<f64>,
}

impl Gauges {
    /// Takes in a reading.
    pub(in crate::minutes) fn read(&mut self, families: &[FamilySnapshot]) {
        self.readings += 1;
        for family in families {
            for series in &family.series {
                // SQLite has no NaN. A gauge without a number is like one that has ended.
                if let SampleValue::Gauge(value) = series.value
                    && !value.is_nan()
                {
                    self.see(SeriesName::of(&family.name, series), value);
                }
            }
        }
    }

    fn see(&mut self, name: SeriesName, value: f64) {
        let reading = self.readings;
        if let Some(seen) = self.seen.get_mut(&name) {
            seen.min = seen.min.min(value);
            seen.max = seen.max.max(value);
            (seen.last, seen.reading) = (value, reading);
        } else if self.seen.len() < MAX_SERIES {
            let seen = Seen { min: value, max: value, last: value, reading, noted: None };
            self.seen.insert(Arc::new(name), seen);
        }
    }

    /// Ends the minute. Returns the gauges that changed in it; all of them if `whole`.
    pub(in crate::minutes) fn end_minute(&mut self, whole: bool) -> Vec<(Arc<SeriesName>, Change)> {
        let mut changed = Vec::new();
        let readings = self.readings;
        self.seen.retain(|name, seen| {
            let is_listed = seen.reading == readings;
            let is_constant = seen.noted == Some(seen.last) && seen.min == seen.max && seen.min == seen.last;
            if whole || !is_constant || !is_listed {
                let last = is_listed.then_some(seen.last);
                let change = GaugeChange { min: seen.min, max: seen.max, last };
                changed.push((name.clone(), Change::Gauge(change)));
            }
            (seen.min, seen.max, seen.noted) = (seen.last, seen.last, Some(seen.last));
            is_listed
        });
        // In the order of the names, so that rows are inserted in the order of the file.
        changed.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        changed
    }
}

#[cfg(test)]
mod tests {
    use obs_metrics::Registry;

    use super::*;

    fn end(gauges: &mut Gauges, whole: bool) -> Vec<(f64, f64, Option<f64>)> {
        let change = |(_, change): (Arc<SeriesName>, Change)| match change {
            Change::Gauge(GaugeChange { min, max, last }) => (min, max, last),
            other => panic!("a gauge: {other:?}"),
        };
        gauges.end_minute(whole).into_iter().map(change).collect()
    }

    #[test]
    fn a_gauge_has_its_extremes_and_is_noted_when_it_changes() {
        let registry = Registry::new();
        let depth = registry.gauge("depth", "D.", []).with([]);
        let mut gauges = Gauges::default();
        let read = |gauges: &mut Gauges, value: f64| {
            depth.set(value);
            gauges.read(&registry.snapshot(|name, _| name == "depth"));
        };
        [3.0, 9.0, 1.0, 4.0].into_iter().for_each(|value| read(&mut gauges, value));
        assert_eq!(end(&mut gauges, false), [(1.0, 9.0, Some(4.0))]);
        read(&mut gauges, 4.0);
        assert_eq!(end(&mut gauges, false), []);
        assert_eq!(end(&mut gauges, true), [(4.0, 4.0, Some(4.0))], "a whole minute");
        [7.0, 4.0].into_iter().for_each(|value| read(&mut gauges, value));
        assert_eq!(end(&mut gauges, false), [(4.0, 7.0, Some(4.0))], "between two equal values");
        read(&mut gauges, f64::NAN);
        assert_eq!(end(&mut gauges, false), [(4.0, 4.0, None)], "ended");
        read(&mut gauges, f64::NAN);
        assert_eq!(end(&mut gauges, true), []);
    }
}
