//! Queue of the traces to export. Bounded, and no thread that ends a trace waits for it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::config::Config;
use super::stats::{Counts, Stats};
use crate::TraceRecord;
use crate::store::{Count, Export};

/// Queue between the threads that end traces, the worker, and the callers of `flush` and `shutdown`.
///
/// The lock is held for a few instructions at a time, never while a request is made, encoded or dropped.
pub(super) struct Queue {
    // `counts` change under this lock too, so that a reader who holds it finds each trace in exactly one count.
    state: Mutex<State>,
    /// Notifies the worker of work.
    wake: Condvar,
    /// Notifies callers of `flush` and `close` of progress.
    done: Condvar,
    pub(super) counts: Counts,
    /// Whether no further trace finds room, so that it is refused without the lock. Written under the lock, read without.
    is_full: AtomicBool,
    /// Traces that were refused without the lock. Each counts as offered and as dropped.
    refused: Count,
    only_sampled: bool,
    batch_spans: usize,
    request_spans: usize,
    max_traces: usize,
    max_bytes: usize,
    interval: Duration,
}

#[derive(Default)]
struct State {
    traces: VecDeque<Arc<TraceRecord>>,
    spans: usize,
    bytes: usize,
    /// Traces that were ever queued.
    taken_in: u64,
    /// Traces that have been dealt with. They leave in the order in which they came.
    settled: u64,
    /// Traces up to this number are sent without waiting for a full batch.
    urgent: u64,
    /// Earliest time for a batch that does not fill a request.
    not_before: Option<Instant>,
    flushes: u64,
    /// Value of `flushes` when the last request that failed was begun.
    failed_flushes: u64,
    /// End of the worker's time, once it was told to end.
    deadline: Option<Instant>,
    has_ended: bool,
}

/// Next step of the worker.
pub(super) enum Next {
    Export(Vec<Arc<TraceRecord>>),
    /// The time has come at which the worker asked to be woken.
    Wake,
    End,
}

/// Maximum memory of the traces in a request. Collectors accept bodies of a few MiB, so traces with much text make
/// smaller batches.
const MAX_BATCH_BYTES: usize = 2 << 20;

/// Minimum time between two requests that are not full. Under load it makes requests fewer and larger.
const PAUSE: Duration = Duration::from_millis(10);

impl Queue {
    pub(super) fn new(config: &Config) -> Queue {
        Queue {
            state: Mutex::default(),
            wake: Condvar::new(),
            done: Condvar::new(),
            counts: Counts::default(),
            is_full: AtomicBool::new(false),
            refused: Count::default(),
            only_sampled: config.only_sampled,
            batch_spans: config.batch_spans,
            request_spans: config.request_spans.max(config.batch_spans),
            max_traces: config.queue_traces,
            max_bytes: config.queue_bytes,
            interval: config.interval,
        }
    }

    /// Updates `is_full`. To be called under the lock after every change of the queue.
    fn note_room(&self, state: &State) {
        // Every record takes at least this, so with less room the next one is refused anyway.
        let smallest = size_of::<TraceRecord>();
        let is_full = state.traces.len() >= self.max_traces || state.bytes + smallest > self.max_bytes;
        // Relaxed: a hint, see `offer`.
        self.is_full.store(is_full, Ordering::Relaxed);
    }

