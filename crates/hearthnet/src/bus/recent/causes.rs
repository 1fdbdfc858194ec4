//! Causes of failed calls: the most frequent ones in full, and all others together.

use std::cmp::Reverse;
use std::time::SystemTime;

use obs_facade::trace::TraceId;

use super::OTHERS;
use super::slots::Slots;

/// Number of causes that are kept. Each has a line of 240 bytes at most, two names and its counts: less than 1 KiB.
pub(super) const MAX_CAUSES: usize = 128;
/// Number of causes of one capability and code. Texts of a caller, such as the name of a model, may differ in each
/// call. They must not push out the causes of other failures.
const MAX_OF_A_KIND: usize = 8;
/// Text for the causes that have no place of their own.
const OTHER_CAUSES: &str = "other causes";

/// Failure of one call.
pub(super) struct Failed<'a> {
    pub(super) capability: &'a str,
    pub(super) code: &'a str,
    pub(super) cause: &'a str,
    pub(super) is_callers_mistake: bool,
    pub(super) trace_id: Option<TraceId>,
}

/// Number of failures with one cause in the window.
#[derive(Clone, Debug)]
pub(crate) struct CauseCount {
    pub(crate) capability: String,
    pub(crate) code: String,
    pub(crate) cause: String,
    pub(crate) count: u64,
    pub(crate) first_at: SystemTime,
    pub(crate) last_at: SystemTime,
    /// Trace of the last failure.
    pub(crate) trace_id: Option<TraceId>,
}

#[derive(Default)]
pub(super) struct Causes(Vec<Known>);

struct Known {
    capability: String,
    code: String,
    cause: String,
    is_callers_mistake: bool,
    slots: Slots<u32>,
    first_at: SystemTime,
    last_at: SystemTime,
    trace_id: Option<TraceId>,
}

impl Known {
    fn is(&self, capability: &str, code: &str, cause: &str) -> bool {
        // The cause differs most often, but is the longest. The lengths are compared first.
        self.code == code && self.capability == capability && self.cause == cause
    }
}

impl Causes {
    pub(super) fn add(&mut self, failed: &Failed<'_>, slot: u64) {
        let at = self.place_of(failed, slot);
        let (known, now) = (&mut self.0[at], SystemTime::now());
        if known.slots.is_idle(slot) {
            known.first_at = now;
        }
        let count = known.slots.at(slot);
        *count = count.saturating_add(1);
        known.last_at = now;
        known.trace_id = failed.trace_id;
    }

    /// Returns the index of the cause, which is new if there is room.
    fn place_of(&mut self, failed: &Failed<'_>, slot: u64) -> usize {
        let Failed { capability, code, cause, is_callers_mistake, .. } = *failed;
        if let Some(at) = self.find(capability, code, cause) {
            return at;
        }
        let of_kind = |known: &&Known| known.capability == capability && known.code == code;
        if self.0.len() >= MAX_CAUSES - 1 || self.0.iter().filter(of_kind).count() >= MAX_OF_A_KIND - 1 {
            self.0.retain(|known| !known.slots.is_idle(slot));
        }
        let has_place = self.0.len() < MAX_CAUSES - 1;
        match self.0.iter().filter(of_kind).count() {
            alike if has_place && alike < MAX_OF_A_KIND - 1 => {
                self.insert(capability, code, cause, is_callers_mistake)
            }
            // The last place of a kind, and the last of all, take what has no place of its own.
            _ if has_place || self.find(capability, code, OTHER_CAUSES).is_some() => {
                self.find_or_insert(capability, code, OTHER_CAUSES, is_callers_mistake)
            }
            // It may have faults of the node too, but does not say which. Causes that do come first.
            _ => self.find_or_insert(OTHERS, OTHERS, OTHER_CAUSES, true),
        }
    }

    fn find(&self, capability: &str, code: &str, cause: &str) -> Option<usize> {
        self.0.iter().position(|known| known.is(capability, code, cause))
    }

    fn find_or_insert(
        &mut self,
        capability: &str,
        code: &str,
        cause: &str,
        is_callers_mistake: bool,
    ) -> usize {
        self.find(capability, code, cause)
            .unwrap_or_else(|| self.insert(capability, code, cause, is_callers_mistake))
    }

