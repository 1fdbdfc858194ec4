//! Histograms: each thread writes a part of its own, and a reader adds the parts up.

pub(crate) mod native;
pub(crate) mod shard;

use std::cell::RefCell;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::LocalKey;
use std::time::Duration;

use crate::cell::exemplar::{self, ExemplarSlot};
use crate::cell::histogram::native::NativeBuckets;
use crate::cell::histogram::shard::{OwnedShard, SharedShard, Snapshot};
use crate::cell::thread_slot::{self, SLOTS};
use crate::exposition::format::Format;
use crate::exposition::protobuf::{self, Bucket};
use crate::exposition::text;
use crate::family::desc::{Desc, Kind};
use crate::family::lookup_cache::Cache;
use crate::family::series::{Cell, Part, Series};

/// A histogram of one series, to be held: clones observe into the same series.
///
/// NaN is not observed; it is counted apart, in `hearthnet_metrics_nan_total{metric}`.
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
    /// Records one value.
    #[inline]
    pub fn observe(&self, value: f64) {
        let Some(series) = &self.0 else { return };
        if value.is_nan() {
            return series.count_nan();
        }
        series.write(move |cell| cell.observe(value));
    }

    /// Records a duration in seconds.
    #[inline]
    pub fn observe_duration(&self, duration: Duration) {
        self.observe(duration.as_secs_f64());
    }

    /// How many values were observed; 0 for a handle that does nothing.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.as_ref().map_or(0, |series| series.cell.snapshot().count())
    }

    /// The sum of the values observed; 0 for a handle that does nothing.
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

/// One part for each thread that has a slot, made when it first observes, and one for all the others.
#[derive(Debug)]
pub struct HistogramCell {
    /// The upper bounds, filled up with infinity, which no value exceeds: counted through without a rest.
    bounds: Box<[[f64; 4]]>,
    buckets: usize,
    is_native: bool,
    owned: Box<[OnceLock<OwnedShard>]>,
    shared: OnceLock<SharedShard>,
    exemplars: OnceLock<Box<[ExemplarSlot]>>,
    /// Held while the parts are read: they bear one reader at a time. No writer takes it.
    reading: Mutex<()>,
}

impl HistogramCell {
    pub(crate) fn new(bounds: &[f64], is_native: bool) -> Self {
        let owned = (0..SLOTS).map(|_| OnceLock::new()).collect();
        let buckets = bounds.len() + 1;
        let four =
            |bounds: &[f64]| std::array::from_fn(|at| bounds.get(at).copied().unwrap_or(f64::INFINITY));
        let bounds = bounds.chunks(4).map(four).collect();
        Self {
            bounds,
            buckets,
            is_native,
            owned,
            shared: OnceLock::new(),
            exemplars: OnceLock::new(),
            reading: Mutex::new(()),
        }
    }

    #[inline]
    pub(crate) fn observe(&self, value: f64) {
        let bucket = self.bucket_of(value);
        let before = self.record(bucket, value);
        if exemplar::is_due(before, before + 1) {
            self.store_exemplar(bucket, value);
        }
    }

    /// Returns how many this thread, or the threads without a slot, had put into the bucket before.
    #[inline]
    pub(crate) fn record(&self, bucket: usize, value: f64) -> u64 {
        match thread_slot::current() {
            Some(slot) => self.owned[slot]
                .get_or_init(|| OwnedShard::new(self.buckets, self.is_native))
                .record(bucket, value),
            None => self.shared().record(bucket, value),
        }
    }

    fn shared(&self) -> &SharedShard {
        self.shared.get_or_init(|| SharedShard::new(self.buckets, self.is_native))
    }

    /// The index of the first bound that is not below `value`. Short lists are counted through without a branch.
    #[inline]
    fn bucket_of(&self, value: f64) -> usize {
        if self.bounds.len() <= 8 { below(&self.bounds, value) } else { self.bucket_of_many(value) }
    }

    #[inline(never)]
    fn bucket_of_many(&self, value: f64) -> usize {
        let fours = self.bounds.partition_point(|bounds| value > bounds[3]).min(self.bounds.len() - 1);
        4 * fours + below(&self.bounds[fours..=fours], value)
    }

