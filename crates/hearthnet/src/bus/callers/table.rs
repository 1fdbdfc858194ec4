//! Table of the callers with the most calls, refusals and errors.

use std::cmp::Reverse;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use super::key::Key;
use super::sketch::{Counter, Sketch};
use crate::wire::signing::identity;

/// Events by which callers are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    Calls,
    Refused,
    Errors,
}

/// Number of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    /// Events that were counted for this caller, never too many.
    pub(crate) value: u64,
    /// Maximum number of further events of this caller. 0 if the value is exact.
    pub(crate) missed: u64,
}

/// Counts of one caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CallerCount {
    /// ID whose signature was valid. `None` for an address.
    pub(crate) node_id: Option<String>,
    /// Address of the last call.
    pub(crate) address: IpAddr,
    pub(crate) last_at: SystemTime,
    /// Calls that have ended, whatever their outcome.
    pub(crate) calls: Count,
    /// Calls that this node refused: above a rate limit, or with an invalid signature.
    pub(crate) refused: Count,
    /// Calls that failed in any other way.
    pub(crate) errors: Count,
}

/// Counts of all callers since the start of the node.
pub(crate) struct Callers {
    since: SystemTime,
    // Held for one or two updates by a call, and for the look-ups of one page by a reader: some ten microseconds.
    sketches: Mutex<Sketches>,
}

#[derive(Default)]
struct Sketches {
    calls: Sketch,
    refused: Sketch,
    errors: Sketch,
}

impl Callers {
    pub(in crate::bus) fn new() -> Arc<Callers> {
        Arc::new(Callers { since: SystemTime::now(), sketches: Mutex::default() })
    }

    /// Returns the time from which calls are counted.
    pub(crate) fn since(&self) -> SystemTime {
        self.since
    }

    /// Returns up to `n` callers, most calls first.
    pub(crate) fn top(&self, n: usize) -> Vec<CallerCount> {
        self.top_by(Measure::Calls, n)
    }

    /// Returns up to `n` callers with at least one event of `measure`, most of them first.
    pub(crate) fn top_by(&self, measure: Measure, n: usize) -> Vec<CallerCount> {
        let sketches = self.lock();
        let counters = sketches.of(measure).counters();
        let mut order: Vec<_> = (0..counters.len()).collect();
        // By what is certain. What a counter took over from others says little about its caller.
        order.sort_unstable_by_key(|at| {
            let Counter { count, over, .. } = counters[*at];
            Reverse((count - over, over))
        });
        order.into_iter().take(n).map(|at| sketches.counts_of(&counters[at])).collect()
    }

    /// Counts a call of `key` that has ended. `failed_as` is the measure of its failure.
    pub(super) fn count(&self, key: Key, address: IpAddr, failed_as: Option<Measure>) {
        let now = SystemTime::now();
        let mut sketches = self.lock();
        sketches.calls.add(key, address, now);
        match failed_as {
            Some(Measure::Refused) => sketches.refused.add(key, address, now),
            Some(Measure::Errors) => sketches.errors.add(key, address, now),
            Some(Measure::Calls) | None => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, Sketches> {
        self.sketches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sketches {
    fn of(&self, measure: Measure) -> &Sketch {
        match measure {
            Measure::Calls => &self.calls,
            Measure::Refused => &self.refused,
            Measure::Errors => &self.errors,
        }
    }

    fn counts_of(&self, counter: &Counter) -> CallerCount {
        let count = |sketch: &Sketch| match sketch.get(&counter.key) {
            Some(Counter { count, over, .. }) => Count { value: count - over, missed: *over },
            None => Count { value: 0, missed: sketch.missed() },
        };
        // The last call, which may have had another outcome.
        let last = self.calls.get(&counter.key).unwrap_or(counter);
        CallerCount {
            node_id: match &counter.key {
                Key::Node(key) => Some(identity::id_of(key)),
                Key::Address(_) => None,
            },
            address: last.address,
            last_at: last.last_at,
            calls: count(&self.calls),
            refused: count(&self.refused),
            errors: count(&self.errors),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::super::sketch::COUNTERS;
    use super::*;

    const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 1, 40));

    fn add(callers: &Callers, address: IpAddr, failed_as: Option<Measure>) {
        callers.count(Key::Address(address), address, failed_as);
    }

    fn numbers(count: &CallerCount) -> [u64; 3] {
        [count.calls, count.refused, count.errors].map(|count| count.value)
    }

    #[test]
    fn each_measure_has_its_own_order() {
        let callers = Callers::new();
        let other = IpAddr::V6(Ipv6Addr::LOCALHOST);
        callers.count(Key::Node([7; 32]), HOME, None);
        (0..3).for_each(|_| callers.count(Key::Node([7; 32]), other, Some(Measure::Errors)));
        (0..2).for_each(|_| add(&callers, HOME, Some(Measure::Refused)));
        let top = callers.top(10);
        assert_eq!(top.iter().map(numbers).collect::<Vec<_>>(), [[4, 0, 3], [2, 2, 0]]);
        assert!(top[0].node_id.as_ref().unwrap().starts_with("ed25519:"));
        assert_eq!((top[0].address, &top[1].node_id, top[1].address), (other, &None, HOME));
        assert_eq!(callers.top_by(Measure::Refused, 10), top[1..]);
        assert_eq!(callers.top_by(Measure::Errors, 10), top[..1]);
        assert_eq!(callers.top(1), top[..1]);
        assert!(callers.top(0).is_empty());
    }

    #[test]
    fn a_million_invented_callers_take_bounded_memory_and_hide_no_heavy_one() {
        const INVENTED: u32 = 1_000_000;
        let callers = Callers::new();
        for caller in 0..INVENTED {
            let failed_as = (caller % 4 == 0).then_some(Measure::Refused);
            add(&callers, Ipv4Addr::from_bits(caller).into(), failed_as);
            // One call in a hundred is more than one in `COUNTERS`.
            if caller % 100 == 0 {
                callers.count(Key::Node([7; 32]), HOME, None);
            }
        }
        let (all, calls) = (u64::from(INVENTED) + u64::from(INVENTED) / 100, u64::from(INVENTED) / 100);
        let heavy = &callers.top(1)[0];
        assert!(heavy.node_id.is_some(), "{heavy:?}");
        // It had its counter from its first call, before all others.
        assert_eq!(heavy.calls, Count { value: calls, missed: 0 });
        assert_eq!(heavy.refused.value, 0);
        assert!(heavy.refused.missed <= u64::from(INVENTED) / 4 / COUNTERS as u64);
        assert!(callers.top(COUNTERS).iter().all(|caller| caller.calls.missed <= all / COUNTERS as u64));
        assert_eq!(callers.top(usize::MAX).len(), COUNTERS);
        let sketches = callers.lock();
        let bytes: usize =
            [&sketches.calls, &sketches.refused, &sketches.errors].map(Sketch::bytes).iter().sum();
        assert!(bytes < 300 << 10, "{bytes}");
    }
}
