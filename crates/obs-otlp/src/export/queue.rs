//! Queue of the items to export. Bounded, and no thread that offers an item waits for it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::item::Item;
use super::stats::{Count, Counts, Stats};
use crate::config::Config;

/// Queue between the threads that offer items, the worker, and the callers of `flush` and `shutdown`.
///
/// The lock is held for a few instructions at a time, never while a request is made, encoded or dropped.
pub(super) struct Queue<T> {
    // `counts` change under this lock too, so that a reader who holds it finds each item in exactly one count.
    state: Mutex<State<T>>,
    /// Notifies the worker of work.
    wake: Condvar,
    /// Notifies callers of `flush` and `close` of progress.
    done: Condvar,
    pub(super) counts: Counts,
    /// Whether no further item finds room, so that it is refused without the lock. Written under the lock, read without.
    is_full: AtomicBool,
    /// Items that were refused without the lock. Each counts as offered and as dropped.
    refused: Count,
    /// Whether the items come from a feed. The worker fills the queue then, and only to empty it at once.
    is_fed: bool,
    batch_units: usize,
    request_units: usize,
    max_items: usize,
    max_bytes: usize,
    interval: Duration,
}

struct State<T> {
    items: VecDeque<Queued<T>>,
    units: usize,
    bytes: usize,
    /// Items that were ever queued.
    taken_in: u64,
    /// Items that have been dealt with. They leave in the order in which they came.
    settled: u64,
    /// Items up to this number are sent without waiting for a full batch.
    urgent: u64,
    /// Earliest time for a batch that does not fill a request.
    not_before: Option<Instant>,
    flushes: u64,
    /// Flushes for which the feed was asked, and whose items have been dealt with.
    fed_flushes: u64,
    /// Whether the feed was asked after the order to end.
    is_fed_last: bool,
    /// Value of `flushes` when the last request that failed was begun.
    failed_flushes: u64,
    /// End of the worker's time, once it was told to end.
    deadline: Option<Instant>,
    has_ended: bool,
}

/// Item with its size, which the item itself may have in memory that is slow to reach.
struct Queued<T> {
    item: T,
    units: u32,
    bytes: u32,
}

impl<T: Item> Queued<T> {
    fn new(item: T) -> Queued<T> {
        // An item of more than 4 GiB counts as one of 4 GiB.
        let size = |size| u32::try_from(size).unwrap_or(u32::MAX);
        Queued { units: size(item.units()), bytes: size(item.bytes()), item }
    }

    fn units(&self) -> usize {
        self.units as usize
    }

    fn bytes(&self) -> usize {
        self.bytes as usize
    }
}

/// Items of a request.
pub(super) struct Batch<T> {
    pub(super) items: Vec<T>,
    pub(super) units: usize,
}

/// Next step of the worker.
pub(super) enum Next<T> {
    Export(Batch<T>),
    /// A flush or the end waits for the items of the feed.
    Feed,
    /// The time has come at which the worker asked to be woken.
    Wake,
    End,
}

/// Maximum memory of the items in a request. Collectors accept bodies of a few MiB, so items with much text make smaller
/// batches.
const MAX_BATCH_BYTES: usize = 2 << 20;

/// Minimum time between two requests that are not full. Under load it makes requests fewer and larger.
const PAUSE: Duration = Duration::from_millis(20);

impl<T> Default for State<T> {
    fn default() -> State<T> {
        State {
            items: VecDeque::new(),
            units: 0,
            bytes: 0,
            taken_in: 0,
            settled: 0,
            urgent: 0,
            not_before: None,
            flushes: 0,
            fed_flushes: 0,
            is_fed_last: false,
            failed_flushes: 0,
            deadline: None,
            has_ended: false,
        }
    }
}

