//! Growth of counters and histograms since the reading before.

use std::collections::HashMap;
use std::sync::Arc;

use obs_metrics::{FamilySnapshot, HistogramValue, NativeBuckets, SampleValue};

use crate::minutes::file::rows::{Series, Value};
use crate::minutes::minute::{Change, HistogramChange, SeriesName};

/// Maximum number of series that are remembered. Those of all families of a node are a few hundred. A series beyond it
/// counts as new at each reading, so it is left out.
const MAX_SERIES: usize = 16_384;

/// Values of the reading before.
#[derive(Debug, Default)]
pub(in crate::minutes) struct Counts {
    before: HashMap<Arc<SeriesName>, Before>,
}

#[derive(Debug)]
enum Before {
    Counter(f64),
    Histogram { sum: f64, buckets: NativeBuckets },
}

impl Counts {
    /// Returns the series that have grown, and remembers their values.
    ///
    /// A series that is missing is remembered, because a handle may list it again with what it held. A value that went
    /// down belongs to a new series with the same labels, so all of it is growth.
    pub(in crate::minutes) fn grown(
        &mut self,
        families: &[FamilySnapshot],
    ) -> Vec<(Arc<SeriesName>, Change)> {
        let mut grown = Vec::new();
        for family in families {
            for series in &family.series {
                let Some(now) = Before::of(&series.value) else { continue };
                let name = SeriesName::of(&family.name, series);
                if let Some((name, change)) = self.replace(name, now) {
                    grown.push((name, change));
                }
            }
        }
        grown
    }

    /// Returns the changes since the reading before, and remembers nothing.
    pub(in crate::minutes) fn grown_so_far(&self, families: &[FamilySnapshot]) -> Vec<(Arc<Series>, Value)> {
        let all = families.iter().flat_map(|family| family.series.iter().map(move |series| (family, series)));
        let grown = all.filter_map(|(family, series)| {
            let (name, now) = (SeriesName::of(&family.name, series), Before::of(&series.value)?);
            let change = match self.before.get(&name) {
                Some(before) => growth(before, &now),
                None => growth(&now.nothing(), &now),
            };
            shown(&family.name, &series.labels, change?)
        });
        grown.collect()
    }

    fn replace(&mut self, name: SeriesName, now: Before) -> Option<(Arc<SeriesName>, Change)> {
        if let Some((known, before)) = self.before.get_key_value(&name) {
            let change = growth(before, &now);
            let known = known.clone();
            self.before.insert(known.clone(), now);
            return change.map(|change| (known, change));
        }
        if self.before.len() >= MAX_SERIES {
            return None;
        }
        let name = Arc::new(name);
        let change = growth(&now.nothing(), &now);
        self.before.insert(name.clone(), now);
        change.map(|change| (name, change))
    }
}

impl Before {
    /// Returns the value of a series that is kept; `None` for one of another kind.
    fn of(value: &SampleValue) -> Option<Before> {
        match value {
            SampleValue::Counter(value) => Some(Before::Counter(*value)),
            SampleValue::Histogram(HistogramValue { sum, native: Some(buckets), .. }) => {
                Some(Before::Histogram { sum: *sum, buckets: buckets.clone() })
            }
            _ => None,
        }
    }

    /// Returns the value before the first observation.
    fn nothing(&self) -> Before {
        match self {
            Before::Counter(_) => Before::Counter(0.0),
            Before::Histogram { buckets, .. } => Before::Histogram {
                sum: 0.0,
                buckets: NativeBuckets::empty(buckets.schema, buckets.zero_threshold),
            },
        }
    }
}

fn growth(before: &Before, now: &Before) -> Option<Change> {
    match (before, now) {
        (Before::Counter(before), Before::Counter(now)) => {
            let growth = if now < before { *now } else { now - before };
            (growth > 0.0).then_some(Change::Counter(growth))
        }
        (
            Before::Histogram { sum: sum_before, buckets: before },
            Before::Histogram { sum: sum_now, buckets: now },
        ) => {
            let (sum, buckets) = match now.since(before) {
                Some(buckets) => (sum_now - sum_before, buckets),
                None => (*sum_now, now.clone()),
            };
            // The count of buckets in a file is bounded; the reading keeps all of them.
            let buckets = buckets.limit();
            (buckets.count() > 0).then_some(Change::Histogram(HistogramChange { sum, buckets }))
        }
        // A name has one kind.
        _ => None,
    }
}

