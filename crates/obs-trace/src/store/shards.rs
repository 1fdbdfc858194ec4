//! The running and the completed traces of a store, in shards of which each thread uses one.
//!
//! Threads that change the same memory at every trace spend more time on moving cache lines than on the trace.

use std::array;
use std::cell::{Cell, OnceCell};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use crossbeam_utils::CachePadded;

use super::active::Running;
use super::retained::Retained;
use super::ring::{NO_TICKET, PARTS, Part, Ring};
use super::spares::Spares;
use super::stats::{Counts, Ended, Totals};
use crate::record::{Beginning, Outcome, PeerNumber};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Mutex, MutexGuard, lock, per_thread};
use crate::{Trace, TraceRecord};

/// Number of shards. A home server has fewer cores; with more threads than shards, some threads share one.
pub(super) const SHARDS: usize = PARTS;

pub(crate) struct Shards {
    shards: [CachePadded<Shard>; SHARDS],
    ring: Ring,
}

struct Shard {
    state: Mutex<State>,
    /// Oldest ticket in the shard's part of the ring. Other threads read it without the lock, to see whether the part is
    /// overdue. Written only under the lock.
    oldest: AtomicU64,
}

/// Data of a shard. As a rule one thread alone takes its lock.
///
/// Invariant: a trace that has begun is in `running` or, from its end on, in `completed`. Both change in one critical
/// section.
struct State {
    running: Running,
    ended: Ended,
    completed: Part,
    spares: Spares,
    /// The same in all shards. Each has its own reference, so that threads do not change one count.
    retained: Arc<Retained>,
}

/// State of a trace that is marked.
pub(super) enum Mark {
    /// It had a mark before.
    Known,
    Running,
    Ended,
}

impl Shards {
    pub(super) fn new(ring: Ring, retained: Retained) -> Shards {
        let retained = Arc::new(retained);
        let shard = |_| {
            let state = State {
                running: Running::default(),
                ended: Ended::default(),
                completed: Part::default(),
                spares: Spares::default(),
                retained: Arc::clone(&retained),
            };
            CachePadded::new(Shard { state: Mutex::new(state), oldest: AtomicU64::new(NO_TICKET) })
        };
        Shards { shards: array::from_fn(shard), ring }
    }

    /// Begins a trace.
    pub(super) fn begin(&self, beginning: Beginning<'_>) -> Arc<TraceRecord> {
        let shard = shard_of_thread();
        let mut state = self.shards[shard].lock();
        let record = TraceRecord::begin(state.spares.take(), beginning);
        state.insert(shard, &record);
        record
    }

    /// Adds a trace that has begun in another store.
    pub(super) fn adopt(&self, record: &Arc<TraceRecord>) {
        let shard = shard_of_thread();
        self.shards[shard].lock().insert(shard, record);
    }

    /// Moves the trace from the running ones to the ring in one step, in the shard in which it began. Returns whether a part
    /// of it failed.
    pub(super) fn complete(&self, record: &Arc<TraceRecord>, outcome: Outcome, counts: &Counts) -> bool {
        // Relaxed: see `State::insert`.
        let key = record.active_key().load(Ordering::Relaxed);
        let (index, shard) = (key / SHARDS as u32, key as usize % SHARDS);
        let shard = &self.shards[shard];
        let (ticket, evicted, retained, is_broken) = {
            let mut state = shard.lock();
            let state = &mut *state;
            state.running.remove(index);
            state.ended.count(outcome);
            let (ticket, evicted) = state.completed.push(&self.ring, record, &mut state.spares);
            shard.note_oldest(state);
            // The reference is cloned only for a trace that may be kept, which is rare.
            let retained = state.retained.wants(record).then(|| Arc::clone(&state.retained));
            // Decided under the lock: a mark that comes later keeps the trace by itself, see `mark`.
            (ticket, evicted, retained, record.is_broken())
        };
        // Dropped outside the lock, because the memory of a record takes a while to free.
        drop(evicted);
        if let Some(retained) = retained {
            counts.note_broken_evicted(retained.offer(record, is_broken).broken_evicted);
        }
        self.keep_bounds(ticket);
        is_broken
    }