impl<T: Item> Queue<T> {
    pub(super) fn new(config: &Config, is_fed: bool) -> Queue<T> {
        Queue {
            state: Mutex::default(),
            wake: Condvar::new(),
            done: Condvar::new(),
            counts: Counts::default(),
            is_full: AtomicBool::new(false),
            refused: Count::default(),
            is_fed,
            batch_units: config.batch_items,
            request_units: config.request_items.max(config.batch_items),
            max_items: config.queue_items,
            max_bytes: config.queue_bytes,
            interval: config.interval,
        }
    }

    /// Updates `is_full`. To be called under the lock after every change of the queue.
    fn note_room(&self, state: &State<T>) {
        // Every item takes at least this, so with less room the next one is refused anyway.
        let is_full = state.items.len() >= self.max_items || state.bytes + T::MIN_BYTES > self.max_bytes;
        // Relaxed: a hint, see `offer`.
        self.is_full.store(is_full, Ordering::Relaxed);
    }

    /// Waits for the next step: for enough items, the end of the interval, a flush, or `wake_at`.
    pub(super) fn next(&self, wake_at: Option<Instant>) -> Next<T> {
        let mut tick = Instant::now() + self.interval;
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            let is_full = state.units >= self.batch_units;
            let is_due = state.units >= self.request_units
                || self.is_fed
                || is_full && state.not_before.is_none_or(|time| now >= time)
                || state.settled < state.urgent
                || state.deadline.is_some()
                || now >= tick;
            if is_due && !state.items.is_empty() {
                let batch = state.take_batch(self.request_units);
                self.note_room(&state);
                state.not_before = Some(now + PAUSE);
                return Next::Export(batch);
            }
            if self.is_fed && state.wants_feed() {
                return Next::Feed;
            }
            if state.deadline.is_some() {
                return Next::End;
            }
            if wake_at.is_some_and(|wake_at| now >= wake_at) {
                return Next::Wake;
            }
            // The interval is over and nothing waits.
            if now >= tick {
                tick = now + self.interval;
            }
            let next_batch = state.not_before.filter(|_| is_full);
            let until = [wake_at, next_batch].into_iter().flatten().fold(tick, Instant::min);
            state = wait(&self.wake, state, until - now);
        }
    }

    /// Notes that the feed was asked and that its items have been dealt with, for this many flushes and perhaps for the end.
    pub(super) fn note_fed(&self, flushes: u64, is_last: bool) {
        let mut state = self.lock();
        state.fed_flushes = flushes;
        state.is_fed_last |= is_last;
        self.done.notify_all();
    }

    /// Takes out all that waits.
    pub(super) fn take_all(&self) -> Batch<T> {
        let mut state = self.lock();
        let batch = state.take_batch(usize::MAX);
        self.note_room(&state);
        batch
    }

    /// Returns whether a request can be filled, in units or in bytes.
    pub(super) fn fills_request(&self) -> bool {
        let state = self.lock();
        // Half of the bytes: the next item may be as large as a request.
        state.units >= self.request_units || state.bytes >= (MAX_BATCH_BYTES / 2).min(self.max_bytes / 2)
    }

    /// Notes that the first `items` have been dealt with, and counts them by `count`.
    pub(super) fn settle(&self, items: usize, count: impl FnOnce(&Counts)) {
        let mut state = self.lock();
        state.settled += items as u64;
        count(&self.counts);
        self.done.notify_all();
    }

    /// Returns the number of flushes so far.
    pub(super) fn flushes(&self) -> u64 {
        self.lock().flushes
    }

    /// Returns the time that the worker has left. `None` if it was not told to end.
    pub(super) fn time_left(&self) -> Option<Duration> {
        let deadline = self.lock().deadline?;
        Some(deadline.saturating_duration_since(Instant::now()))
    }

    /// Waits for `delay`, for a flush that `flushes` does not count, or for the order to end.
    pub(super) fn pause(&self, delay: Duration, flushes: u64) {
        let end = Instant::now() + delay;
        let mut state = self.lock();
        while state.deadline.is_none() && state.flushes == flushes {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = wait(&self.wake, state, left);
        }
    }

    /// Notes that a request failed that was begun after this many flushes. None of these waits any longer.
    pub(super) fn fail_flushes(&self, flushes: u64) {
        self.lock().failed_flushes = flushes;
        self.done.notify_all();
    }

    /// Has all queued items exported, and waits until that is done, a request has failed, or the time is over. Returns
    /// whether all were dealt with.
    pub(super) fn flush(&self, timeout: Duration) -> bool {
        let mut state = self.lock();
        let wanted = state.taken_in;
        state.urgent = wanted;
        state.flushes += 1;
        let number = state.flushes;
        self.wake.notify_all();
        let state = self.wait_until(state, timeout, |state| {
            self.is_flushed(state, wanted, number) || state.failed_flushes >= number || state.has_ended
        });
        self.is_flushed(&state, wanted, number)
    }

    fn is_flushed(&self, state: &State<T>, wanted: u64, number: u64) -> bool {
        state.settled >= wanted && (!self.is_fed || state.fed_flushes >= number)
    }

    /// Tells the worker to end, and waits until it has ended or the time is over.
    pub(super) fn close(&self, timeout: Duration) -> bool {
        let mut state = self.lock();
        let deadline = after(timeout);
        // The earliest of several deadlines counts.
        state.deadline = Some(state.deadline.map_or(deadline, |known| known.min(deadline)));
        self.wake.notify_all();
        self.wait_until(state, timeout, |state| state.has_ended).has_ended
    }

    /// Notes that the worker has ended, by a panic or otherwise. Waiting items are counted as dropped.
    pub(super) fn end(&self) {
        let left = {
            let mut state = self.lock();
            state.deadline.get_or_insert_with(Instant::now);
            state.has_ended = true;
            state.settled = state.taken_in;
            (state.units, state.bytes) = (0, 0);
            self.counts.dropped.add(state.items.len() as u64);
            std::mem::take(&mut state.items)
        };
        // Outside the lock: freeing many items takes a while.
        drop(left);
        self.done.notify_all();
    }

    /// Returns the statistics of one moment.
    pub(super) fn stats(&self) -> Stats {
        let state = self.lock();
        let waiting = state.items.len();
        // Read once, because it changes without the lock and is part of two counts.
        let refused = self.refused.get();
        let counts = &self.counts;
        let failing_since = counts.failing.since();
        Stats {
            offered: counts.offered.get() + refused,
            exported: counts.exported.get(),
            failed: counts.failed.get(),
            dropped: counts.dropped.get() + refused,
            waiting,
            waiting_bytes: state.bytes,
            sending: (state.taken_in - state.settled) as usize - waiting,
            exported_units: counts.exported_units.get(),
            rejected_units: counts.rejected_units.get(),
            requests: counts.requests.get(),
            retries: counts.retries.get(),
            is_failing: failing_since.is_some(),
            failing_since,
        }
    }

    fn wait_until<'a>(
        &'a self,
        mut state: MutexGuard<'a, State<T>>,
        timeout: Duration,
        is_done: impl Fn(&State<T>) -> bool,
    ) -> MutexGuard<'a, State<T>> {
        let end = after(timeout);
        while !is_done(&state) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = wait(&self.done, state, left);
        }
        state
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // No user's code runs under the lock, so a poisoned state is whole.
        self.state.lock().unwrap_or_else(|poison| poison.into_inner())
    }

    /// Puts an item in. Counts it as dropped if there is no room.
    pub(super) fn offer(&self, item: T) {
        // Relaxed: a hint. An item that misses a change of it is refused, or refused later under the lock.
        if self.is_full.load(Ordering::Relaxed) {
            return self.refused.add(1);
        }
        // Before the lock, because the item's code tells its size.
        let item = Queued::new(item);
        let mut state = self.lock();
        self.counts.offered.add(1);
        let refused = state.push(item, self);
        if refused.is_some() {
            self.counts.dropped.add(1);
        }
        self.note_room(&state);
        // Before the item, whose drop may run code of its owner.
        drop(state);
        drop(refused);
    }
}

