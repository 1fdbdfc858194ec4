//! Parts of a histogram: one that a single thread writes, one that any number of threads may write. Writers never wait; a
//! reader gets buckets and a sum that belong together, also under writers that never pause.

use std::time::Duration;

use crate::cell::histogram::native::{NativeCounts, Place};
use crate::cell::padded::Padded;
use crate::cell::sync::atomic::{AtomicU64, Ordering, fence};
use crate::cell::sync::{self, hint};

/// What a histogram held at one moment: counts by bucket (not cumulative, the last is `+Inf`) and the sum of exactly
/// those observations.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    pub(crate) counts: Vec<u64>,
    pub(crate) sum: f64,
    /// The same observations in native buckets, one part after the other; of a native histogram alone.
    pub(crate) native: Vec<(Place, u64)>,
}

impl Snapshot {
    pub(crate) fn empty(buckets: usize) -> Self {
        Self { counts: vec![0; buckets], sum: 0.0, native: Vec::new() }
    }

    pub(crate) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    fn add(&mut self, other: &Self) {
        self.sum += other.sum;
        self.counts.iter_mut().zip(&other.counts).for_each(|(own, other)| *own += other);
        self.native.extend(&other.native);
    }
}

/// Written by the one thread that owns it, by plain loads and stores.
///
/// A reader that finds as many writes begun after its reading as were done before it has seen no write half done. Where
/// the owner writes too often for that, the reader asks, and the owner copies sum and buckets for it after its next write.
#[derive(Debug)]
pub(crate) struct OwnedShard {
    words: Words,
    /// What the words hold, in native buckets, and as the owner copied it for a reader.
    native: Option<Box<[NativeCounts; 2]>>,
}

/// Words of an owned shard: how many writes have begun, how many are done, whether a reader asks, the sum's bits, the
/// buckets; then sum and buckets as the owner copied them for a reader. The first four and the lowest buckets share a cache
/// line.
const BEGUN: usize = 0;
const DONE: usize = 1;
const ASKED: usize = 2;
const SUM: usize = 3;

/// States of `ASKED`: a reader moves it from idle to waiting, the owner to answered, the reader back to idle.
const IDLE: u64 = 0;
const WAITING: u64 = 1;
const ANSWERED: u64 = 2;

impl OwnedShard {
    pub(crate) fn new(buckets: usize, is_native: bool) -> Self {
        Self { words: Words::new(SUM + 2 * (1 + buckets)), native: is_native.then(Box::default) }
    }

    /// For the owner alone. Returns the bucket's count before.
    #[inline]
    pub(crate) fn record(&self, bucket: usize, value: f64) -> u64 {
        match &self.native {
            None => self.write(bucket, value, || ()),
            Some(native) => self.record_native(native, bucket, value),
        }
    }

    /// A call of its own, out of the way: what it needs of registers is not for the others to pay.
    #[cold]
    #[inline(never)]
    fn record_native(&self, native: &[NativeCounts; 2], bucket: usize, value: f64) -> u64 {
        self.write(bucket, value, || native[0].count_alone(value))
    }

    #[inline(always)]
    fn write(&self, bucket: usize, value: f64, write_more: impl FnOnce()) -> u64 {
        let words = &self.words;
        let begun = words.at(BEGUN).load(Ordering::Relaxed) + 1;
        words.at(BEGUN).store(begun, Ordering::Relaxed);
        fence(Ordering::Release);
        let before = words.at(SUM + 1 + bucket).load(Ordering::Relaxed);
        words.at(SUM + 1 + bucket).store(before + 1, Ordering::Relaxed);
        let sum = f64::from_bits(words.at(SUM).load(Ordering::Relaxed)) + value;
        words.at(SUM).store(sum.to_bits(), Ordering::Relaxed);
        write_more();
        words.at(DONE).store(begun, Ordering::Release);
        if words.at(ASKED).load(Ordering::Relaxed) == WAITING {
            self.answer();
        }
        before
    }

    /// The owner is between two writes, so what it copies belongs together. It writes an answer only where one was asked
    /// for, and nobody asks again before it was read.
    #[cold]
    fn answer(&self) {
        // Whoever read the last answer has done so before this one is written.
        fence(Ordering::Acquire);
        let answer = self.answer_at();
        for index in SUM..answer {
            let word = self.words.at(index).load(Ordering::Relaxed);
            self.words.at(index - SUM + answer).store(word, Ordering::Relaxed);
        }
        if let Some(native) = &self.native {
            native[0].copy_to(&native[1]);
        }
        self.words.at(ASKED).store(ANSWERED, Ordering::Release);
    }

