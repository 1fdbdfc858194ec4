//! Part of a histogram that any number of threads write.

use super::native::NativeCounts;
use super::patience::Patience;
use super::snapshot::Snapshot;
use super::words::Words;
use crate::cell::sync::atomic::{AtomicU64, Ordering};

/// Counts and a sum that threads write by locked instructions. Writers never wait.
///
/// There are two halves. A writer counts itself in, which also tells it the half to write to. A reader switches the halves,
/// waits for the writers of the old half, reads that half, and adds it to the other one. Prometheus' Go client works the
/// same way.
#[derive(Debug)]
pub(crate) struct SharedShard {
    /// Number of writes that have begun. The highest bit names the half that they go to.
    begun: AtomicU64,
    halves: [Words; 2],
    /// Native buckets of each half.
    native: Option<Box<[NativeCounts; 2]>>,
}

// Words of a half: the number of writes that have ended, the bits of the sum, then the buckets.
const DONE: usize = 0;
const SUM: usize = 1;
const BUCKETS: usize = 2;

const SECOND_HALF: u64 = 1 << 63;

impl SharedShard {
    pub(crate) fn new(buckets: usize, is_native: bool) -> Self {
        let halves = [(); 2].map(|()| Words::new(BUCKETS + buckets));
        Self { begun: AtomicU64::new(0), halves, native: is_native.then(Box::default) }
    }

    /// Records a value. Returns the previous count of the bucket, which is lower just after a reading.
    pub(crate) fn record(&self, bucket: usize, value: f64) -> u64 {
        // Acquire pairs with the release half of the switch in `add_to`: a writer that sees the half emptied by the last
        // reading adds to it after it was emptied.
        let begun = self.begun.fetch_add(1, Ordering::Acquire);
        let number = usize::from(begun & SECOND_HALF != 0);
        let half = &self.halves[number];
        // Relaxed: DONE below publishes the writes of this record together.
        let before = half.at(BUCKETS + bucket).fetch_add(1, Ordering::Relaxed);
        add_f64(half.at(SUM), value);
        if let Some(native) = &self.native {
            native[number].count_shared(value);
        }
        // Release pairs with the acquire load in `add_to`: a reader that counts this write sees all of it.
        half.at(DONE).fetch_add(1, Ordering::Release);
        before
    }

    /// Adds the contents to `total`. One reader at a time may call this.
    pub(crate) fn add_to(&self, total: &mut Snapshot) {
        // Release publishes that the new half was emptied by the last reading. Acquire keeps the accesses below from moving
        // before the switch.
        let begun = self.begun.fetch_xor(SECOND_HALF, Ordering::AcqRel);
        let number = usize::from(begun & SECOND_HALF != 0);
        let (old, new) = (&self.halves[number], &self.halves[1 - number]);
        let mut patience = Patience::default();
        // Acquire pairs with the release of each writer: all writes of the old half are visible.
        while old.at(DONE).load(Ordering::Acquire) != begun & !SECOND_HALF {
            patience.pause();
        }
        // Relaxed from here on: no writer uses the old half any more, and sums in the new one have no order.
        let sum = f64::from_bits(old.at(SUM).swap(0, Ordering::Relaxed));
        add_f64(new.at(SUM), sum);
        total.sum += sum;
        for (bucket, count) in total.counts.iter_mut().enumerate() {
            let moved = old.at(BUCKETS + bucket).swap(0, Ordering::Relaxed);
            new.at(BUCKETS + bucket).fetch_add(moved, Ordering::Relaxed);
            *count += moved;
        }
        if let Some(native) = &self.native {
            native[number].move_to(&native[1 - number], &mut total.native);
        }
        let done = old.at(DONE).swap(0, Ordering::Relaxed);
        // Release, as for a writer: a reader that sees this number sees what was moved.
        new.at(DONE).fetch_add(done, Ordering::Release);
    }
}

fn add_f64(word: &AtomicU64, value: f64) {
    let add = |bits| Some((f64::from_bits(bits) + value).to_bits());
    // Relaxed: only the sum itself matters; the caller publishes it.
    _ = word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
}