impl<T: Item> State<T> {
    /// Adds an item. Returns it if there is no room or the worker was told to end.
    fn push(&mut self, item: Queued<T>, queue: &Queue<T>) -> Option<Queued<T>> {
        let (units, bytes) = (self.units + item.units(), self.bytes + item.bytes());
        // A feed is asked once more after the order to end.
        let is_over = self.deadline.is_some() && !queue.is_fed;
        if is_over || self.items.len() >= queue.max_items || bytes > queue.max_bytes {
            return Some(item);
        }
        let fills_batch = self.units < queue.batch_units && units >= queue.batch_units;
        self.items.push_back(item);
        (self.units, self.bytes) = (units, bytes);
        self.taken_in += 1;
        // The worker wakes by itself for less than a batch, at the end of its interval.
        if fills_batch {
            queue.wake.notify_all();
        }
        None
    }

    /// Returns whether a flush or the end waits for the feed to be asked.
    fn wants_feed(&self) -> bool {
        self.fed_flushes < self.flushes || self.deadline.is_some() && !self.is_fed_last
    }

    /// Removes the next batch: at least one item, then more up to the limits of units and bytes.
    fn take_batch(&mut self, max_units: usize) -> Batch<T> {
        let (mut units, mut bytes) = (0, 0);
        let mut items = Vec::new();
        while let Some(next) = self.items.pop_front_if(|next| {
            let fits = units + next.units() <= max_units && bytes + next.bytes() <= MAX_BATCH_BYTES;
            items.is_empty() || fits
        }) {
            units += next.units();
            bytes += next.bytes();
            items.push(next.item);
        }
        self.units -= units;
        self.bytes -= bytes;
        Batch { items, units }
    }
}