    /// Where the words of an answer begin.
    fn answer_at(&self) -> usize {
        (SUM + self.words.len()) / 2
    }

    /// Adds what the shard holds. One reader at a time may do so.
    pub(crate) fn add_to(&self, total: &mut Snapshot) {
        const ATTEMPTS: usize = if sync::IS_MODEL { 1 } else { 20 };
        let read = (0..ATTEMPTS).find_map(|_| self.between_writes());
        total.add(&read.unwrap_or_else(|| self.ask()));
    }

    /// What the shard holds, if its owner was between two writes all the while.
    fn between_writes(&self) -> Option<Snapshot> {
        let done = self.words.at(DONE).load(Ordering::Acquire);
        let read = self.snapshot(SUM, 0);
        fence(Ordering::Acquire);
        (self.words.at(BEGUN).load(Ordering::Relaxed) == done).then_some(read)
    }

    /// Waits for the owner's answer, or for a moment in which it does not write.
    #[cold]
    pub(crate) fn ask(&self) -> Snapshot {
        let asked = self.words.at(ASKED);
        asked.store(WAITING, Ordering::Release);
        let mut patience = Patience::default();
        let read = loop {
            if asked.load(Ordering::Acquire) == ANSWERED {
                break self.snapshot(self.answer_at(), 1);
            }
            if let Some(read) = self.between_writes() {
                break read;
            }
            patience.pause();
        };
        asked.store(IDLE, Ordering::Relaxed);
        read
    }

    /// Sum and buckets from this word on, and these native buckets.
    fn snapshot(&self, sum: usize, native: usize) -> Snapshot {
        let buckets = self.answer_at() - SUM - 1;
        let count = |bucket| self.words.at(sum + 1 + bucket).load(Ordering::Relaxed);
        let counts = (0..buckets).map(count).collect();
        let native = self.native.as_ref().map_or_else(Vec::new, |both| both[native].read());
        Snapshot { counts, sum: f64::from_bits(self.words.at(sum).load(Ordering::Relaxed)), native }
    }
}

/// Written by any number of threads, with locked instructions.
///
/// Writers count themselves in and write to the half that the same word names. A reader switches the halves, waits for
/// those who write to the old one, reads it, and adds it to the other (the way of Prometheus' Go client).
#[derive(Debug)]
pub(crate) struct SharedShard {
    /// How many writes have begun, and in the highest bit which half they go to.
    begun: AtomicU64,
    halves: [Words; 2],
    /// What each half holds, in native buckets.
    native: Option<Box<[NativeCounts; 2]>>,
}

/// Words of a half: how many writes are done, the sum's bits, then the buckets.
const HALF_DONE: usize = 0;
const HALF_SUM: usize = 1;
const HALF_BUCKETS: usize = 2;

const SECOND_HALF: u64 = 1 << 63;

impl SharedShard {
    pub(crate) fn new(buckets: usize, is_native: bool) -> Self {
        let halves = [(); 2].map(|()| Words::new(HALF_BUCKETS + buckets));
        Self { begun: AtomicU64::new(0), halves, native: is_native.then(Box::default) }
    }

    /// Returns the bucket's count before, or less just after a reading.
    pub(crate) fn record(&self, bucket: usize, value: f64) -> u64 {
        let begun = self.begun.fetch_add(1, Ordering::Acquire);
        let number = usize::from(begun & SECOND_HALF != 0);
        let half = &self.halves[number];
        let before = half.at(HALF_BUCKETS + bucket).fetch_add(1, Ordering::Relaxed);
        add_f64(half.at(HALF_SUM), value);
        if let Some(native) = &self.native {
            native[number].count_shared(value);
        }
        half.at(HALF_DONE).fetch_add(1, Ordering::Release);
        before
    }

