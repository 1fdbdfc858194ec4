//! Calls of the last five minutes: requests, errors and times by capability, and the causes of the failures.
//!
//! Memory is bounded whatever callers and peers send: [`MAX_CAPABILITIES`] windows of about 5 KiB, and
//! [`MAX_CAUSES`](causes::MAX_CAUSES) causes of less than 1 KiB, about 500 KiB together.

mod causes;
mod slots;
mod times;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use obs_facade::trace;

pub(crate) use self::causes::CauseCount;
use self::causes::{Causes, Failed};
use self::slots::{SLOT, Slots};
use self::times::Times;
use crate::wire::error::CallError;

/// Length of the window. The oldest slot of 15 s leaves it as a whole, so that it covers 285 to 300 s.
pub(crate) const WINDOW: Duration = Duration::from_secs(SLOT.as_secs() * slots::COUNT as u64);

/// Number of capabilities with a window of their own, far more than a node and its peers offer.
const MAX_CAPABILITIES: usize = 64;

/// Name under which calls of all further capabilities are counted. No capability can have it.
pub(crate) const OTHERS: &str = "(others)";

/// Counts of the last five minutes.
pub(crate) struct Recent {
    // Instants do not change when the wall clock is set.
    started: Instant,
    // Held for a few additions by a call, and for the sum of all slots by a reader, which takes some ten microseconds.
    window: Mutex<Window>,
}

#[derive(Default)]
struct Window {
    /// A vector, because a search among a few names is quicker than a hash.
    by_capability: Vec<(String, Slots<Calls>)>,
    causes: Causes,
    since_start: Totals,
}

/// Counts since the start of the node. Differences between two readings are rates.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Totals {
    pub(crate) requests: u64,
    pub(crate) errors: u64,
}

/// Counts of one capability in one slot.
#[derive(Clone, Debug, Default)]
struct Calls {
    requests: u32,
    errors: u32,
    times: Times,
}

/// Counts of a capability over the window. Times are `None` without a call that ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CapabilityCount {
    pub(crate) capability: String,
    pub(crate) requests: u64,
    pub(crate) errors: u64,
    pub(crate) p50_ms: Option<f64>,
    pub(crate) p95_ms: Option<f64>,
    pub(crate) p99_ms: Option<f64>,
}

/// State of the window at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Summary {
    /// Most called first.
    pub(crate) by_capability: Vec<CapabilityCount>,
    /// Faults of the node first, then the most frequent first.
    pub(crate) causes: Vec<CauseCount>,
    pub(crate) since_start: Totals,
}

impl Summary {
    pub(crate) fn requests(&self) -> u64 {
        self.by_capability.iter().map(|counted| counted.requests).sum()
    }

    pub(crate) fn errors(&self) -> u64 {
        self.by_capability.iter().map(|counted| counted.errors).sum()
    }
}

impl Recent {
    pub(crate) fn new() -> Arc<Recent> {
        Arc::new(Recent { started: Instant::now(), window: Mutex::default() })
    }

    /// Begins a call of `capability`, which is counted when it ends.
    pub(super) fn begin(self: &Arc<Recent>, capability: &str) -> Ongoing {
        Ongoing {
            recent: self.clone(),
            capability: capability.to_owned(),
            begun: Instant::now(),
            is_ended: false,
        }
    }

    pub(crate) fn summary(&self) -> Summary {
        let now = self.slot_at(Instant::now());
        let window = self.lock();
        let mut by_capability: Vec<_> =
            window.by_capability.iter().filter_map(|(name, slots)| count(name, slots, now)).collect();
        let (causes, since_start) = (window.causes.counts(now), window.since_start);
        drop(window);
        by_capability
            .sort_by(|a, b| b.requests.cmp(&a.requests).then_with(|| a.capability.cmp(&b.capability)));
        Summary { by_capability, causes, since_start }
    }

    /// Counts a call. Without `took` it was cancelled.
    fn count(&self, capability: &str, at: Instant, took: Option<Duration>, failed: Option<&Failed<'_>>) {
        let slot = self.slot_at(at);
        let mut window = self.lock();
        window.since_start.requests += 1;
        window.since_start.errors += u64::from(failed.is_some());
        let calls = window.slots_of(capability, slot).at(slot);
        calls.requests = calls.requests.saturating_add(1);
        calls.errors = calls.errors.saturating_add(u32::from(failed.is_some()));
        took.into_iter().for_each(|took| calls.times.add(took));
        if let Some(failed) = failed {
            window.causes.add(failed, slot);
        }
    }

    fn slot_at(&self, at: Instant) -> u64 {
        at.saturating_duration_since(self.started).as_secs() / SLOT.as_secs()
    }

