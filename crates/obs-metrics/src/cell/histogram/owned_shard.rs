//! Part of a histogram that one thread writes.

use super::native::NativeCounts;
use super::patience::Patience;
use super::snapshot::Snapshot;
use super::words::Words;
use crate::cell::sync;
use crate::cell::sync::atomic::{Ordering, fence};

/// Counts and a sum that their owner writes with plain loads and stores. The owner never waits.
///
/// A reader must get buckets and a sum that belong together. It compares the number of writes that had ended before its
/// reading with the number that had begun by the end of it. If they are equal, it has seen no write half done. If the owner
/// writes too often for that, the reader asks, and the owner copies sum and buckets for it after its next write.
#[derive(Debug)]
pub(crate) struct OwnedShard {
    words: Words,
    /// Native buckets of the words, and the copy that the owner made for a reader.
    native: Option<Box<[NativeCounts; 2]>>,
}

// Layout of the words: the four below, the buckets, then sum and buckets as the owner copied them for a reader. A write
// touches the first four and one bucket, so the lowest buckets share a cache line with them.

/// Number of writes that have begun.
const BEGUN: usize = 0;
/// Number of writes that have ended.
const DONE: usize = 1;
/// State of the request for a copy.
const ASKED: usize = 2;
/// Bits of the sum.
const SUM: usize = 3;

// States of `ASKED`. A reader moves it from idle to waiting, the owner to answered, the reader back to idle.
const IDLE: u64 = 0;
const WAITING: u64 = 1;
const ANSWERED: u64 = 2;

impl OwnedShard {
    pub(crate) fn new(buckets: usize, is_native: bool) -> Self {
        Self { words: Words::new(SUM + 2 * (1 + buckets)), native: is_native.then(Box::default) }
    }

    /// Records a value. Only the owner may call this. Returns the previous count of the bucket.
    #[inline]
    pub(crate) fn record(&self, bucket: usize, value: f64) -> u64 {
        match &self.native {
            None => self.write(bucket, value, || ()),
            Some(native) => self.record_native(native, bucket, value),
        }
    }

    /// Kept out of line: inlined, the registers that it needs would slow down histograms that are not native.
    #[cold]
    #[inline(never)]
    fn record_native(&self, native: &[NativeCounts; 2], bucket: usize, value: f64) -> u64 {
        self.write(bucket, value, || native[0].count_as_owner(value))
    }

    #[inline(always)]
    fn write(&self, bucket: usize, value: f64, write_more: impl FnOnce()) -> u64 {
        let words = &self.words;
        // Relaxed loads: the owner reads words that only it writes.
        let begun = words.at(BEGUN).load(Ordering::Relaxed) + 1;
        words.at(BEGUN).store(begun, Ordering::Relaxed);
        // Pairs with the fence in `between_writes`: a reader that sees one of the stores below sees the new BEGUN too.
        fence(Ordering::Release);
        let before = words.at(SUM + 1 + bucket).load(Ordering::Relaxed);
        words.at(SUM + 1 + bucket).store(before + 1, Ordering::Relaxed);
        let sum = f64::from_bits(words.at(SUM).load(Ordering::Relaxed)) + value;
        words.at(SUM).store(sum.to_bits(), Ordering::Relaxed);
        write_more();
        // Release: a reader that sees this number sees all stores of the writes that it counts.
        words.at(DONE).store(begun, Ordering::Release);
        // Relaxed: the request carries no data. A request that is seen one write later is answered one write later.
        if words.at(ASKED).load(Ordering::Relaxed) == WAITING {
            self.answer();
        }
        before
    }

    /// Copies sum and buckets for a reader. The owner is between two writes, so the copy belongs together.
    #[cold]
    fn answer(&self) {
        // Pairs with the release store of WAITING in `ask`: the reader has read the previous copy before this one
        // overwrites it.
        fence(Ordering::Acquire);
        let answer = self.answer_at();
        for index in SUM..answer {
            let word = self.words.at(index).load(Ordering::Relaxed);
            self.words.at(index - SUM + answer).store(word, Ordering::Relaxed);
        }
        if let Some(native) = &self.native {
            native[0].copy_to(&native[1]);
        }
        // Release: a reader that sees ANSWERED sees the whole copy.
        self.words.at(ASKED).store(ANSWERED, Ordering::Release);
    }

    /// Index of the first word of the copy.
    fn answer_at(&self) -> usize {
        (SUM + self.words.len()) / 2
    }

    /// Adds the contents to `total`. One reader at a time may call this.
    pub(crate) fn add_to(&self, total: &mut Snapshot) {
        // Readings before the reader asks. An owner that pauses at all is met between two writes within a few of them. A
        // model of loom has one, because more multiply the orders to check.
        const ATTEMPTS: usize = if sync::IS_MODEL { 1 } else { 20 };
        let read = (0..ATTEMPTS).find_map(|_| self.between_writes());
        total.add(&read.unwrap_or_else(|| self.ask()));
    }

    /// Returns the contents if the owner was between two writes during the whole reading.
    fn between_writes(&self) -> Option<Snapshot> {
        // Acquire pairs with the release store of DONE: the reading sees at least the writes that have ended.
        let done = self.words.at(DONE).load(Ordering::Acquire);
        let read = self.snapshot(SUM, 0);
        // Pairs with the fence in `write`: if the reading saw a store of a later write, the load below sees its BEGUN.
        fence(Ordering::Acquire);
        (self.words.at(BEGUN).load(Ordering::Relaxed) == done).then_some(read)
    }

    /// Asks the owner for a copy. Returns it, or the contents if the owner stops writing meanwhile.
    #[cold]
    pub(crate) fn ask(&self) -> Snapshot {
        let asked = self.words.at(ASKED);
        // Release pairs with the fence in `answer`: the owner overwrites the previous copy only after it was read.
        asked.store(WAITING, Ordering::Release);
        let mut patience = Patience::default();
        let read = loop {
            // Acquire pairs with the release store of ANSWERED: the whole copy is visible.
            if asked.load(Ordering::Acquire) == ANSWERED {
                break self.snapshot(self.answer_at(), 1);
            }
            if let Some(read) = self.between_writes() {
                break read;
            }
            patience.pause();
        };
        // Relaxed: the owner does nothing on IDLE, and the lock of the readers orders this store before the next request.
        asked.store(IDLE, Ordering::Relaxed);
        read
    }

    /// Reads sum and buckets from the word `sum` on, and the native buckets with this index.
    ///
    /// Relaxed loads: the callers order them against the owner's stores.
    fn snapshot(&self, sum: usize, native: usize) -> Snapshot {
        let buckets = self.answer_at() - SUM - 1;
        let count = |bucket| self.words.at(sum + 1 + bucket).load(Ordering::Relaxed);
        let counts = (0..buckets).map(count).collect();
        let native = self.native.as_ref().map_or_else(Vec::new, |both| both[native].read());
        Snapshot { counts, sum: f64::from_bits(self.words.at(sum).load(Ordering::Relaxed)), native }
    }
}
