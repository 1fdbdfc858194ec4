//! What every trace changes when it begins and when it ends.

use std::array;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::apart::Apart;
use crate::record::Outcome;
use crate::store::active::Running;
use crate::store::lane_number::{self, LANES};
use crate::store::retained::Retained;
use crate::store::ring::{NONE, Part, Ring};
use crate::store::stats::Ended;
use crate::{Trace, TraceRecord};

/// The running and the completed traces of a store, in lanes of which each thread uses one: threads that change the
/// same memory at every trace spend more time on waiting for each other's processor than on the trace.
pub(crate) struct Lanes {
    lanes: [Apart<Lane>; LANES],
    ring: Ring,
}

struct Lane {
    state: Mutex<State>,
    /// The oldest ticket in the lane's part of the ring, for others to see whether that has too much.
    oldest: AtomicU64,
}

/// What is changed under one lock, which as a rule one thread alone takes.
struct State {
    running: Running,
    ended: Ended,
    completed: Part,
    /// The same in all lanes; here, so that no count of references is everybody's.
    retained: Arc<Retained>,
}

impl Lanes {
    pub(crate) fn new(ring: Ring, retained: Retained) -> Lanes {
        let retained = Arc::new(retained);
        let lane = |_| {
            let state = State {
                running: Running::default(),
                ended: Ended::default(),
                completed: Part::default(),
                retained: Arc::clone(&retained),
            };
            Apart(Lane { state: Mutex::new(state), oldest: AtomicU64::new(NONE) })
        };
        Lanes { lanes: array::from_fn(lane), ring }
    }

    pub(crate) fn begin(&self, record: &Arc<TraceRecord>) {
        let number = lane_number::of_thread();
        let place = self.lanes[number].lock().running.insert(record);
        record.active_key().store(place * LANES as u32 + number as u32, Ordering::Relaxed);
    }

    /// Moves the trace from the running ones to the ring in one step, in the lane in which it began.
    pub(crate) fn complete(&self, record: &Arc<TraceRecord>, outcome: Outcome) {
        let key = record.active_key().load(Ordering::Relaxed);
        let (place, number) = (key / LANES as u32, key as usize % LANES);
        let lane = &self.lanes[number];
        let (ticket, given_up, retained) = {
            let mut state = lane.lock();
            state.running.remove(place);
            state.ended.count(outcome);
            let (ticket, given_up) = state.completed.push(&self.ring, record);
            lane.note_oldest(&state);
            let retained = state.retained.wants(record).then(|| Arc::clone(&state.retained));
            (ticket, given_up, retained)
        };
        drop(given_up);
        if let Some(retained) = retained {
            retained.offer(record);
        }
        self.keep_bounds(ticket);
    }

    /// A lane that nobody uses any more would keep what it has: whoever ends a trace looks after one lane, in turn.
    fn keep_bounds(&self, newest: u64) {
        let lane = &self.lanes[newest as usize % LANES];
        if self.ring.is_overdue(lane.oldest.load(Ordering::Relaxed), newest) {
            // More than can become overdue until it is this lane's turn again.
            for _ in 0..2 * LANES {
                if lane.pop_before(self.ring.tickets().start, &self.ring).is_none() {
                    break;
                }
            }
        }
        while self.ring.is_too_large() {
            let oldest = self.lanes.iter().min_by_key(|lane| lane.oldest.load(Ordering::Relaxed));
            let evicted = oldest.and_then(|lane| lane.pop_before(NONE, &self.ring));
            if evicted.is_none() {
                break;
            }
        }
    }

    /// Applies other bounds to the ring, if it is told any, and begins to keep other traces beside it. No trace ends
    /// meanwhile, so that none is lost.
    pub(crate) fn reconfigure(&self, ring_bounds: Option<(usize, usize)>, retained: Retained) {
        let retained = Arc::new(retained);
        // Dropped when no lock is held.
        let mut replaced = Vec::with_capacity(LANES);
        let mut given_up = Vec::new();
        {
            let mut states: Vec<_> = self.lanes.iter().map(|lane| lane.lock()).collect();
            let before = self.ring.tickets().start;
            if let Some((capacity, max_bytes)) = ring_bounds {
                self.ring.resize(capacity, max_bytes);
            }
            let oldest = self.ring.tickets().start.max(before);
            for (lane, state) in self.lanes.iter().zip(&mut states) {
                while let Some(record) = state.completed.pop_before(oldest) {
                    given_up.push(record);
                }
                state.completed.tell(&self.ring);
                lane.note_oldest(state);
                replaced.push(std::mem::replace(&mut state.retained, Arc::clone(&retained)));
            }
        }
        self.keep_bounds(self.ring.tickets().end);
    }

    pub(crate) fn retained(&self) -> Arc<Retained> {
        Arc::clone(&self.lanes[lane_number::of_thread()].lock().retained)
    }

    /// The completed traces from the newest to the oldest, some of each lane looked up at a time: a reader of all of
    /// them holds up nobody. The ones that end later are not asked for.
    pub(crate) fn newest_first(&self) -> impl Iterator<Item = Arc<TraceRecord>> {
        let wanted = self.ring.tickets();
        let mut heads: [Head; LANES] = array::from_fn(|_| Head { found: Vec::new(), wanted: wanted.clone() });
        std::iter::from_fn(move || {
            for (lane, head) in self.lanes.iter().zip(&mut heads) {
                head.fill(lane);
            }
            let newest = heads.iter_mut().max_by_key(|head| head.found.last().map(|(ticket, _)| *ticket));
            newest?.found.pop().map(|(_, record)| record)
        })
    }

    /// The running traces, oldest first. One that ends meanwhile is in here or in the ring.
    pub(crate) fn running(&self) -> Vec<Trace> {
        let mut traces = Vec::new();
        for lane in &self.lanes {
            traces.extend(lane.lock().running.iter());
        }
        traces.sort_by_key(Trace::started_at);
        traces
    }

    pub(crate) fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        let mut untold = 0;
        for lane in &self.lanes {
            let state = lane.lock();
            totals.running += state.running.len();
            totals.ended.add(&state.ended);
            untold += state.completed.untold();
        }
        totals.ring_bytes = self.ring.bytes(untold);
        totals
    }
}

/// Of all lanes.
#[derive(Default)]
pub(crate) struct Totals {
    pub(crate) running: usize,
    pub(crate) ended: Ended,
    pub(crate) ring_bytes: usize,
}

impl Lane {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poison| poison.into_inner())
    }

    /// To be called before the lock is free, by whoever has changed what has completed.
    fn note_oldest(&self, state: &State) {
        self.oldest.store(state.completed.oldest(), Ordering::Relaxed);
    }

    fn pop_before(&self, limit: u64, ring: &Ring) -> Option<Arc<TraceRecord>> {
        let mut state = self.lock();
        let popped = state.completed.pop_before(limit);
        state.completed.tell(ring);
        self.note_oldest(&state);
        popped
    }
}

/// The newest traces of a lane that a reader has not come to yet.
struct Head {
    /// The newest last.
    found: Vec<(u64, Arc<TraceRecord>)>,
    /// The tickets of those that are to be looked up next.
    wanted: Range<u64>,
}

/// How many traces are looked up in a lane at a time.
const AT_A_TIME: usize = 64;

impl Head {
    fn fill(&mut self, lane: &Lane) {
        if !self.found.is_empty() || self.wanted.is_empty() {
            return;
        }
        self.found = lane.lock().completed.newest(self.wanted.clone(), AT_A_TIME);
        self.wanted.end = self.found.first().map_or(self.wanted.start, |(ticket, _)| *ticket);
    }
}
