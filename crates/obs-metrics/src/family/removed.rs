//! Series that the end of a lease removed and that handles may still write.

use std::sync::{Arc, Weak};

use hashbrown::HashTable;

use super::series::Series;
use crate::cell::Cell;

/// Removed series by the hash of their label values, as long as something holds them.
///
/// The end of the last lease removes a series that is at zero. A writer reads the state of its series first and then
/// stores the value, and a fence between the two would cost it four times the store. So its value may arrive in a series
/// that was removed meanwhile. The next page and the next look-up of the label values look here, and list such a series
/// again.
///
/// No listed series has the label values of a series here.
pub(crate) struct Removed<C> {
    rows: HashTable<Row<C>>,
    /// Number of rows at which those that nothing holds are dropped.
    limit: usize,
}

struct Row<C> {
    hash: u64,
    series: Weak<Series<C>>,
}

/// Number of rows that are kept without a look at them.
const FEW: usize = 16;

impl<C: Cell> Removed<C> {
    pub(crate) fn new() -> Self {
        Self { rows: HashTable::new(), limit: FEW }
    }

    pub(crate) fn put(&mut self, hash: u64, series: &Arc<Series<C>>) {
        if self.rows.len() >= self.limit {
            self.rows.retain(|row| row.series.strong_count() > 0);
            // Twice the rest, so that a removal looks at two rows on average.
            self.limit = FEW.max(2 * self.rows.len());
        }
        let row = Row { hash, series: Arc::downgrade(series) };
        self.rows.insert_unique(hash, row, |row| row.hash);
    }

    /// Takes out the series with these values.
    pub(crate) fn take(&mut self, hash: u64, values: &[&str]) -> Option<Arc<Series<C>>> {
        let has_values = |row: &Row<C>| row.series.upgrade().is_some_and(|series| series.has(values));
        let (row, _) = self.rows.find_entry(hash, has_values).ok()?.remove();
        row.series.upgrade()
    }

    /// Whether a series has a value that its removal has missed.
    pub(crate) fn has_written(&self) -> bool {
        self.rows.iter().any(|row| row.written().is_some())
    }

    /// Takes out the series that have a value which their removal has missed, with their hashes.
    pub(crate) fn take_written(&mut self) -> Vec<(u64, Arc<Series<C>>)> {
        let written = self.rows.extract_if(|row| row.written().is_some());
        written.filter_map(|row| Some((row.hash, row.series.upgrade()?))).collect()
    }
}

impl<C: Cell> Row<C> {
    /// Returns the series if it has a value.
    fn written(&self) -> Option<Arc<Series<C>>> {
        self.series.upgrade().filter(|series| series.cell.has_value())
    }
}

#[cfg(all(test, not(obs_loom)))]
mod tests {
    use super::*;
    use crate::cell::gauge::GaugeCell;
    use crate::desc::Desc;
    use crate::exposition::kind::Kind;
    use crate::family::core::FamilyCore;
    use crate::{Config, Gauge, GaugeFamily, Registry, testing};

    /// Returns a gauge that was written after the end of its only lease had removed it, by a thread that had read the state
    /// of the series before.
    fn written_late(family: &GaugeFamily<1>, value: &str) -> Gauge {
        let gauge = family.with([value]);
        drop(gauge.lease());
        gauge.0.as_ref().unwrap().cell.set(5.0);
        gauge
    }

    fn streams() -> (Registry, GaugeFamily<1>) {
        let registry = Registry::new();
        let family = registry.gauge("streams", "Streams.", ["peer"]);
        (registry, family)
    }

    #[test]
    fn a_late_value_is_on_the_next_page() {
        let (registry, family) = streams();
        let _held = written_late(&family, "a");
        let _zero = family.with(["b"]).lease();
        drop(family.with(["c"]).lease());
        assert_eq!(testing::value(&registry, "streams", &[("peer", "a")]), Some(5.0));
        assert_eq!(testing::value(&registry, "streams", &[("peer", "b")]), Some(1.0));
        assert_eq!(testing::value(&registry, "streams", &[("peer", "c")]), None);
        assert!(registry.snapshot(|name, _| name == "streams")[0].series.len() == 2);
    }

    #[test]
    fn a_look_up_finds_the_series_that_the_handles_write() {
        let (_registry, family) = streams();
        let held = written_late(&family, "a");
        let found = family.with(["a"]);
        assert_eq!(found.value(), 5.0);
        found.set(7.0);
        assert_eq!(held.value(), 7.0);
    }

    #[test]
    fn a_late_value_does_not_survive_a_removal_by_hand() {
        let (registry, family) = streams();
        let _held = written_late(&family, "a");
        assert!(family.remove(["a"]), "the series counted as listed");
        assert_eq!(testing::value(&registry, "streams", &[]), None);
        assert!(!family.remove(["a"]));
    }

    #[test]
    fn a_late_value_without_room_is_counted() {
        let (registry, family) = streams();
        registry.configure(&Config::default().series_cap(2)).unwrap();
        let _held = written_late(&family, "a");
        family.set(["b"], 1.0);
        for _ in 0..2 {
            assert_eq!(testing::value(&registry, "streams", &[]), Some(1.0));
        }
        assert_eq!(testing::value(&registry, "hearthnet_metrics_overflow_total", &[]), Some(1.0));
    }

    #[test]
    fn a_late_value_waits_while_the_registry_is_off() {
        let (registry, family) = streams();
        let _held = written_late(&family, "a");
        registry.configure(&Config::default().enabled(false)).unwrap();
        assert_eq!(testing::value(&registry, "streams", &[]), None);
        registry.configure(&Config::default()).unwrap();
        assert_eq!(testing::value(&registry, "streams", &[]), Some(5.0));
    }

    #[test]
    fn series_that_nothing_holds_take_no_room() {
        let desc = Desc::new(Kind::Gauge, "streams", "", &["peer"]).unwrap();
        let series = || {
            let family: Weak<FamilyCore<GaugeCell>> = Weak::new();
            Arc::new(Series::new(family, GaugeCell::new(&desc), &["a"]))
        };
        let mut removed = Removed::new();
        let held: Vec<_> = (0..100).map(|_| series()).collect();
        held.iter().enumerate().for_each(|(hash, series)| removed.put(hash as u64, series));
        (0..10_000).for_each(|hash| removed.put(hash, &series()));
        assert!((100..=201).contains(&removed.rows.len()), "{} rows", removed.rows.len());
    }
}