    /// Adds what the shard holds. One reader at a time may do so.
    pub(crate) fn add_to(&self, total: &mut Snapshot) {
        let begun = self.begun.fetch_xor(SECOND_HALF, Ordering::AcqRel);
        let number = usize::from(begun & SECOND_HALF != 0);
        let (old, new) = (&self.halves[number], &self.halves[1 - number]);
        let mut patience = Patience::default();
        while old.at(HALF_DONE).load(Ordering::Acquire) != begun & !SECOND_HALF {
            patience.pause();
        }
        let sum = f64::from_bits(old.at(HALF_SUM).swap(0, Ordering::Relaxed));
        add_f64(new.at(HALF_SUM), sum);
        total.sum += sum;
        for (bucket, count) in total.counts.iter_mut().enumerate() {
            let moved = old.at(HALF_BUCKETS + bucket).swap(0, Ordering::Relaxed);
            new.at(HALF_BUCKETS + bucket).fetch_add(moved, Ordering::Relaxed);
            *count += moved;
        }
        if let Some(native) = &self.native {
            native[number].move_to(&native[1 - number], &mut total.native);
        }
        let done = old.at(HALF_DONE).swap(0, Ordering::Relaxed);
        new.at(HALF_DONE).fetch_add(done, Ordering::Release);
    }
}

fn add_f64(word: &AtomicU64, value: f64) {
    let add = |bits| Some((f64::from_bits(bits) + value).to_bits());
    _ = word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
}

/// Atomic words that share no cache line with anything else.
#[derive(Debug)]
struct Words {
    lines: Box<[Padded<[AtomicU64; 8]>]>,
    len: usize,
}

impl Words {
    fn new(len: usize) -> Self {
        Self { lines: (0..len.div_ceil(8)).map(|_| Padded::default()).collect(), len }
    }

    fn len(&self) -> usize {
        self.len
    }

    #[inline]
    fn at(&self, index: usize) -> &AtomicU64 {
        &self.lines[index / 8][index % 8]
    }
}

/// A reader waits for a writer that is in the middle of a few instructions: usually for nanoseconds, longer only where
/// the writer has lost its processor there.
#[derive(Debug, Default)]
struct Patience(u32);

impl Patience {
    fn pause(&mut self) {
        self.0 = self.0.saturating_add(1);
        match self.0 {
            ..100 => hint::spin_loop(),
            100..200 => sync::yield_now(),
            _ => sync::sleep(Duration::from_micros(50)),
        }
    }
}

#[cfg(all(test, not(obs_loom)))]
mod tests {
    use super::*;
    use crate::cell::raise::RaiseOnDrop;
    use std::sync::atomic::AtomicBool;
    use std::thread;

    /// Every observation is worth 2, so a sum that does not belong to its count shows at once. The writers never pause.
    fn check(is_native: bool, shards: usize, record: impl Fn(usize) + Sync, read: impl Fn() -> Snapshot) {
        let over = AtomicBool::new(false);
        let written: u64 = thread::scope(|scope| {
            let end = RaiseOnDrop(&over);
            let write = |number| {
                let mut written = 0_u64;
                while !over.load(Ordering::Relaxed) {
                    record(number);
                    written += 1;
                }
                written
            };
            let writers: Vec<_> = (0..shards).map(|number| scope.spawn(move || write(number))).collect();
            let mut last = 0;
            for _ in 0..READINGS {
                let read = read();
                assert_eq!(read.sum, 2.0 * read.count() as f64);
                let native: u64 = read.native.iter().map(|(_, count)| count).sum();
                assert_eq!(native, if is_native { read.count() } else { 0 });
                assert!(read.count() >= last, "no observation is seen and unseen again");
                last = read.count();
            }
            drop(end);
            writers.into_iter().map(|writer| writer.join().unwrap()).sum()
        });
        assert_eq!(read().count(), written);
    }

    const READINGS: usize = if cfg!(miri) { 20 } else { 2_000 };

    #[test]
    fn an_owned_shard_is_read_consistently_under_a_writer_that_never_pauses() {
        for is_native in [false, true] {
            let shard = OwnedShard::new(3, is_native);
            let read = || {
                let mut total = Snapshot::empty(3);
                shard.add_to(&mut total);
                total
            };
            check(is_native, 1, |_| _ = shard.record(1, 2.0), read);
        }
    }

    #[test]
    fn a_shared_shard_is_read_consistently_under_writers_that_never_pause() {
        for is_native in [false, true] {
            let shard = SharedShard::new(3, is_native);
            let read = || {
                let mut total = Snapshot::empty(3);
                shard.add_to(&mut total);
                total
            };
            check(is_native, 4, |number| _ = shard.record(number % 3, 2.0), read);
        }
    }
}