    /// Marks a trace. One that has ended is kept now, and one that runs when it ends.
    pub(super) fn mark(&self, record: &Arc<TraceRecord>, peer: PeerNumber, counts: &Counts) -> Mark {
        // Relaxed: see `State::insert`.
        let shard = record.active_key().load(Ordering::Relaxed) as usize % SHARDS;
        let retained = {
            // `complete` takes the same lock: it either sees the mark, or has given the trace its ticket.
            let state = self.shards[shard].lock();
            if !record.set_marker(peer) {
                return Mark::Known;
            }
            let has_ended = record.ticket().load(Ordering::Relaxed) != 0;
            has_ended.then(|| Arc::clone(&state.retained))
        };
        let Some(retained) = retained else { return Mark::Running };
        counts.note_broken_evicted(retained.offer_marked(record));
        Mark::Ended
    }

    /// Removes a trace from the running ones, for another store that takes it over.
    pub(super) fn give_up(&self, record: &TraceRecord) {
        // Relaxed: see `State::insert`.
        let key = record.active_key().load(Ordering::Relaxed);
        let (index, shard) = (key / SHARDS as u32, key as usize % SHARDS);
        self.shards[shard].lock().running.remove(index);
    }

    /// Adds the traces of an earlier run, the oldest first, before all others. `None` is a trace that could not be read.
    ///
    /// They are neither counted as ended, nor do they reach the outlet. Returns the number of those that are kept.
    pub(super) fn restore(&self, traces: impl ExactSizeIterator<Item = Option<TraceRecord>>) -> usize {
        let tickets = self.ring.restored_tickets(traces.len() as u64);
        let retained = self.retained();
        let unreported = self.shards.iter().map(|shard| shard.lock().completed.unreported()).sum();
        let room = self.ring.room(unreported);
        let (mut newest, mut bytes, mut kept) = (VecDeque::new(), 0, 0);
        for (ticket, record) in tickets.zip(traces) {
            let Some(record) = record.map(Arc::new) else { continue };
            // Relaxed: the locks below publish the record.
            record.ticket().store(ticket, Ordering::Relaxed);
            let is_retained = retained.wants(&record) && retained.offer(&record, record.is_broken()).is_kept;
            if ticket >= self.ring.tickets().start {
                bytes += record.bytes();
                newest.push_back((ticket, record));
                while bytes > room
                    && let Some((_, oldest)) = newest.pop_front()
                {
                    bytes -= oldest.bytes();
                }
            } else if is_retained {
                kept += 1;
            }
        }
        kept += newest.len();
        while let Some((ticket, record)) = newest.pop_back() {
            // In turn, so that no shard has to evict more of them than another.
            let shard = &self.shards[ticket as usize % SHARDS];
            let mut state = shard.lock();
            state.completed.push_oldest(ticket, record);
            state.completed.report(&self.ring);
            shard.note_oldest(&state);
        }
        self.keep_bounds(self.ring.tickets().end);
        kept
    }

    /// Evicts old traces of shards that no thread uses any more. Each end of a trace looks after one shard, in turn.
    fn keep_bounds(&self, newest: u64) {
        let shard = &self.shards[newest as usize % SHARDS];
        // Relaxed: a hint. `pop_before` checks again under the lock.
        if self.ring.is_overdue(shard.oldest.load(Ordering::Relaxed), newest) {
            // The shard's next turn is `SHARDS` traces later, and up to that many become overdue until then. Twice as
            // many catches up.
            for _ in 0..2 * SHARDS {
                if shard.pop_before(self.ring.tickets().start, &self.ring).is_none() {
                    break;
                }
            }
        }
        while self.ring.is_too_large() {
            // Relaxed: about the oldest is good enough.
            let oldest = self.shards.iter().min_by_key(|shard| shard.oldest.load(Ordering::Relaxed));
            let evicted = oldest.and_then(|shard| shard.pop_before(NO_TICKET, &self.ring));
            if evicted.is_none() {
                break;
            }
        }
    }

