//! Heavy hitters in bounded memory, by the space-saving algorithm (Metwally, Agrawal, El Abbadi, 2005).

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::SystemTime;

use super::key::Key;

/// Number of callers with a counter.
///
/// A home has some dozens of callers, which are all counted exactly. The bound is for callers that invent addresses or keys.
pub(super) const COUNTERS: usize = 512;

/// Counters of the callers with the most events.
///
/// A caller without a counter takes over the smallest one when all are in use, and may have had up to that many events
/// before. So with `N` events in all:
/// - each caller with more than `N / COUNTERS` events has a counter;
/// - a counter is at most its `over` above the truth, and never below it;
/// - `over` is at most `N / COUNTERS`, and 0 for a caller that has had its counter since its first event.
#[derive(Default)]
pub(super) struct Sketch {
    counters: Vec<Counter>,
    /// Positions in `counters` as a binary heap, smallest count first.
    heap: Vec<u16>,
    by_key: HashMap<Key, u16>,
}

/// Events of one caller.
#[derive(Clone, Debug)]
pub(super) struct Counter {
    pub(super) key: Key,
    /// Address of the last event.
    pub(super) address: IpAddr,
    pub(super) last_at: SystemTime,
    pub(super) count: u64,
    /// Maximum number of events of other callers in `count`.
    pub(super) over: u64,
    /// Position in `heap`.
    place: u16,
}

impl Sketch {
    /// Counts an event. Takes time in proportion to the logarithm of [`COUNTERS`].
    pub(super) fn add(&mut self, key: Key, address: IpAddr, at: SystemTime) {
        let counter = match self.by_key.get(&key) {
            Some(counter) => usize::from(*counter),
            None if self.counters.len() < COUNTERS => self.insert(key, address, at),
            None => self.take_over_smallest(key),
        };
        let counted = &mut self.counters[counter];
        (counted.address, counted.last_at) = (address, at);
        counted.count += 1;
        let place = usize::from(counted.place);
        self.sink(place);
    }

    /// Returns the counter of `key`.
    pub(super) fn get(&self, key: &Key) -> Option<&Counter> {
        self.by_key.get(key).map(|counter| &self.counters[usize::from(*counter)])
    }

    /// Returns the maximum number of events of a caller without a counter.
    pub(super) fn missed(&self) -> u64 {
        match self.counters.len() < COUNTERS {
            true => 0,
            false => self.heap.first().map_or(0, |smallest| self.counters[usize::from(*smallest)].count),
        }
    }

    pub(super) fn counters(&self) -> &[Counter] {
        &self.counters
    }

    fn insert(&mut self, key: Key, address: IpAddr, last_at: SystemTime) -> usize {
        let (counter, place) = (self.counters.len(), self.heap.len());
        self.counters.push(Counter { key, address, last_at, count: 0, over: 0, place: place as u16 });
        self.heap.push(counter as u16);
        self.by_key.insert(key, counter as u16);
        self.rise(place);
        counter
    }

    fn take_over_smallest(&mut self, key: Key) -> usize {
        let counter = self.heap[0];
        let counted = &mut self.counters[usize::from(counter)];
        self.by_key.remove(&counted.key);
        counted.key = key;
        counted.over = counted.count;
        self.by_key.insert(key, counter);
        usize::from(counter)
    }

    /// Moves a new counter to the top of the heap. It has 0 events, and no other one has.
    fn rise(&mut self, mut place: usize) {
        let risen = self.heap[place];
        while place > 0 {
            let parent = (place - 1) / 2;
            self.put(place, self.heap[parent]);
            place = parent;
        }
        self.put(place, risen);
    }

    /// Moves a counter to its place after its count has grown.
    fn sink(&mut self, mut place: usize) {
        let sunk = self.heap[place];
        let count = self.counters[usize::from(sunk)].count;
        loop {
            let (mut child, other) = (2 * place + 1, 2 * place + 2);
            if other < self.heap.len() && self.count_at(other) < self.count_at(child) {
                child = other;
            }
            if child >= self.heap.len() || count <= self.count_at(child) {
                return self.put(place, sunk);
            }
            self.put(place, self.heap[child]);
            place = child;
        }
    }

    fn count_at(&self, place: usize) -> u64 {
        self.counters[usize::from(self.heap[place])].count
    }

    fn put(&mut self, place: usize, counter: u16) {
        self.heap[place] = counter;
        self.counters[usize::from(counter)].place = place as u16;
    }
}

#[cfg(test)]
impl Sketch {
    /// Returns the memory that is allocated.
    pub(super) fn bytes(&self) -> usize {
        // A map has a byte beside each place, and at least 8 places for 7 entries.
        let place = size_of::<(Key, u16)>() + 1;
        self.counters.capacity() * size_of::<Counter>()
            + self.heap.capacity() * size_of::<u16>()
            + self.by_key.capacity() / 7 * 8 * place
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;

    fn key(caller: u32) -> Key {
        Key::Address(Ipv4Addr::from_bits(caller).into())
    }

    fn add(sketch: &mut Sketch, caller: u32) {
        sketch.add(key(caller), Ipv4Addr::from_bits(caller).into(), SystemTime::UNIX_EPOCH);
    }

    fn assert_sound(sketch: &Sketch, exact: &HashMap<u32, u64>) {
        let all: u64 = exact.values().sum();
        let share = all / COUNTERS as u64;
        assert_eq!(sketch.counters.iter().map(|counter| counter.count).sum::<u64>(), all);
        assert!(sketch.missed() <= share);
        for (caller, truth) in exact {
            match sketch.get(&key(*caller)) {
                Some(counter) => {
                    assert!((counter.count - counter.over..=counter.count).contains(truth), "{counter:?}");
                    assert!(counter.over <= share, "{counter:?}");
                }
                None => {
                    assert!(*truth <= share, "a heavy caller with {truth} of {all} is missing");
                    assert!(*truth <= sketch.missed());
                }
            }
        }
        assert_eq!(sketch.by_key.len(), sketch.counters.len());
        for (place, counter) in sketch.heap.iter().enumerate() {
            assert_eq!(usize::from(sketch.counters[usize::from(*counter)].place), place);
            assert!(place == 0 || sketch.count_at((place - 1) / 2) <= sketch.count_at(place));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// Callers are drawn unevenly: a small number calls often, a large one rarely.
        #[test]
        fn counts_are_within_their_bounds_of_the_truth(
            calls in proptest::collection::vec((0u32..3, 0u32..3_000), 0..6_000),
            heavy in 1u32..40,
        ) {
            let (mut sketch, mut exact) = (Sketch::default(), HashMap::new());
            for (kind, caller) in calls {
                let caller = if kind == 0 { caller % heavy } else { heavy + caller };
                add(&mut sketch, caller);
                *exact.entry(caller).or_default() += 1;
            }
            assert_sound(&sketch, &exact);
        }
    }

    #[test]
    fn up_to_the_number_of_counters_every_caller_is_exact() {
        let (mut sketch, mut exact) = (Sketch::default(), HashMap::new());
        for call in 0..20_000_u32 {
            let caller = (call * call) % COUNTERS as u32;
            add(&mut sketch, caller);
            *exact.entry(caller).or_default() += 1;
        }
        assert_sound(&sketch, &exact);
        assert!(sketch.counters.iter().all(|counter| counter.over == 0));
        assert_eq!(sketch.missed(), 0);
    }
}
