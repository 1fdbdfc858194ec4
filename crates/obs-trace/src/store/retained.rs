//! The errors and the slowest traces of each capability, kept beside the ring so that a flood of
//! other traces cannot push them out (T5).

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use smol_str::SmolStr;

use crate::TraceRecord;
use crate::config::Config;

/// Most traces neither fail nor are slow: of them no more than [`Places`] is read, which next to never changes.
pub(crate) struct Retained {
    places: Places,
    kept: Mutex<AllKept>,
    max_traces: usize,
}

impl Retained {
    pub(crate) fn new(config: &Config) -> Retained {
        let max_traces = config.kept_per_capability;
        let others = Kept::new(max_traces);
        Retained {
            places: Places::new(config.max_capabilities, Arc::clone(&others.least)),
            kept: Mutex::new(AllKept {
                by_place: vec![others],
                bytes: 0,
                reserved: 0,
                max_capabilities: config.max_capabilities,
                max_bytes: config.ring_bytes / 4,
            }),
            max_traces,
        }
    }

    /// Gives these capabilities a place of their own, and from now on no others: see
    /// [`Store::reserve`](crate::Store::reserve).
    pub(crate) fn reserve(&self, capabilities: &[SmolStr]) {
        let mut all = self.lock();
        for capability in capabilities {
            all.reserve(capability, &self.places, self.max_traces);
        }
    }

    /// Whether the trace may be one to [`offer`](Retained::offer): it failed, or is slower than the fastest of its
    /// capability's slowest.
    pub(crate) fn wants(&self, record: &TraceRecord) -> bool {
        self.max_traces > 0 && (record.has_failed() || self.places.want(record))
    }

    /// Keeps the trace if it failed or is among the slowest of its capability.
    pub(crate) fn offer(&self, record: &Arc<TraceRecord>) {
        // Dropped when the lock is free again.
        let mut given_up = Vec::new();
        let mut all = self.lock();
        let place = all.place(record.capability(), &self.places, self.max_traces);
        all.keep(record, place, &mut given_up);
        all.keep_budget(&mut given_up);
    }

    pub(crate) fn all(&self) -> Vec<Arc<TraceRecord>> {
        self.lock().by_place.iter().flat_map(Kept::all).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, AllKept> {
        self.kept.lock().unwrap_or_else(|poison| poison.into_inner())
    }
}

/// Where the traces of a capability are kept and how slow one has to be, to be read without a lock.
///
/// Reserved capabilities have a place each. Until the first one is reserved, nobody has said which names are real, and
/// the first names to be seen have a place each: those that peers make up later do not push them out.
struct Places {
    seen: Slots,
    reserved: OnceLock<Slots>,
    others: Least,
}

/// A place is never given up, so that a table whose slots are written once is enough; whoever makes up names cannot know
/// which of them meet in it.
struct Slots {
    slots: Box<[OnceLock<Place>]>,
    hasher: RandomState,
}

struct Place {
    capability: SmolStr,
    number: usize,
    least: Least,
}

/// The nanoseconds that the next trace must have lasted to be among the slowest; 0 while there is room.
type Least = Arc<AtomicU64>;

/// The place that capabilities without one of their own share.
const OTHERS: usize = 0;

/// Capabilities that can be reserved. They are the program's own and those of peers that its owner has named.
pub(crate) const MOST_RESERVED: usize = 1024;

impl Places {
    fn new(capabilities: usize, others: Least) -> Places {
        Places { seen: Slots::new(capabilities), reserved: OnceLock::new(), others }
    }

    fn want(&self, record: &TraceRecord) -> bool {
        let least = self.find(record.capability()).map_or(&self.others, |place| &place.least);
        nanos(record) >= least.load(Ordering::Relaxed)
    }

    fn find(&self, capability: &str) -> Option<&Place> {
        let reserved = self.reserved.get().and_then(|slots| slots.slot(capability).get());
        reserved.or_else(|| self.seen.slot(capability).get())
    }
}

impl Slots {
    fn new(capabilities: usize) -> Slots {
        // At most half full, so that what is looked for is found or missed after a step or two.
        let slots = (2 * capabilities).next_power_of_two();
        Slots { slots: (0..slots).map(|_| OnceLock::new()).collect(), hasher: RandomState::new() }
    }

    /// The slot of a capability, or the free one that would be its.
    fn slot(&self, capability: &str) -> &OnceLock<Place> {
        let last = self.slots.len() - 1;
        let mut slot = self.hasher.hash_one(capability) as usize & last;
        while self.slots[slot].get().is_some_and(|place| place.capability != capability) {
            slot = (slot + 1) & last;
        }
        &self.slots[slot]
    }
}

struct AllKept {
    /// The first one for all [`OTHERS`].
    by_place: Vec<Kept>,
    bytes: usize,
    reserved: usize,
    max_capabilities: usize,
    max_bytes: usize,
}

impl AllKept {
    fn place(&mut self, capability: &str, places: &Places, max_traces: usize) -> usize {
        if let Some(place) = places.find(capability) {
            return place.number;
        }
        if places.reserved.get().is_some() || self.by_place.len() > self.max_capabilities {
            return OTHERS;
        }
        self.add(capability, &places.seen, max_traces)
    }

