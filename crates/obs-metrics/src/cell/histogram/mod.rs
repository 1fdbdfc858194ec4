//! Storage of a histogram. Each thread writes a part of its own, and a reader adds the parts up.

pub(crate) mod native;
pub(crate) mod owned_shard;
mod patience;
pub(crate) mod shared_shard;
pub(crate) mod snapshot;
#[cfg(all(test, not(obs_loom)))]
mod tests;
mod words;

use std::sync::{Mutex, OnceLock, PoisonError};

use self::native::native_buckets;
use self::owned_shard::OwnedShard;
use self::shared_shard::SharedShard;
use self::snapshot::Snapshot;
use super::exemplar::{self, ExemplarSlot};
use super::thread_slot::{self, SLOTS};
use super::{Cell, Observed};
use crate::desc::Desc;
use crate::exposition::format::Format;
use crate::exposition::protobuf::{self, Bucket};
use crate::exposition::text;
use crate::snapshot::{ExemplarSnapshot, HistogramValue, SampleValue};

/// Parts of a histogram: one for each thread slot, made when its thread first observes, and one for threads without a slot.
#[derive(Debug)]
pub struct HistogramCell {
    /// Upper bounds in groups of four, filled up with infinity, which no value exceeds. A vector register holds a group.
    bounds: Box<[[f64; 4]]>,
    buckets: usize,
    is_native: bool,
    owned: Box<[OnceLock<OwnedShard>]>,
    shared: OnceLock<SharedShard>,
    exemplars: OnceLock<Box<[ExemplarSlot]>>,
    /// Held by a reader, because a part allows one reader at a time. No writer takes it.
    reading: Mutex<()>,
}

impl Observed for HistogramCell {
    #[inline]
    fn observe(&self, value: f64) {
        let bucket = self.bucket_of(value);
        let before = self.record(bucket, value);
        if exemplar::is_due(before, before + 1) {
            self.store_exemplar(bucket, value);
        }
    }
}

impl HistogramCell {
    pub(crate) fn with_bounds(bounds: &[f64], is_native: bool) -> Self {
        let owned = (0..SLOTS).map(|_| OnceLock::new()).collect();
        let buckets = bounds.len() + 1;
        let group =
            |bounds: &[f64]| std::array::from_fn(|at| bounds.get(at).copied().unwrap_or(f64::INFINITY));
        let bounds = bounds.chunks(4).map(group).collect();
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

    /// Returns the previous count of the bucket in the part that this thread writes.
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

    /// Returns the index of the first bound that is not below `value`. Up to 32 bounds are all compared, without a branch:
    /// that is faster than a search, whose branches depend on the value.
    #[inline]
    fn bucket_of(&self, value: f64) -> usize {
        if self.bounds.len() <= 8 { bounds_below(&self.bounds, value) } else { self.search_bucket(value) }
    }

    #[inline(never)]
    fn search_bucket(&self, value: f64) -> usize {
        // A value beyond all bounds falls into the last group, whose padding with infinity it does not exceed.
        let groups = self.bounds.partition_point(|bounds| value > bounds[3]).min(self.bounds.len() - 1);
        4 * groups + bounds_below(&self.bounds[groups..=groups], value)
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

/// Returns the number of bounds below `value`.
#[inline]
fn bounds_below(bounds: &[[f64; 4]], value: f64) -> usize {
    // Four sums side by side let the compiler use vector instructions.
    let mut below = [0_u64; 4];
    for bounds in bounds {
        for (below, bound) in below.iter_mut().zip(bounds) {
            *below += u64::from(value > *bound);
        }
    }
    below.iter().sum::<u64>() as usize
}

/// Writes the native buckets as VictoriaMetrics reads them: each with its own count, and without empty ones.
fn encode_ranges(snapshot: &Snapshot, desc: &Desc, labels: &str, out: &mut String) {
    for (lower, upper, count) in native_buckets(&snapshot.native).limit().buckets() {
        text::push_sample_name(out, &desc.name, "_bucket", labels, &text::vmrange(lower, upper));
        text::push_u64(out, count);
        out.push('\n');
    }
    text::push_sum(out, &desc.name, labels, snapshot.sum);
    text::push_count(out, &desc.name, labels, snapshot.count());
}

impl Cell for HistogramCell {
    type Reading = Snapshot;

    fn new(desc: &Desc) -> Self {
        Self::with_bounds(&desc.bounds, desc.is_native())
    }

    fn prefix(desc: &Desc, values: &[Box<str>], out: &mut String) {
        text::push_labels(out, &desc.labels, values);
    }

    fn read(&self) -> Snapshot {
        self.snapshot()
    }

    fn encode(&self, snapshot: &Snapshot, desc: &Desc, labels: &str, format: Format, out: &mut String) {
        if self.is_native && format == Format::VmRange {
            return encode_ranges(snapshot, desc, labels, out);
        }
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
        // OpenMetrics forbids the sum of a histogram with bounds below zero, and a count without a sum. The `+Inf` bucket
        // has the count.
        let has_sum = desc.bounds.first().is_none_or(|lowest| *lowest >= 0.0);
        if text::may_show_sum(format, snapshot.sum) && (has_sum || format != Format::OpenMetrics) {
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
        // Also for an empty series: a server judges a family by its first series.
        let native = self.is_native.then(|| native_buckets(&snapshot.native).limit());
        protobuf::push_histogram(out, snapshot.count(), snapshot.sum, buckets, native.as_ref());
    }

    fn value_of(&self, snapshot: Snapshot, desc: &Desc) -> SampleValue {
        SampleValue::Histogram(HistogramValue {
            bounds: desc.bounds.to_vec(),
            counts: snapshot.counts,
            sum: snapshot.sum,
            native: self.is_native.then(|| native_buckets(&snapshot.native)),
        })
    }

    fn newest_exemplar(&self) -> Option<ExemplarSnapshot> {
        let exemplars = self.exemplars.get()?.iter().filter_map(ExemplarSlot::load);
        exemplars.max_by_key(|exemplar| exemplar.at).map(Into::into)
    }
}