    /// Applies other limits to the ring, if any, and replaces the traces kept beside it.
    ///
    /// Takes all locks at once, always in the same order, so no trace ends meanwhile and none is lost.
    pub(super) fn reconfigure(&self, ring_bounds: Option<(usize, usize)>, retained: Retained) {
        let retained = Arc::new(retained);
        // Dropped after the locks, in reverse order of declaration.
        let mut replaced = Vec::with_capacity(SHARDS);
        let mut evicted = Vec::new();
        {
            let mut states: Vec<_> = self.shards.iter().map(|shard| shard.lock()).collect();
            let before = self.ring.tickets().start;
            if let Some((capacity, max_bytes)) = ring_bounds {
                self.ring.resize(capacity, max_bytes);
            }
            // A larger ring does not bring back the traces that readers could no longer see.
            let oldest = self.ring.tickets().start.max(before);
            for (shard, state) in self.shards.iter().zip(&mut states) {
                while let Some(record) = state.completed.pop_before(oldest) {
                    evicted.push(record);
                }
                state.completed.report(&self.ring);
                shard.note_oldest(state);
                replaced.push(std::mem::replace(&mut state.retained, Arc::clone(&retained)));
            }
        }
        self.keep_bounds(self.ring.tickets().end);
    }

    pub(super) fn retained(&self) -> Arc<Retained> {
        Arc::clone(&self.shards[shard_of_thread()].lock().retained)
    }

    /// Returns the completed traces from the newest to the oldest. Traces that end later are not among them.
    ///
    /// Copies a few references of each shard at a time, so a reader of all traces delays no thread.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = Arc<TraceRecord>> {
        let wanted = self.ring.tickets();
        let mut heads: [Head; SHARDS] =
            array::from_fn(|_| Head { found: Vec::new(), wanted: wanted.clone() });
        std::iter::from_fn(move || {
            for (shard, head) in self.shards.iter().zip(&mut heads) {
                head.fill(shard);
            }
            let newest = heads.iter_mut().max_by_key(|head| head.found.last().map(|(ticket, _)| *ticket));
            newest?.found.pop().map(|(_, record)| record)
        })
    }

    /// Returns the running traces, oldest first. A trace that ends meanwhile is here or in the ring.
    pub(super) fn running(&self) -> Vec<Trace> {
        let mut traces = Vec::new();
        for shard in &self.shards {
            traces.extend(shard.lock().running.iter());
        }
        traces.sort_by_key(Trace::started_at);
        traces
    }

    pub(super) fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        let mut unreported = 0;
        for shard in &self.shards {
            let state = shard.lock();
            totals.running += state.running.len();
            totals.ended.add(&state.ended);
            unreported += state.completed.unreported();
        }
        totals.ring_bytes = self.ring.bytes(unreported);
        totals
    }
}

impl State {
    /// Adds a trace to the running ones of the shard.
    fn insert(&mut self, shard: usize, record: &Arc<TraceRecord>) {
        let index = self.running.insert(record);
        // Relaxed: `complete` runs later on this thread, or on one that got the trace from it.
        record.active_key().store(index * SHARDS as u32 + shard as u32, Ordering::Relaxed);
    }
}

impl Shard {
    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Publishes the oldest ticket. To be called under the lock after every change of `completed`.
    fn note_oldest(&self, state: &State) {
        // Relaxed: readers take it as a hint.
        self.oldest.store(state.completed.oldest(), Ordering::Relaxed);
    }

    fn pop_before(&self, limit: u64, ring: &Ring) -> Option<Arc<TraceRecord>> {
        let mut state = self.lock();
        let popped = state.completed.pop_before(limit);
        state.completed.report(ring);
        self.note_oldest(&state);
        popped
    }
}

/// Newest traces of a shard that a reader has not consumed yet.
struct Head {
    /// With their tickets, the newest last.
    found: Vec<(u64, Arc<TraceRecord>)>,
    /// Tickets to look up next.
    wanted: Range<u64>,
}

/// Traces that are looked up in a shard at a time. Cloning so many references takes about a microsecond under the lock.
const AT_A_TIME: usize = 64;

impl Head {
    fn fill(&mut self, shard: &Shard) {
        if !self.found.is_empty() || self.wanted.is_empty() {
            return;
        }
        self.found = shard.lock().completed.newest(self.wanted.clone(), AT_A_TIME);
        self.wanted.end = self.found.first().map_or(self.wanted.start, |(ticket, _)| *ticket);
    }
}