    fn reserve(&mut self, capability: &str, places: &Places, max_traces: usize) {
        let slots = places.reserved.get_or_init(|| Slots::new(MOST_RESERVED));
        if self.reserved < MOST_RESERVED && places.find(capability).is_none() {
            self.reserved += 1;
            self.add(capability, slots, max_traces);
        }
    }

    fn add(&mut self, capability: &str, slots: &Slots, max_traces: usize) -> usize {
        let kept = Kept::new(max_traces);
        let number = self.by_place.len();
        let place = Place { capability: SmolStr::new(capability), number, least: Arc::clone(&kept.least) };
        self.by_place.push(kept);
        slots.slot(capability).get_or_init(|| place).number
    }

    fn keep(&mut self, record: &Arc<TraceRecord>, place: usize, given_up: &mut Vec<Arc<TraceRecord>>) {
        let kept = &mut self.by_place[place];
        let before = kept.bytes;
        if record.has_failed() {
            given_up.extend(kept.push_error(record));
        }
        given_up.extend(kept.push_slow(record));
        self.bytes = self.bytes + kept.bytes - before;
    }

    /// The capability that takes the most gives up what it has, so that one with large traces costs the
    /// others nothing.
    fn keep_budget(&mut self, given_up: &mut Vec<Arc<TraceRecord>>) {
        while self.bytes > self.max_bytes {
            let largest = self.by_place.iter_mut().max_by_key(|kept| kept.bytes);
            let Some(least) = largest.and_then(Kept::pop_least) else { return };
            self.bytes -= least.bytes();
            given_up.push(least);
        }
    }
}

struct Kept {
    /// Oldest first.
    errors: VecDeque<Arc<TraceRecord>>,
    /// Fastest first, with their nanoseconds.
    slowest: VecDeque<(u64, Arc<TraceRecord>)>,
    bytes: usize,
    least: Least,
    max_traces: usize,
}

impl Kept {
    fn new(max_traces: usize) -> Kept {
        Kept {
            errors: VecDeque::new(),
            slowest: VecDeque::new(),
            bytes: 0,
            least: Arc::default(),
            max_traces,
        }
    }

    fn all(&self) -> impl Iterator<Item = &Arc<TraceRecord>> {
        self.errors.iter().chain(self.slowest.iter().map(|(_, record)| record))
    }

    /// Gives what it took the place of.
    fn push_error(&mut self, record: &Arc<TraceRecord>) -> Option<Arc<TraceRecord>> {
        let oldest = if self.errors.len() >= self.max_traces { self.pop_error() } else { None };
        self.errors.push_back(Arc::clone(record));
        self.bytes += record.bytes();
        oldest
    }

    /// Gives what it took the place of, if it is among the slowest.
    fn push_slow(&mut self, record: &Arc<TraceRecord>) -> Option<Arc<TraceRecord>> {
        let nanos = nanos(record);
        if nanos < self.least.load(Ordering::Relaxed) {
            return None;
        }
        let fastest = if self.slowest.len() >= self.max_traces { self.pop_slow() } else { None };
        let place = self.slowest.partition_point(|(known, _)| *known < nanos);
        self.slowest.insert(place, (nanos, Arc::clone(record)));
        self.bytes += record.bytes();
        self.note_least();
        fastest
    }

    /// Of the two lists the longer one gives up its oldest error, or its fastest trace.
    fn pop_least(&mut self) -> Option<Arc<TraceRecord>> {
        if self.errors.len() > self.slowest.len() { self.pop_error() } else { self.pop_slow() }
    }

    fn pop_error(&mut self) -> Option<Arc<TraceRecord>> {
        self.errors.pop_front().inspect(|record| self.bytes -= record.bytes())
    }

    fn pop_slow(&mut self) -> Option<Arc<TraceRecord>> {
        let (_, record) = self.slowest.pop_front()?;
        self.bytes -= record.bytes();
        self.note_least();
        Some(record)
    }

