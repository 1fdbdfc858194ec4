//! Histogram of a row, and the sum of those of many rows.

use obs_metrics::NativeBuckets;

use super::buckets::{self, Pairs};
use super::rows::Value;

/// Zero threshold of all histograms of obs-metrics.
const ZERO_THRESHOLD: f64 = 1.0 / (1_u128 << 64) as f64;

/// Prometheus' range of resolutions. One beyond it would take forever to merge.
const SCHEMAS: std::ops::RangeInclusive<i32> = -4..=8;

/// Histogram whose buckets are in order of their indexes. One takes the rows of a statement one after the other, without an
/// allocation for each.
#[derive(Clone, Debug, Default)]
pub(super) struct Histogram {
    sum: f64,
    schema: i32,
    zero: u64,
    positive: Pairs,
    negative: Pairs,
}

impl Histogram {
    /// Takes the values of a row in place of its own. `None` if the row has an unknown form.
    pub(super) fn read(&mut self, row: &rusqlite::Row<'_>) -> Option<()> {
        self.sum = row.get(3).ok()?;
        self.schema = row.get(4).ok().filter(|schema| SCHEMAS.contains(schema))?;
        self.zero = row.get::<_, i64>(5).ok()?.max(0).unsigned_abs();
        buckets::read(row.get_ref(6).ok()?.as_bytes().ok()?, &mut self.positive)?;
        match row.get_ref(7).ok()?.as_bytes_or_null().ok()? {
            Some(text) => buckets::read(text, &mut self.negative),
            None => {
                self.negative.clear();
                Some(())
            }
        }
    }

    /// Adds the observations of another one.
    pub(super) fn add(&mut self, other: &Histogram) {
        self.sum += other.sum;
        if self.schema == other.schema {
            self.zero = self.zero.saturating_add(other.zero);
            buckets::add(&mut self.positive, &other.positive);
            buckets::add(&mut self.negative, &other.negative);
            return;
        }
        // Seldom: the values of one of the two lie very far apart.
        let mut merged = self.buckets();
        merged.merge(&other.buckets());
        (self.schema, self.zero) = (merged.schema, merged.zero);
        self.positive = merged.positive.into_iter().collect();
        self.negative = merged.negative.into_iter().collect();
    }

    /// Returns the number of buckets.
    pub(super) fn len(&self) -> usize {
        self.positive.len() + self.negative.len()
    }

    fn buckets(&self) -> NativeBuckets {
        let mut buckets = NativeBuckets::empty(self.schema, ZERO_THRESHOLD);
        buckets.zero = self.zero;
        buckets.positive = self.positive.iter().copied().collect();
        buckets.negative = self.negative.iter().copied().collect();
        buckets
    }

    pub(super) fn value(&self) -> Value {
        Value::Histogram { sum: self.sum, buckets: self.buckets() }
    }
}