    fn insert(&mut self, capability: &str, code: &str, cause: &str, is_callers_mistake: bool) -> usize {
        self.0.push(Known {
            capability: capability.to_owned(),
            code: code.to_owned(),
            cause: cause.to_owned(),
            is_callers_mistake,
            slots: Slots::default(),
            first_at: SystemTime::UNIX_EPOCH,
            last_at: SystemTime::UNIX_EPOCH,
            trace_id: None,
        });
        self.0.len() - 1
    }

    /// Returns the causes in the window that ends with the slot `now`. Faults of the node come first, because its owner can mend
    /// them and any caller can make more of the others. Then the most frequent ones do.
    pub(super) fn counts(&self, now: u64) -> Vec<CauseCount> {
        let count_of = |known: &Known| known.slots.within(now).map(|count| u64::from(*count)).sum::<u64>();
        let mut found: Vec<(&Known, u64)> = self
            .0
            .iter()
            .filter(|known| !known.slots.is_idle(now))
            .map(|known| (known, count_of(known)))
            .collect();
        found.sort_by_key(|(known, count)| {
            (known.is_callers_mistake, Reverse(*count), Reverse(known.last_at))
        });
        let shown = |(known, count): (&Known, u64)| CauseCount {
            capability: known.capability.clone(),
            code: known.code.clone(),
            cause: known.cause.clone(),
            count,
            first_at: known.first_at,
            last_at: known.last_at,
            trace_id: known.trace_id,
        };
        found.into_iter().map(shown).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::error::Code;

    fn add(causes: &mut Causes, capability: &str, code: &str, cause: &str, slot: u64) {
        let is_callers_mistake = Code::parse(code).is_some_and(Code::is_callers_mistake);
        causes.add(&Failed { capability, code, cause, is_callers_mistake, trace_id: None }, slot);
    }

    #[test]
    fn faults_of_the_node_come_before_mistakes_of_callers() {
        let mut causes = Causes::default();
        for (code, count) in [("not_found", 5), ("timeout", 1), ("bad_request", 2), ("internal_error", 3)] {
            let is_callers_mistake = Code::parse(code).unwrap().is_callers_mistake();
            let failed =
                Failed { capability: "llm.chat", code, cause: "why", is_callers_mistake, trace_id: None };
            (0..count).for_each(|_| causes.add(&failed, 0));
        }
        let counts = causes.counts(0);
        let codes: Vec<_> = counts.iter().map(|cause| cause.code.as_str()).collect();
        assert_eq!(codes, ["internal_error", "timeout", "not_found", "bad_request"]);
    }

    #[test]
    fn texts_of_a_caller_do_not_push_out_other_causes() {
        let mut causes = Causes::default();
        (0..10_000).for_each(|n| add(&mut causes, "llm.chat", "not_implemented", &format!("model {n}"), 0));
        add(&mut causes, "llm.chat", "partition", "connection refused", 0);
        let counts = causes.counts(0);
        assert_eq!(counts.len(), MAX_OF_A_KIND + 1);
        assert_eq!(counts.iter().map(|cause| cause.count).sum::<u64>(), 10_001);
        assert_eq!(counts[0].cause, "connection refused");
        assert_eq!((counts[1].cause.as_str(), counts[1].count), (OTHER_CAUSES, 10_000 - 7));
    }

    #[test]
    fn the_number_of_causes_is_bounded_and_no_failure_is_lost() {
        let mut causes = Causes::default();
        for n in 0..20_000 {
            let (name, code) = (format!("capability.{}", n % 97), format!("code_{}", n % 41));
            add(&mut causes, &name, &code, &format!("cause {n}"), 0);
        }
        let counts = causes.counts(0);
        assert!(counts.len() <= MAX_CAUSES, "{}", counts.len());
        assert_eq!(counts.iter().map(|cause| cause.count).sum::<u64>(), 20_000);
        // A cause outside of the window makes room.
        add(&mut causes, "llm.chat", "partition", "connection refused", 100);
        assert_eq!(causes.0.len(), 1);
    }
}
