//! The traces that wait to be exported: bounded, and nobody waits for them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::config::Config;
use super::stats::Counts;
use crate::TraceRecord;
use crate::store::{Count, Export};

/// Between those who end traces, the worker that exports them, and those who want that done by now.
///
/// The lock is held for a few instructions at a time, never while anything is sent, encoded or dropped.
pub(super) struct Queue {
    /// The counts are changed under its lock, so that whoever reads them there finds every trace in exactly one.
    state: Mutex<State>,
    /// Tells the worker that there is something to do.
    wake: Condvar,
    /// Tells those who flush that something is done.
    done: Condvar,
    pub(super) counts: Counts,
    /// No further trace finds room: whoever sees it need not take the lock to be refused. Set under the lock, and only
    /// read without it.
    is_full: AtomicBool,
    /// How many were refused without it: offered and dropped in one.
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
    /// How many traces were ever put in.
    taken_in: u64,
    /// How many of them have been dealt with, the first ones first.
    settled: u64,
    /// So many are not to wait for others.
    urgent: u64,
    /// Earliest time for a batch that does not fill a request.
    not_before: Option<Instant>,
    flushes: u64,
    /// How many flushes had been asked for when the last request that failed was made.
    failed_flushes: u64,
    /// When the worker is to have ended, once that is known.
    deadline: Option<Instant>,
    has_ended: bool,
}

/// What is on its way.
pub(super) struct Moment {
    pub(super) waiting: usize,
    /// The bytes that those take.
    pub(super) waiting_bytes: usize,
    pub(super) sending: usize,
    /// Traces that are offered and dropped besides those that are counted so.
    pub(super) refused: u64,
}

/// What the worker is to do next.
pub(super) enum Next {
    Export(Vec<Arc<TraceRecord>>),
    /// The time that it asked to be woken at has come.
    Wake,
    End,
}

/// Memory of the traces of a request: collectors take bodies of a few MiB, and traces with much text make smaller
/// batches.
const MAX_BATCH_BYTES: usize = 2 << 20;

/// Between two requests that are not full: under load it makes fewer and larger ones.
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

    fn note_room(&self, state: &State) {
        let smallest = size_of::<TraceRecord>();
        let is_full = state.traces.len() >= self.max_traces || state.bytes + smallest > self.max_bytes;
        self.is_full.store(is_full, Ordering::Relaxed);
    }

    /// Waits for the next batch: for enough traces, or their time, or a flush; until `wake_at` at the latest.
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
            if now >= tick {
                tick = now + self.interval;
            }
            let next_batch = state.not_before.filter(|_| is_full);
            let until = [wake_at, next_batch].into_iter().flatten().fold(tick, Instant::min);
            state = wait(&self.wake, state, until - now);
        }
    }

    /// So many traces, the first ones, have been dealt with, and are counted by `count`.
    pub(super) fn settle(&self, traces: usize, count: impl FnOnce(&Counts)) {
        let mut state = self.lock();
        state.settled += traces as u64;
        count(&self.counts);
        self.done.notify_all();
    }

    /// A number that changes with each flush.
    pub(super) fn flushes(&self) -> u64 {
        self.lock().flushes
    }

    /// How much time the worker has; `None` if it has not been told to end.
    pub(super) fn time_left(&self) -> Option<Duration> {
        let deadline = self.lock().deadline?;
        Some(deadline.saturating_duration_since(Instant::now()))
    }

    /// Waits for so long, or until somebody flushes whom `flushes` has not counted, or the worker is to end.
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

    /// A request was made after so many flushes, and failed: none of them is to wait longer.
    pub(super) fn fail_flushes(&self, flushes: u64) {
        self.lock().failed_flushes = flushes;
        self.done.notify_all();
    }

    /// Has all traces that are in exported now, and waits until they have been, or a request has failed, or the
    /// time is over.
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

    /// Tells the worker to end, and waits until it has or the time is over.
    pub(super) fn close(&self, timeout: Duration) -> bool {
        let mut state = self.lock();
        let deadline = after(timeout);
        state.deadline = Some(state.deadline.map_or(deadline, |known| known.min(deadline)));
        self.wake.notify_all();
        self.wait_until(state, timeout, |state| state.has_ended).has_ended
    }

    /// Says that the worker has ended, in whichever way. What waits is counted as dropped.
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
        drop(left);
        self.done.notify_all();
    }

    /// What is on its way, and the counts, of one moment.
    pub(super) fn look<R>(&self, f: impl FnOnce(&Moment, &Counts) -> R) -> R {
        let state = self.lock();
        let waiting = state.traces.len();
        let sending = (state.taken_in - state.settled) as usize - waiting;
        let moment = Moment { waiting, waiting_bytes: state.bytes, sending, refused: self.refused.get() };
        f(&moment, &self.counts)
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
        // Less than a batch is sent when its time has come, for which the worker needs nobody.
        if fills_batch {
            queue.wake.notify_all();
        }
        true
    }

    /// At least one trace, and then as many as are no more than so many spans.
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

/// The end of a time that a caller has chosen, however long.
fn after(time: Duration) -> Instant {
    const LONG: Duration = Duration::from_secs(365 * 86_400);
    Instant::now() + time.min(LONG)
}

/// The trace itself is a span, too.
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

    /// T8: while a collector is down a node's threads do not wait for one another to be refused.
    #[test]
    fn t8_a_full_queue_refuses_without_its_lock_and_counts() {
        const LONG: Duration = Duration::from_secs(20);
        let store = Store::default();
        let _scope = store.enter();
        let record = new_trace("llm.chat").finish().unwrap();
        let queue = Queue::new(&Config::new("http://c").queue_traces(3));
        let counts = || {
            queue.look(|moment, counts| {
                let refused = moment.refused;
                (counts.offered.get() + refused, counts.dropped.get() + refused, moment.waiting)
            })
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
            assert!(ended, "somebody waits for the lock");
        });
        assert_eq!(counts(), (4_004, 4_001, 3));
        queue.flush(Duration::ZERO);
        let Next::Export(batch) = queue.next(None) else { panic!("three wait") };
        assert_eq!(batch.len(), 3);
        queue.offer(&record);
        assert_eq!(counts(), (4_005, 4_001, 1), "there is room again");
    }
}