/// Returns the time `time` from now. A caller may pass `Duration::MAX`, which does not fit.
fn after(time: Duration) -> Instant {
    const LONG: Duration = Duration::from_secs(365 * 86_400);
    Instant::now() + time.min(LONG)
}

fn wait<'a, T>(condition: &Condvar, state: MutexGuard<'a, T>, most: Duration) -> MutexGuard<'a, T> {
    condition.wait_timeout(state, most).unwrap_or_else(|poison| poison.into_inner()).0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::Signal;
    use std::sync::mpsc;
    use std::thread;

    struct Record;

    impl Item for Record {
        fn bytes(&self) -> usize {
            100
        }
    }

    /// While a collector is down, threads that offer items must not wait for each other.
    #[test]
    fn a_full_queue_refuses_without_its_lock_and_counts() {
        const LONG: Duration = Duration::from_secs(20);
        let queue = Queue::new(&Config::new(Signal::Traces, "http://c").queue_items(3), false);
        let counts = || {
            let stats = queue.stats();
            (stats.offered, stats.dropped, stats.waiting)
        };
        (0..4).for_each(|_| queue.offer(Record));
        assert_eq!(counts(), (4, 1, 3));
        thread::scope(|threads| {
            let state = queue.lock();
            let (told, tell) = mpsc::channel();
            for _ in 0..4 {
                let (told, queue) = (told.clone(), &queue);
                threads.spawn(move || {
                    (0..1_000).for_each(|_| queue.offer(Record));
                    told.send(()).unwrap();
                });
            }
            let ended = (0..4).all(|_| tell.recv_timeout(LONG).is_ok());
            drop(state);
            assert!(ended, "a thread waits for the lock");
        });
        assert_eq!(counts(), (4_004, 4_001, 3));
        queue.flush(Duration::ZERO);
        let Next::Export(batch) = queue.next(None) else { panic!("three wait") };
        assert_eq!(batch.items.len(), 3);
        queue.offer(Record);
        assert_eq!(counts(), (4_005, 4_001, 1), "there is room again");
    }
}