    fn note_least(&self) {
        let is_full = self.slowest.len() >= self.max_traces;
        let least =
            self.slowest.front().filter(|_| is_full).map_or(0, |(fastest, _)| fastest.saturating_add(1));
        self.least.store(least, Ordering::Relaxed);
    }
}

fn nanos(record: &TraceRecord) -> u64 {
    record.duration().as_nanos() as u64
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;
    use crate::record::Outcome;

    const KEPT: usize = 3;
    const CAPABILITIES: usize = 4;

    /// What is to be kept, by all traces that there ever were.
    fn expected(traces: &[Arc<TraceRecord>]) -> Vec<usize> {
        let mut own = Vec::new();
        let mut by_place: HashMap<&str, Vec<&Arc<TraceRecord>>> = HashMap::new();
        for trace in traces {
            let capability = trace.capability();
            if !own.contains(&capability) && own.len() < CAPABILITIES {
                own.push(capability);
            }
            let place = if own.contains(&capability) { capability } else { "others" };
            by_place.entry(place).or_default().push(trace);
        }
        let mut kept = Vec::new();
        for mut traces in by_place.into_values() {
            let failed = traces.iter().filter(|trace| trace.has_failed());
            kept.extend(failed.rev().take(KEPT).map(|trace| Arc::as_ptr(trace).addr()));
            // Of two that took as long the first one stays.
            traces.sort_by_key(|trace| std::cmp::Reverse(nanos(trace)));
            kept.extend(traces.iter().take(KEPT).map(|trace| Arc::as_ptr(trace).addr()));
        }
        kept.sort_unstable();
        kept
    }

    proptest! {
        /// What is not wanted would not have been kept, and of what is wanted the right ones are.
        #[test]
        fn t5_exactly_the_last_errors_and_the_slowest_are_kept(
            traces in proptest::collection::vec((0..7_usize, 0..40_u64, 0..5_usize), 0..120),
        ) {
            let config = Config::default().kept_per_capability(KEPT).max_capabilities(CAPABILITIES);
            let retained = Retained::new(&config);
            let mut ended = Vec::new();
            for (capability, micros, failed) in traces {
                let outcome = if failed == 0 { Outcome::Panic } else { Outcome::Ok };
                let capability = ["a", "b", "c", "d", "e", "f", "g"][capability];
                let trace = TraceRecord::ended_after(micros * 1_000, capability, outcome);
                if retained.wants(&trace) {
                    retained.offer(&trace);
                }
                ended.push(trace);
                let mut kept: Vec<_> = retained.all().iter().map(|trace| Arc::as_ptr(trace).addr()).collect();
                kept.sort_unstable();
                prop_assert_eq!(kept, expected(&ended));
            }
        }
    }

    #[test]
    fn a_flood_of_made_up_names_takes_no_place_of_a_reserved_capability() {
        let retained = Retained::new(&Config::default().kept_per_capability(KEPT));
        retained.reserve(&["ours".into()]);
        let flood = |from: u64| {
            for n in from..from + 100_000 {
                let trace = TraceRecord::ended_after(n, &format!("made.up.{n}"), Outcome::Panic);
                if retained.wants(&trace) {
                    retained.offer(&trace);
                }
            }
        };
        flood(1_000_000);
        retained.reserve(&["later".into(), "ours".into()]);
        for capability in ["ours", "later"] {
            retained.offer(&TraceRecord::ended_after(1, capability, Outcome::Panic));
            retained.offer(&TraceRecord::ended_after(2, capability, Outcome::Ok));
        }
        flood(2_000_000);
        let kept = retained.all();
        let of = |capability| kept.iter().filter(|trace| trace.capability() == capability).count();
        // The failed one is among the slowest as well.
        assert_eq!((of("ours"), of("later")), (3, 3));
        assert_eq!(kept.len() - 6, 2 * KEPT, "the made-up ones share a place");
    }

    #[test]
    fn reserved_places_are_bounded() {
        let retained = Retained::new(&Config::default());
        for n in 0..10 * MOST_RESERVED {
            retained.reserve(&[SmolStr::new(format!("offered.{n}"))]);
        }
        assert_eq!(retained.lock().by_place.len(), MOST_RESERVED + 1);
        retained.offer(&TraceRecord::ended_after(1, "offered.5000", Outcome::Panic));
        assert_eq!(retained.all().len(), 2, "kept with all others");
    }

    #[test]
    fn t5_a_fast_trace_is_not_wanted_where_slower_ones_are_kept() {
        let retained = Retained::new(&Config::default().kept_per_capability(2));
        let trace = |ms: u64, outcome| TraceRecord::ended_after(ms * 1_000_000, "llm.chat", outcome);
        for ms in [5, 7] {
            retained.offer(&trace(ms, Outcome::Ok));
        }
        assert!(!retained.wants(&trace(4, Outcome::Ok)));
        assert!(retained.wants(&trace(6, Outcome::Ok)) && retained.wants(&trace(4, Outcome::Cancelled)));
        assert!(
            retained.wants(&TraceRecord::ended_after(0, "rag.query", Outcome::Ok)),
            "of another capability"
        );
    }
}
