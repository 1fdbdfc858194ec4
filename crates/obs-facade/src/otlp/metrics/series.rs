//! Series of the last collection: the times at which they began, and their values for differences.

use std::collections::HashMap;
use std::time::SystemTime;

use obs_metrics::{FamilySnapshot, HistogramValue, SampleValue, SeriesSnapshot};

/// Series that the last collection had. Their number is bounded by the registry's.
pub(super) struct Series {
    known: HashMap<Key, Known>,
    /// Time of the last collection, or the start of the registry before the first one.
    last: SystemTime,
    number: u64,
}

/// Name of the family, then names and values of the labels.
type Key = (String, Vec<(String, String)>);

struct Known {
    start: SystemTime,
    value: SampleValue,
    /// Number of the last collection that had the series.
    seen: u64,
}

/// Value of a series in a collection.
pub(super) struct Reading {
    /// Time from which the value counts.
    pub(super) start: SystemTime,
    pub(super) value: SampleValue,
}

impl Series {
    pub(super) fn since(start: SystemTime) -> Series {
        Series { known: HashMap::new(), last: start, number: 0 }
    }

    /// Returns the value since the series began, and the time of that. A series that is new or counts from 0 again began
    /// after the last collection.
    pub(super) fn cumulative(&mut self, family: &FamilySnapshot, series: &SeriesSnapshot) -> Reading {
        let (start, _) = self.note(family, series);
        Reading { start, value: series.value.clone() }
    }

    /// Returns the difference from the last collection.
    pub(super) fn delta(&mut self, family: &FamilySnapshot, series: &SeriesSnapshot) -> Reading {
        let start = self.last;
        let (_, before) = self.note(family, series);
        let difference = before.and_then(|before| difference(&series.value, &before));
        Reading { start, value: difference.unwrap_or_else(|| series.value.clone()) }
    }

    /// Remembers the value. Returns the start of the series and its value before, unless it began anew.
    fn note(
        &mut self,
        family: &FamilySnapshot,
        series: &SeriesSnapshot,
    ) -> (SystemTime, Option<SampleValue>) {
        let key = (family.name.clone(), series.labels.clone());
        let (last, number) = (self.last, self.number);
        let known = self.known.remove(&key).filter(|known| difference(&series.value, &known.value).is_some());
        let start = known.as_ref().map_or(last, |known| known.start);
        self.known.insert(key, Known { start, value: series.value.clone(), seen: number });
        (start, known.map(|known| known.value))
    }

    /// Ends a collection at this time, and forgets the series that it did not have.
    pub(super) fn end_collection(&mut self, now: SystemTime) {
        let number = self.number;
        self.known.retain(|_, known| known.seen == number);
        // A clock that was set back does not make an interval end before it begins.
        self.last = self.last.max(now);
        self.number += 1;
    }
}

/// Returns what came after `before`; `None` if `now` is no later reading of the same series.
fn difference(now: &SampleValue, before: &SampleValue) -> Option<SampleValue> {
    match (now, before) {
        (SampleValue::Counter(now), SampleValue::Counter(before)) => {
            (now >= before).then(|| SampleValue::Counter(now - before))
        }
        (SampleValue::Histogram(now), SampleValue::Histogram(before)) => {
            of_histogram(now, before).map(SampleValue::Histogram)
        }
        (SampleValue::Summary(now), SampleValue::Summary(before)) => {
            (now.count >= before.count).then(|| SampleValue::Summary(now.clone()))
        }
        (SampleValue::Gauge(now), _) => Some(SampleValue::Gauge(*now)),
        _ => None,
    }
}

fn of_histogram(now: &HistogramValue, before: &HistogramValue) -> Option<HistogramValue> {
    let mut between = now.clone();
    if now.bounds != before.bounds || now.counts.len() != before.counts.len() {
        return None;
    }
    for (count, before) in between.counts.iter_mut().zip(&before.counts) {
        *count = count.checked_sub(*before)?;
    }
    between.sum = now.sum - before.sum;
    between.native = match (&now.native, &before.native) {
        (Some(now), Some(before)) => Some(now.since(before)?),
        (Some(_), None) => return None,
        (None, _) => None,
    };
    Some(between)
}