/// Returns a change as a reader gets it. A gauge has none here.
fn shown(family: &str, labels: &[(String, String)], change: Change) -> Option<(Arc<Series>, Value)> {
    let mut labels = labels.to_vec();
    // The file has them in order of their names.
    labels.sort();
    let series = Arc::new(Series { family: family.to_owned(), labels });
    let value = match change {
        Change::Counter(growth) => Value::Counter(growth),
        Change::Histogram(change) => Value::Histogram { sum: change.sum, buckets: change.buckets },
        Change::Gauge(_) => return None,
    };
    Some((series, value))
}

#[cfg(test)]
mod tests {
    use obs_metrics::Registry;

    use super::*;

    fn read(registry: &Registry) -> Vec<FamilySnapshot> {
        registry.snapshot(|name, _| name == "c_total" || name == "h")
    }

    fn counters(grown: &[(Arc<SeriesName>, Change)]) -> Vec<(&str, f64)> {
        let counter = |(name, change): &'_ (Arc<SeriesName>, Change)| match change {
            Change::Counter(growth) => Some((name.labels.clone(), *growth)),
            _ => None,
        };
        grown.iter().filter_map(counter).map(|(labels, growth)| (&*labels.leak(), growth)).collect()
    }

    #[test]
    fn only_what_grew_is_a_change() {
        let registry = Registry::new();
        let family = registry.counter("c_total", "C.", ["x"]);
        family.with(["a"]).add(5);
        let _ = family.with(["b"]);
        let mut counts = Counts::default();
        assert_eq!(counters(&counts.grown(&read(&registry))), [("{\"x\":\"a\"}", 5.0)]);
        assert!(counts.grown(&read(&registry)).is_empty());
        family.with(["a"]).add(2);
        family.with(["b"]).add(1);
        let grown = counts.grown(&read(&registry));
        assert_eq!(counters(&grown), [("{\"x\":\"a\"}", 2.0), ("{\"x\":\"b\"}", 1.0)]);
    }

    /// A held handle lists its series again with what it held, and a new handle makes an empty one.
    #[test]
    fn a_series_that_comes_back_is_not_counted_twice() {
        let registry = Registry::new();
        let family = registry.counter("c_total", "C.", ["x"]);
        let held = family.with(["a"]);
        held.add(5);
        let mut counts = Counts::default();
        counts.grown(&read(&registry));
        family.remove(["a"]);
        assert!(counts.grown(&read(&registry)).is_empty());
        held.add(1);
        assert_eq!(counters(&counts.grown(&read(&registry))), [("{\"x\":\"a\"}", 1.0)]);
        family.remove(["a"]);
        drop(held);
        family.with(["a"]).add(3);
        assert_eq!(counters(&counts.grown(&read(&registry))), [("{\"x\":\"a\"}", 3.0)]);
    }

    #[test]
    fn observations_between_two_readings_are_kept_as_buckets() {
        let registry = Registry::new();
        let waits = registry.histogram("h", "H.", [], &[]).native().with([]);
        let mut counts = Counts::default();
        waits.observe(1.0);
        counts.grown(&read(&registry));
        (0..10).for_each(|_| waits.observe(4.0));
        let grown = counts.grown(&read(&registry));
        let [(_, Change::Histogram(change))] = &grown[..] else { panic!("one histogram: {grown:?}") };
        assert_eq!((change.sum, change.buckets.count()), (40.0, 10));
        assert!((change.buckets.quantile(0.01).unwrap() - 4.0).abs() < 0.4);
        assert!(counts.grown(&read(&registry)).is_empty());
    }

    #[test]
    fn a_look_at_the_minute_changes_nothing() {
        let registry = Registry::new();
        let family = registry.counter("c_total", "C.", ["x"]);
        family.with(["a"]).add(5);
        let mut counts = Counts::default();
        counts.grown(&read(&registry));
        family.with(["a"]).add(2);
        family.with(["b"]).add(3);
        for _ in 0..2 {
            let so_far = counts.grown_so_far(&read(&registry));
            let so_far: Vec<_> = so_far.iter().map(|(series, value)| (series.label("x"), value)).collect();
            assert_eq!(so_far, [(Some("a"), &Value::Counter(2.0)), (Some("b"), &Value::Counter(3.0))]);
        }
        assert_eq!(counts.grown(&read(&registry)).len(), 2);
    }

    #[test]
    fn the_number_of_remembered_series_is_bounded() {
        let mut counts = Counts::default();
        for n in 0..MAX_SERIES + 10 {
            let name = SeriesName { family: "c".to_owned(), labels: n.to_string() };
            counts.replace(name, Before::Counter(1.0));
        }
        assert_eq!(counts.before.len(), MAX_SERIES);
    }
}