    fn lock(&self) -> MutexGuard<'_, Window> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Window {
    /// Returns the slots of `capability`, or those of all others if there is no room.
    fn slots_of(&mut self, capability: &str, now: u64) -> &mut Slots<Calls> {
        let at = self.find(capability).unwrap_or_else(|| {
            if self.by_capability.len() >= MAX_CAPABILITIES - 1 {
                self.by_capability.retain(|(_, slots)| !slots.is_idle(now));
            }
            match self.by_capability.len() < MAX_CAPABILITIES - 1 {
                true => self.insert(capability),
                // The last place is for all others.
                false => self.find(OTHERS).unwrap_or_else(|| self.insert(OTHERS)),
            }
        });
        &mut self.by_capability[at].1
    }

    fn find(&self, capability: &str) -> Option<usize> {
        self.by_capability.iter().position(|(name, _)| name == capability)
    }

    fn insert(&mut self, capability: &str) -> usize {
        self.by_capability.push((capability.to_owned(), Slots::default()));
        self.by_capability.len() - 1
    }
}

fn count(capability: &str, slots: &Slots<Calls>, now: u64) -> Option<CapabilityCount> {
    let (mut requests, mut errors, mut times) = (0, 0, Times::default());
    for calls in slots.within(now) {
        requests += u64::from(calls.requests);
        errors += u64::from(calls.errors);
        times.merge(&calls.times);
    }
    let ms = |share| times.quantile_ms(share);
    (requests > 0).then(|| CapabilityCount {
        capability: capability.to_owned(),
        requests,
        errors,
        p50_ms: ms(0.5),
        p95_ms: ms(0.95),
        p99_ms: ms(0.99),
    })
}

/// Call in progress. If it is dropped before its end, its caller has left, which is a request without an error.
pub(super) struct Ongoing {
    recent: Arc<Recent>,
    capability: String,
    begun: Instant,
    is_ended: bool,
}

impl Ongoing {
    pub(super) fn succeeded(mut self) {
        self.is_ended = true;
        let now = Instant::now();
        self.recent.count(&self.capability, now, Some(now - self.begun), None);
    }

    /// Counts the failure. `cause` is the line of [`CallError::cause`].
    pub(super) fn failed(mut self, error: &CallError, cause: &str) {
        self.is_ended = true;
        let now = Instant::now();
        let failed = Failed {
            capability: &self.capability,
            code: error.code.as_str(),
            cause,
            is_callers_mistake: error.code.is_callers_mistake(),
            trace_id: trace::current_trace().map(|trace| trace.id()),
        };
        self.recent.count(&self.capability, now, Some(now - self.begun), Some(&failed));
    }
}

impl Drop for Ongoing {
    fn drop(&mut self) {
        if !self.is_ended {
            self.recent.count(&self.capability, Instant::now(), None, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::error::Code;

    #[test]
    fn calls_are_counted_by_their_end() {
        let recent = Recent::new();
        recent.begin("a").succeeded();
        recent.begin("a").failed(&Code::PARTITION.because("down"), "connection refused");
        drop(recent.begin("a"));
        recent.begin("b").succeeded();
        let summary = recent.summary();
        let counts: Vec<_> = summary
            .by_capability
            .iter()
            .map(|counted| (counted.capability.as_str(), counted.requests, counted.errors))
            .collect();
        assert_eq!(counts, [("a", 3, 1), ("b", 1, 0)]);
        assert_eq!((summary.requests(), summary.errors()), (4, 1));
        assert_eq!(summary.since_start, Totals { requests: 4, errors: 1 });
        let causes: Vec<_> =
            summary.causes.iter().map(|cause| (cause.code.as_str(), cause.cause.as_str())).collect();
        assert_eq!(causes, [("partition", "connection refused")]);
    }

    #[test]
    fn a_call_leaves_the_window_after_five_minutes() {
        let recent = Recent::new();
        let error = Failed {
            capability: "a",
            code: "timeout",
            cause: "late",
            is_callers_mistake: false,
            trace_id: None,
        };
        let at = |seconds| recent.started + Duration::from_secs(seconds);
        recent.count("a", at(1), Some(Duration::from_millis(3)), Some(&error));
        let window = recent.lock();
        let counted = |seconds| count("a", &window.by_capability[0].1, recent.slot_at(at(seconds)));
        assert_eq!(counted(285).map(|counted| counted.requests), Some(1));
        assert_eq!(counted(300), None);
        assert_eq!(window.causes.counts(recent.slot_at(at(299))).len(), 1);
        assert!(window.causes.counts(recent.slot_at(at(300))).is_empty());
    }

    #[test]
    fn invented_capabilities_share_one_window_and_idle_ones_make_room() {
        let recent = Recent::new();
        let call = |name: &str, second| {
            recent.count(name, recent.started + Duration::from_secs(second), None, None);
        };
        (0..10_000).for_each(|n| call(&format!("invented.{n}"), 0));
        let summary = recent.summary();
        assert_eq!(summary.by_capability.len(), MAX_CAPABILITIES);
        assert_eq!(summary.requests(), 10_000, "no call is lost");
        assert_eq!(summary.by_capability[0].capability, OTHERS);
        call("rag.query", 301);
        let window = recent.lock();
        let names: Vec<_> = window.by_capability.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["rag.query"]);
    }
}