    /// Waits for the next step: for enough traces, the end of the interval, a flush, or `wake_at`.
    pub(super) fn next(&self, wake_at: Option<Instant>) -> Next {
        let mut tick = Instant::now() + self.interval;
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            let is_full = state.spans >= self.batch_spans;
            let is_due = state.spans >= self.request_spans
                || is_full && state.not_before.is_none_or(|time| now >= time)
                || state.settled < state.urgent
                || state.deadline.is_some()
                || now >= tick;
            if is_due && !state.traces.is_empty() {
                let batch = state.take_batch(self.request_spans);
                self.note_room(&state);
                state.not_before = Some(now + PAUSE);
                return Next::Export(batch);
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

    /// Notes that the first `traces` have been dealt with, and counts them by `count`.
    pub(super) fn settle(&self, traces: usize, count: impl FnOnce(&Counts)) {
        let mut state = self.lock();
        state.settled += traces as u64;
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

    /// Has all queued traces exported, and waits until that is done, a request has failed, or the time is over. Returns
    /// whether all were dealt with.
    pub(super) fn flush(&self, timeout: Duration) -> bool {
        let mut state = self.lock();
        let wanted = state.taken_in;
        state.urgent = wanted;
        state.flushes += 1;
        let number = state.flushes;
        self.wake.notify_all();
        let state = self.wait_until(state, timeout, |state| {
            state.settled >= wanted || state.failed_flushes >= number || state.has_ended
        });
        state.settled >= wanted
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

    /// Notes that the worker has ended, by a panic or otherwise. Waiting traces are counted as dropped.
    pub(super) fn end(&self) {
        let left = {
            let mut state = self.lock();
            state.deadline.get_or_insert_with(Instant::now);
            state.has_ended = true;
            state.settled = state.taken_in;
            (state.spans, state.bytes) = (0, 0);
            self.counts.dropped.add(state.traces.len() as u64);
            std::mem::take(&mut state.traces)
        };
        // Outside the lock: freeing many records takes a while.
        drop(left);
        self.done.notify_all();
    }

    /// Returns the statistics of one moment.
    pub(super) fn stats(&self) -> Stats {
        let state = self.lock();
        let waiting = state.traces.len();
        // Read once, because it changes without the lock and is part of two counts.
        let refused = self.refused.get();
        let counts = &self.counts;
        Stats {
            offered: counts.offered.get() + refused,
            exported: counts.exported.get(),
            failed: counts.failed.get(),
            dropped: counts.dropped.get() + refused,
            unsampled: counts.unsampled.get(),
            waiting,
            waiting_bytes: state.bytes,
            sending: (state.taken_in - state.settled) as usize - waiting,
            exported_spans: counts.exported_spans.get(),
            rejected_spans: counts.rejected_spans.get(),
            requests: counts.requests.get(),
            retries: counts.retries.get(),
            // Relaxed: a flag of its own.
            is_failing: counts.is_failing.load(Ordering::Relaxed),
        }
    }

    fn wait_until<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        timeout: Duration,
        is_done: impl Fn(&State) -> bool,
    ) -> MutexGuard<'a, State> {
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

    fn lock(&self) -> MutexGuard<'_, State> {
        // No user's code runs under the lock, so a poisoned state is whole.
        self.state.lock().unwrap_or_else(|poison| poison.into_inner())
    }
}

impl Export for Queue {
    /// Puts a trace in. Counts it as dropped if there is no room, and as unsampled if it must not be exported.
    fn offer(&self, record: &Arc<TraceRecord>) {
        if self.only_sampled && record.is_unsampled() {
            return self.counts.unsampled.add(1);
        }
        // Relaxed: a hint. A trace that misses a change of it is refused, or refused later under the lock.
        if self.is_full.load(Ordering::Relaxed) {
            return self.refused.add(1);
        }
        let mut state = self.lock();
        self.counts.offered.add(1);
        if !state.push(record, self) {
            self.counts.dropped.add(1);
        }
        self.note_room(&state);
    }

    fn only_sampled(&self) -> bool {
        self.only_sampled
    }
}

impl State {
    /// Adds a trace. Returns `false` if there is no room or the worker was told to end.
    fn push(&mut self, record: &Arc<TraceRecord>, queue: &Queue) -> bool {
        let bytes = self.bytes + record.bytes();
        if self.deadline.is_some() || self.traces.len() >= queue.max_traces || bytes > queue.max_bytes {
            return false;
        }
        let spans = self.spans + span_count(record);
        let fills_batch = self.spans < queue.batch_spans && spans >= queue.batch_spans;
        self.traces.push_back(Arc::clone(record));
        (self.spans, self.bytes) = (spans, bytes);
        self.taken_in += 1;
        // The worker wakes by itself for less than a batch, at the end of its interval.
        if fills_batch {
            queue.wake.notify_all();
        }
        true
    }

    /// Removes the next batch: at least one trace, then more up to the limits of spans and bytes.
    fn take_batch(&mut self, max_spans: usize) -> Vec<Arc<TraceRecord>> {
        let (mut spans, mut bytes) = (0, 0);
        let mut batch = Vec::new();
        while let Some(next) = self.traces.front() {
            spans += span_count(next);
            bytes += next.bytes();
            if !batch.is_empty() && (spans > max_spans || bytes > MAX_BATCH_BYTES) {
                break;
            }
            self.spans -= span_count(next);
            self.bytes -= next.bytes();
            batch.extend(self.traces.pop_front());
        }
        batch
    }
}

/// Returns the time `time` from now. A caller may pass `Duration::MAX`, which does not fit.
fn after(time: Duration) -> Instant {
    const LONG: Duration = Duration::from_secs(365 * 86_400);
    Instant::now() + time.min(LONG)
}

/// Returns the number of spans that a trace is exported as. The trace itself is one.
pub(super) fn span_count(record: &TraceRecord) -> usize {
    1 + record.span_count()
}

fn wait<'a>(condition: &Condvar, state: MutexGuard<'a, State>, most: Duration) -> MutexGuard<'a, State> {
    condition.wait_timeout(state, most).unwrap_or_else(|poison| poison.into_inner()).0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Store, new_trace};
    use std::sync::mpsc;
    use std::thread;

    /// While a collector is down, threads that end traces must not wait for each other.
    #[test]
    fn a_full_queue_refuses_without_its_lock_and_counts() {
        const LONG: Duration = Duration::from_secs(20);
        let store = Store::default();
        let _scope = store.enter();
        let record = new_trace("llm.chat").finish().unwrap();
        let queue = Queue::new(&Config::new("http://c").queue_traces(3));
        let counts = || {
            let stats = queue.stats();
            (stats.offered, stats.dropped, stats.waiting)
        };
        (0..4).for_each(|_| queue.offer(&record));
        assert_eq!(counts(), (4, 1, 3));
        thread::scope(|threads| {
            let state = queue.lock();
            let (told, tell) = mpsc::channel();
            for _ in 0..4 {
                let (told, queue, record) = (told.clone(), &queue, &record);
                threads.spawn(move || {
                    (0..1_000).for_each(|_| queue.offer(record));
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
        assert_eq!(batch.len(), 3);
        queue.offer(&record);
        assert_eq!(counts(), (4_005, 4_001, 1), "there is room again");
    }
}
