//! Histograms: each thread writes a part of its own, and a reader gets buckets and sum that belong together.

use std::cell::RefCell;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::sync::{Arc, OnceLock};
use std::thread::LocalKey;
use std::time::Duration;

use crate::cache::Cache;
use crate::desc::{Desc, Kind};
use crate::exemplar::{self, ExemplarSlot};
use crate::format::Format;
use crate::series::{Cell, Part, Series};
use crate::slot::{self, SLOTS};
use crate::text;

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
        series.write(|cell| cell.observe(value));
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

/// What a histogram held at one moment: counts by bucket (not cumulative, the last is `+Inf`) and the sum of exactly
/// those observations.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    pub(crate) counts: Vec<u64>,
    pub(crate) sum: f64,
}

impl Snapshot {
    pub(crate) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// One part for each thread that has a slot, made when it first observes, and one for all the others.
#[derive(Debug)]
pub struct HistogramCell {
    bounds: Arc<[f64]>,
    owned: Box<[OnceLock<Shard>]>,
    shared: OnceLock<Shard>,
    exemplars: OnceLock<Box<[ExemplarSlot]>>,
}

impl HistogramCell {
    pub(crate) fn with_bounds(bounds: Arc<[f64]>) -> Self {
        let owned = (0..SLOTS).map(|_| OnceLock::new()).collect();
        Self { bounds, owned, shared: OnceLock::new(), exemplars: OnceLock::new() }
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
        match slot::current() {
            Some(slot) => self.shard(&self.owned[slot]).record_alone(bucket, value),
            None => self.shard(&self.shared).record_shared(bucket, value),
        }
    }

    /// The index of the first bound that is not below `value`. Short lists are counted through without a branch.
    #[inline]
    fn bucket_of(&self, value: f64) -> usize {
        match self.bounds.len() {
            0..=32 => self.bounds.iter().map(|bound| usize::from(value > *bound)).sum(),
            _ => self.bounds.partition_point(|bound| value > *bound),
        }
    }

    #[inline]
    fn shard<'a>(&self, place: &'a OnceLock<Shard>) -> &'a Shard {
        place.get_or_init(|| Shard::new(self.bounds.len() + 1))
    }

    #[cold]
    fn store_exemplar(&self, bucket: usize, value: f64) {
        let slots =
            self.exemplars.get_or_init(|| (0..=self.bounds.len()).map(|_| ExemplarSlot::default()).collect());
        slots[bucket].store_current(value);
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let mut total = Snapshot { counts: vec![0; self.bounds.len() + 1], sum: 0.0 };
        for shard in self.owned.iter().chain([&self.shared]).filter_map(OnceLock::get) {
            shard.add_to(&mut total);
        }
        total
    }
}

#[repr(align(64))]
#[derive(Debug, Default)]
struct Line([AtomicU64; 8]);

/// Words of a shard: how many writes have begun, how many are done, the sum's bits, then the buckets.
///
/// A reader that finds as many writes begun after its reading as were done before it has seen no write half done.
#[derive(Debug)]
struct Shard(Box<[Line]>);

const BEGUN: usize = 0;
const DONE: usize = 1;
const SUM: usize = 2;
const BUCKETS: usize = 3;

impl Shard {
    fn new(buckets: usize) -> Self {
        Self((0..(BUCKETS + buckets).div_ceil(8)).map(|_| Line::default()).collect())
    }

    #[inline]
    fn word(&self, index: usize) -> &AtomicU64 {
        &self.0[index / 8].0[index % 8]
    }

    /// For the one thread that owns this shard: plain loads and stores. Returns the bucket's count before.
    #[inline]
    fn record_alone(&self, bucket: usize, value: f64) -> u64 {
        let begun = self.word(BEGUN).load(Ordering::Relaxed) + 1;
        self.word(BEGUN).store(begun, Ordering::Relaxed);
        fence(Ordering::Release);
        let before = self.word(BUCKETS + bucket).load(Ordering::Relaxed);
        self.word(BUCKETS + bucket).store(before + 1, Ordering::Relaxed);
        let sum = f64::from_bits(self.word(SUM).load(Ordering::Relaxed)) + value;
        self.word(SUM).store(sum.to_bits(), Ordering::Relaxed);
        self.word(DONE).store(begun, Ordering::Release);
        before
    }

    /// For any number of threads at once.
    fn record_shared(&self, bucket: usize, value: f64) -> u64 {
        self.word(BEGUN).fetch_add(1, Ordering::Relaxed);
        fence(Ordering::Release);
        let before = self.word(BUCKETS + bucket).fetch_add(1, Ordering::Relaxed);
        let add = |bits| (f64::from_bits(bits) + value).to_bits();
        let mut sum = self.word(SUM).load(Ordering::Relaxed);
        while let Err(now) =
            self.word(SUM).compare_exchange_weak(sum, add(sum), Ordering::Relaxed, Ordering::Relaxed)
        {
            sum = now;
        }
        self.word(DONE).fetch_add(1, Ordering::Release);
        before
    }

    /// Reads until nothing was written meanwhile. Writers are never held up; under writers that never pause, the last
    /// reading stands, whose buckets still add up to its count.
    fn add_to(&self, total: &mut Snapshot) {
        const ATTEMPTS: usize = 1000;
        let mut counts = vec![0; total.counts.len()];
        let mut sum = 0.0;
        for attempt in 0..ATTEMPTS {
            let done = self.word(DONE).load(Ordering::Acquire);
            for (bucket, count) in counts.iter_mut().enumerate() {
                *count = self.word(BUCKETS + bucket).load(Ordering::Relaxed);
            }
            sum = f64::from_bits(self.word(SUM).load(Ordering::Relaxed));
            fence(Ordering::Acquire);
            if self.word(BEGUN).load(Ordering::Relaxed) == done {
                break;
            }
            if attempt % 100 == 99 {
                std::thread::yield_now();
            }
            std::hint::spin_loop();
        }
        total.sum += sum;
        total.counts.iter_mut().zip(&counts).for_each(|(total, count)| *total += count);
    }
}

thread_local! {
    static CACHE: RefCell<Cache<HistogramCell>> = const { RefCell::new(Cache::new()) };
}

impl Cell for HistogramCell {
    const KIND: Kind = Kind::Histogram;

    fn new(desc: &Desc) -> Self {
        Self::with_bounds(desc.bounds.clone())
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
        text::push_sum_and_count(out, &desc.name, labels, snapshot.sum, cumulative);
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
    use std::sync::atomic::AtomicBool;

    fn cell(bounds: &[f64]) -> HistogramCell {
        HistogramCell::with_bounds(bounds.into())
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

    /// Every observation is worth 2, so a sum that does not belong to its count shows at once.
    #[test]
    fn sum_and_count_of_a_snapshot_belong_together() {
        let cell = cell(&[1.0, 3.0]);
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !over.load(Ordering::Relaxed) {
                        (0..50).for_each(|_| cell.observe(2.0));
                        std::thread::yield_now();
                    }
                });
            }
            for _ in 0..2000 {
                let snapshot = cell.snapshot();
                assert_eq!(snapshot.sum, 2.0 * snapshot.count() as f64);
            }
            over.store(true, Ordering::Relaxed);
        });
    }

    #[test]
    fn threads_without_a_slot_lose_nothing() {
        let cell = cell(&[1.0]);
        let shard = cell.shard(&cell.shared);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..10_000).for_each(|_| _ = shard.record_shared(0, 0.5)));
            }
        });
        assert_eq!(cell.snapshot(), Snapshot { counts: vec![40_000, 0], sum: 20_000.0 });
    }
}