    #[cold]
    fn store_exemplar(&self, bucket: usize, value: f64) {
        let slots =
            self.exemplars.get_or_init(|| (0..self.buckets).map(|_| ExemplarSlot::default()).collect());
        slots[bucket].store_current(value);
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let _one_reader = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let mut total = Snapshot::empty(self.buckets);
        self.owned.iter().filter_map(OnceLock::get).for_each(|shard| shard.add_to(&mut total));
        self.shared.get().into_iter().for_each(|shard| shard.add_to(&mut total));
        total
    }
}

/// How many bounds are below `value`. Four counts side by side, which a vector register holds, are added up at the end.
#[inline]
fn below(bounds: &[[f64; 4]], value: f64) -> usize {
    let mut below = [0_u64; 4];
    for bounds in bounds {
        for (below, bound) in below.iter_mut().zip(bounds) {
            *below += u64::from(value > *bound);
        }
    }
    below.iter().sum::<u64>() as usize
}

thread_local! {
    static CACHE: RefCell<Cache<HistogramCell>> = const { RefCell::new(Cache::new()) };
}

impl Cell for HistogramCell {
    const KIND: Kind = Kind::Histogram;

    fn new(desc: &Desc) -> Self {
        Self::new(&desc.bounds, desc.is_native())
    }

    fn cache() -> &'static LocalKey<RefCell<Cache<Self>>> {
        &CACHE
    }

    fn prefix(desc: &Desc, values: &[Box<str>], out: &mut String) {
        text::push_labels(out, &desc.labels, values);
    }

    type Reading = Snapshot;

    fn read(&self) -> Snapshot {
        self.snapshot()
    }

    fn encode(&self, snapshot: Snapshot, desc: &Desc, labels: &str, format: Format, out: &mut String) {
        let mut cumulative = 0;
        for (bucket, count) in snapshot.counts.iter().enumerate() {
            cumulative += count;
            text::push_sample_name(out, &desc.name, "_bucket", labels, &desc.bound_labels[bucket]);
            text::push_u64(out, cumulative);
            if format == Format::OpenMetrics
                && let Some(exemplar) = self.exemplars.get().and_then(|slots| slots[bucket].load())
            {
                text::push_exemplar(out, &exemplar);
            }
            out.push('\n');
        }
        // To OpenMetrics a histogram of values below zero has no sum, and without a sum no count: that is in `+Inf`.
        let is_counter = desc.bounds.first().is_none_or(|lowest| *lowest >= 0.0);
        if text::may_show_sum(format, snapshot.sum) && (is_counter || format != Format::OpenMetrics) {
            text::push_sum(out, &desc.name, labels, snapshot.sum);
            text::push_count(out, &desc.name, labels, cumulative);
        }
    }

    fn encode_protobuf(&self, snapshot: Snapshot, desc: &Desc, out: &mut Vec<u8>) {
        let exemplars = self.exemplars.get();
        let bounds = desc.bounds.iter().copied().chain([f64::INFINITY]);
        let mut cumulative = 0;
        let buckets = bounds.zip(&snapshot.counts).enumerate().map(|(bucket, (bound, count))| {
            cumulative += count;
            let exemplar = exemplars.and_then(|slots| slots[bucket].load());
            Bucket { bound, cumulative, exemplar }
        });
        let native = self.is_native.then(|| NativeBuckets::new(&snapshot.native));
        protobuf::push_histogram(out, snapshot.count(), snapshot.sum, buckets, native.as_ref());
    }

    fn number(snapshot: Snapshot, part: Part) -> Option<f64> {
        Some(match part {
            Part::Whole | Part::Count => snapshot.count() as f64,
            Part::Sum => snapshot.sum,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(bounds: &[f64]) -> HistogramCell {
        HistogramCell::new(bounds, false)
    }

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        let cell = cell(&[1.0, 2.0]);
        for value in [-5.0, 1.0, 1.5, 2.0, 2.1, f64::INFINITY] {
            cell.observe(value);
        }
        assert_eq!(cell.snapshot().counts, [2, 2, 2]);
    }

    #[test]
    fn long_lists_of_bounds_agree_with_short_ones() {
        let bounds: Vec<f64> = (0..100).map(f64::from).collect();
        let (long, short) = (cell(&bounds), cell(&bounds[..20]));
        for value in (-10..30).map(|step| f64::from(step) / 2.0) {
            assert_eq!(long.bucket_of(value), short.bucket_of(value), "{value}");
        }
    }
}