/// Number of threads on each shard.
pub(crate) struct Assignment(Mutex<[u32; SHARDS]>);

#[cfg(not(all(test, obs_loom)))]
static ASSIGNMENT: Assignment = Assignment(Mutex::new([0; SHARDS]));
#[cfg(all(test, obs_loom))]
loom::lazy_static! { static ref ASSIGNMENT: Assignment = Assignment(Mutex::new([0; SHARDS])); }

per_thread! {
    /// Shard of this thread. Has no destructor, so that it can be read at the very end of a thread too.
    static SHARD: Cell<Option<usize>> = const { Cell::new(None) };
    static LEASE: OnceCell<Lease<'static>> = const { OnceCell::new() };
}

/// Returns this thread's shard. No other thread uses it, as long as there are enough shards.
#[inline]
fn shard_of_thread() -> usize {
    SHARD.with(Cell::get).unwrap_or_else(assign)
}

#[cold]
fn assign() -> usize {
    let lease = ASSIGNMENT.lease();
    let shard = lease.shard;
    SHARD.with(|own| own.set(Some(shard)));
    // At the end of a thread there is no place for the lease. It is given back at once, and the shard still works.
    let _ = LEASE.try_with(|place| place.set(lease));
    shard
}

impl Assignment {
    /// Assigns the shard with the fewest threads.
    fn lease(&self) -> Lease<'_> {
        let mut threads = lock(&self.0);
        let shard = (0..SHARDS).min_by_key(|&shard| threads[shard]).unwrap_or(0);
        threads[shard] += 1;
        Lease { assignment: self, shard }
    }
}

/// Use of a shard by a thread, given back when the thread ends. The next thread goes on with the shard's contents.
struct Lease<'a> {
    assignment: &'a Assignment,
    shard: usize,
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        lock(&self.assignment.0)[self.shard] -= 1;
    }
}

/// Access for the models, in which the destructors of thread-locals come too late for an assignment that is global.
#[cfg(all(test, obs_loom))]
impl Assignment {
    pub(crate) fn new() -> Assignment {
        Assignment(Mutex::new([0; SHARDS]))
    }

    /// Runs a thread's work with a shard of this assignment.
    pub(crate) fn with_shard<R>(&self, run: impl FnOnce(usize) -> R) -> R {
        let lease = self.lease();
        SHARD.with(|own| own.set(Some(lease.shard)));
        run(shard_of_thread())
    }
}

#[cfg(all(test, not(obs_loom)))]
mod tests {
    use std::collections::HashSet;
    use std::sync::Barrier;

    use super::*;

    /// Leases a shard on each of so many threads that run at once. Returns the shards, which are free again.
    fn leased_at_once(assignment: &Assignment, threads: usize) -> Vec<usize> {
        let barrier = Barrier::new(threads);
        std::thread::scope(|scope| {
            let lease = || {
                let lease = assignment.lease();
                // All threads have a shard before the first one gives its own back.
                barrier.wait();
                lease.shard
            };
            let threads: Vec<_> = (0..threads).map(|_| scope.spawn(lease)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        })
    }

    #[test]
    fn threads_that_run_at_once_have_different_shards_and_give_them_back() {
        let assignment = Assignment(Mutex::new([0; SHARDS]));
        for _ in 0..3 {
            let shards = leased_at_once(&assignment, SHARDS);
            assert_eq!(shards.iter().collect::<HashSet<_>>().len(), SHARDS, "{shards:?}");
            assert_eq!(*lock(&assignment.0), [0; SHARDS], "each shard is given back");
        }
    }

    #[test]
    fn more_threads_than_shards_share_them_evenly() {
        let assignment = Assignment(Mutex::new([0; SHARDS]));
        let shards = leased_at_once(&assignment, 3 * SHARDS);
        for shard in 0..SHARDS {
            assert_eq!(shards.iter().filter(|leased| **leased == shard).count(), 3, "{shards:?}");
        }
    }

    #[test]
    fn a_thread_keeps_its_shard() {
        let shards = std::thread::spawn(|| [(); 3].map(|()| shard_of_thread())).join().unwrap();
        assert_eq!(shards, [shards[0]; 3]);
    }
}
