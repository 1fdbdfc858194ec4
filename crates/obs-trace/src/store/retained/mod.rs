//! Traces that are kept beside the ring, so that a flood of other traces cannot evict them: errors and slowest of each
//! capability, the last that failed, and those that other nodes marked.

mod directory;
mod group;
mod pool;

use std::sync::Arc;

use smol_str::SmolStr;

pub(super) use self::directory::MAX_RESERVED;
use self::directory::{Directory, Entry, OTHERS, Table};
use self::group::Group;
use self::pool::Pool;
use crate::record::PeerNumber;
use crate::sync::{Mutex, MutexGuard, lock};
use crate::{Config, TraceRecord};

/// Most traces neither fail nor are slow. They only read the [`Directory`], which hardly ever changes.
pub(super) struct Retained {
    directory: Directory,
    /// Taken only for a trace that may be kept.
    kept: Mutex<AllKept>,
    max_traces: usize,
}

impl Retained {
    pub(super) fn new(config: &Config) -> Retained {
        let max_traces = config.kept_per_capability;
        let others = Group::new(max_traces);
        Retained {
            directory: Directory::new(config.max_capabilities, Arc::clone(&others.threshold)),
            kept: Mutex::new(AllKept {
                groups: vec![others],
                bytes: 0,
                reserved: 0,
                others: 0,
                only_reserved: false,
                max_capabilities: config.max_capabilities,
                // The kept traces may take a quarter of what the ring may take.
                max_bytes: config.ring_bytes / 4,
                // Capabilities are bounded by the groups. An eighth for each pool, so that one never takes of the other.
                failed: Pool::new(usize::MAX, config.kept_failed, config.ring_bytes / 8),
                marked: Pool::new(MAX_MARKERS, config.kept_failed, config.ring_bytes / 8),
            }),
            max_traces,
        }
    }

    /// Gives each of these capabilities its own group, and from now on no other if `only` is set. See
    /// [`Store::reserve`](crate::Store::reserve) and [`Store::trust`](crate::Store::trust).
    pub(super) fn reserve(&self, capabilities: &[SmolStr], only: bool) {
        let mut all = self.lock();
        all.only_reserved |= only;
        for capability in capabilities {
            all.reserve(capability, &self.directory, self.max_traces);
        }
    }

    /// Returns whether the trace should be [offered](Retained::offer): it failed, has a mark, or is slower than the fastest
    /// trace that is kept as slow for its capability.
    pub(super) fn wants(&self, record: &TraceRecord) -> bool {
        record.marker().is_some()
            || self.max_traces > 0 && (record.has_failed() || self.directory.wants(record))
    }

    /// Keeps the trace if it failed, has a mark, or is among the slowest of its capability. `is_broken` says whether a part of
    /// it failed by the time of its end.
    pub(super) fn offer(&self, record: &Arc<TraceRecord>, is_broken: bool) -> Offered {
        // Declared before the guard, so dropped after the lock is free.
        let (mut evicted, mut broken_evicted) = (Vec::new(), Vec::new());
        let mut all = self.lock();
        if self.max_traces > 0 {
            let group = all.group(record.capability(), &self.directory, self.max_traces);
            all.keep(record, group, &mut evicted);
            all.keep_budget(&mut evicted);
            if record.has_broken_here() {
                all.failed.push(owner_of_failure(group, record), record, &mut broken_evicted);
            }
        }
        if is_broken && !record.has_broken_here() {
            all.keep_marked(record, &mut broken_evicted);
        }
        let is_in = |evicted: &[Arc<TraceRecord>]| evicted.iter().any(|evicted| Arc::ptr_eq(evicted, record));
        let is_kept = !is_in(&evicted) || is_broken && !is_in(&broken_evicted);
        Offered { is_kept, broken_evicted: broken_evicted.len() as u64 }
    }

    /// Keeps a completed trace that has just been marked. Returns the number of traces that make room for it.
    pub(super) fn offer_marked(&self, record: &Arc<TraceRecord>) -> u64 {
        // As in `offer`.
        let mut evicted = Vec::new();
        let mut all = self.lock();
        all.keep_marked(record, &mut evicted);
        evicted.len() as u64
    }

    pub(super) fn all(&self) -> Vec<Arc<TraceRecord>> {
        let all = self.lock();
        let broken = all.failed.all().chain(all.marked.all());
        all.groups.iter().flat_map(Group::all).chain(broken).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, AllKept> {
        lock(&self.kept)
    }
}

/// Result of the offer of a trace.
pub(super) struct Offered {
    /// Whether it is kept, at first.
    pub(super) is_kept: bool,
    /// Failed or marked traces that made room for it.
    pub(super) broken_evicted: u64,
}

/// Returns the owner of a failed trace. Faults of the node and mistakes of callers have a share each for a capability, because
/// any caller can make mistakes without end.
fn owner_of_failure(group: usize, record: &TraceRecord) -> u64 {
    2 * group as u64 + u64::from(record.status().is_callers_fault())
}

/// Maximum number of peers with a share of the marked traces, as many as a node may have in its configuration.
const MAX_MARKERS: usize = 64;

/// All groups, and the traces of which a part failed. Invariant: `bytes` is the sum of the groups' bytes, and at most
/// `max_bytes` after each offer.
struct AllKept {
    /// The first is for all [`OTHERS`].
    groups: Vec<Group>,
    bytes: usize,
    reserved: usize,
    /// Groups of capabilities that are not reserved.
    others: usize,
    only_reserved: bool,
    max_capabilities: usize,
    max_bytes: usize,
    /// Traces that failed here, in shares of the groups, see [`owner_of_failure`].
    failed: Pool,
    /// Traces that a peer marked, in shares of the peers.
    marked: Pool,
}

impl AllKept {
    fn keep_marked(&mut self, record: &Arc<TraceRecord>, evicted: &mut Vec<Arc<TraceRecord>>) {
        if let Some(marker) = record.marker() {
            let owner = if marker == PeerNumber::OTHERS { pool::OTHERS } else { marker.number().into() };
            self.marked.push(owner, record, evicted);
        }
    }

    fn group(&mut self, capability: &str, directory: &Directory, max_traces: usize) -> usize {
        if let Some(entry) = directory.find(capability) {
            return entry.group;
        }
        if self.only_reserved || self.others >= self.max_capabilities {
            return OTHERS;
        }
        self.others += 1;
        self.add(capability, &directory.seen, max_traces)
    }

    fn reserve(&mut self, capability: &str, directory: &Directory, max_traces: usize) {
        let table = directory.reserved.get_or_init(|| Table::new(MAX_RESERVED));
        if self.reserved < MAX_RESERVED && directory.find(capability).is_none() {
            self.reserved += 1;
            self.add(capability, table, max_traces);
        }
    }

    fn add(&mut self, capability: &str, table: &Table, max_traces: usize) -> usize {
        let kept = Group::new(max_traces);
        let group = self.groups.len();
        let threshold = Arc::clone(&kept.threshold);
        let entry = Entry { capability: SmolStr::new(capability), group, threshold };
        // The group exists before its entry can be found.
        self.groups.push(kept);
        table.slot(capability).get_or_init(|| entry).group
    }

    fn keep(&mut self, record: &Arc<TraceRecord>, group: usize, evicted: &mut Vec<Arc<TraceRecord>>) {
        let group = &mut self.groups[group];
        let before = group.bytes;
        if record.has_failed() {
            evicted.extend(group.push_error(record));
        }
        evicted.extend(group.push_slow(record));
        self.bytes = self.bytes + group.bytes - before;
    }

    /// Evicts traces of the largest group until all fit, so that a capability with large traces costs the others
    /// nothing.
    fn keep_budget(&mut self, evicted: &mut Vec<Arc<TraceRecord>>) {
        while self.bytes > self.max_bytes {
            let largest = self.groups.iter_mut().max_by_key(|group| group.bytes);
            let Some(popped) = largest.and_then(Group::pop) else { return };
            self.bytes -= popped.bytes();
            evicted.push(popped);
        }
    }
}

#[cfg(all(test, not(obs_loom)))]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::group::nanos;
    use super::*;
    use crate::record::Outcome;

    fn offer(retained: &Retained, trace: &Arc<TraceRecord>) {
        retained.offer(trace, trace.is_broken());
    }

    /// Without the pools of failed traces, which have their own tests.
    fn config() -> Config {
        Config::default().kept_failed(0)
    }

    const KEPT: usize = 3;
    const CAPABILITIES: usize = 4;

    /// Returns the traces that must be kept, computed from all traces.
    fn expected(traces: &[Arc<TraceRecord>]) -> Vec<usize> {
        let mut own = Vec::new();
        let mut by_group: HashMap<&str, Vec<&Arc<TraceRecord>>> = HashMap::new();
        for trace in traces {
            let capability = trace.capability();
            if !own.contains(&capability) && own.len() < CAPABILITIES {
                own.push(capability);
            }
            let group = if own.contains(&capability) { capability } else { "others" };
            by_group.entry(group).or_default().push(trace);
        }
        let mut kept = Vec::new();
        for mut traces in by_group.into_values() {
            let failed = traces.iter().filter(|trace| trace.has_failed());
            kept.extend(failed.rev().take(KEPT).map(|trace| Arc::as_ptr(trace).addr()));
            // The sort is stable: of two equally slow traces the first stays.
            traces.sort_by_key(|trace| std::cmp::Reverse(nanos(trace)));
            kept.extend(traces.iter().take(KEPT).map(|trace| Arc::as_ptr(trace).addr()));
        }
        kept.sort_unstable();
        kept
    }

    proptest! {
        /// Traces that are not wanted would not have been kept, and of the others the right ones are.
        #[test]
        fn exactly_the_last_errors_and_the_slowest_are_kept(
            traces in proptest::collection::vec((0..7_usize, 0..40_u64, 0..5_usize), 0..120),
        ) {
            let config = config().kept_per_capability(KEPT).max_capabilities(CAPABILITIES);
            let retained = Retained::new(&config);
            let mut ended = Vec::new();
            for (capability, micros, failed) in traces {
                let outcome = if failed == 0 { Outcome::Panic } else { Outcome::Ok };
                let capability = ["a", "b", "c", "d", "e", "f", "g"][capability];
                let trace = TraceRecord::ended_after(micros * 1_000, capability, outcome);
                if retained.wants(&trace) {
                    offer(&retained, &trace);
                }
                ended.push(trace);
                let mut kept: Vec<_> = retained.all().iter().map(|trace| Arc::as_ptr(trace).addr()).collect();
                kept.sort_unstable();
                prop_assert_eq!(kept, expected(&ended));
            }
        }
    }

    #[test]
    fn made_up_names_evict_nothing_of_a_reserved_capability() {
        let retained = Retained::new(&config().kept_per_capability(KEPT));
        retained.reserve(&["ours".into()], true);
        let flood = |from: u64| {
            for n in from..from + 100_000 {
                let trace = TraceRecord::ended_after(n, &format!("made.up.{n}"), Outcome::Panic);
                if retained.wants(&trace) {
                    offer(&retained, &trace);
                }
            }
        };
        flood(1_000_000);
        retained.reserve(&["later".into(), "ours".into()], true);
        for capability in ["ours", "later"] {
            offer(&retained, &TraceRecord::ended_after(1, capability, Outcome::Panic));
            offer(&retained, &TraceRecord::ended_after(2, capability, Outcome::Ok));
        }
        flood(2_000_000);
        let kept = retained.all();
        let of = |capability| kept.iter().filter(|trace| trace.capability() == capability).count();
        // The failed trace is among the slowest as well.
        assert_eq!((of("ours"), of("later")), (3, 3));
        assert_eq!(kept.len() - 6, 2 * KEPT, "made-up names share a group");
    }

    #[test]
    fn a_trusted_name_has_a_place_and_leaves_those_of_others() {
        let retained = Retained::new(&config().kept_per_capability(KEPT).max_capabilities(CAPABILITIES));
        let failed = |capability: &str| TraceRecord::ended_after(1, capability, Outcome::Panic);
        let count = |retained: &Retained, capability: &str| {
            retained.all().iter().filter(|trace| trace.capability() == capability).count()
        };
        retained.reserve(&["web:GET /early".into()], false);
        for n in 0..100 {
            offer(&retained, &failed(&format!("made.up.{n}")));
        }
        retained.reserve(&["web:GET /late".into()], false);
        offer(&retained, &failed("web:GET /early"));
        offer(&retained, &failed("web:GET /late"));
        for n in 100..200 {
            offer(&retained, &failed(&format!("made.up.{n}")));
        }
        for name in ["web:GET /early", "web:GET /late", "made.up.0", "made.up.3"] {
            // The failed trace is among the slowest as well.
            assert_eq!(count(&retained, name), 2, "{name}");
        }
        assert_eq!(retained.lock().groups.len(), 1 + CAPABILITIES + 2);
    }

    #[test]
    fn reservations_are_bounded() {
        let retained = Retained::new(&config());
        for n in 0..10 * MAX_RESERVED {
            retained.reserve(&[SmolStr::new(format!("offered.{n}"))], true);
        }
        assert_eq!(retained.lock().groups.len(), MAX_RESERVED + 1);
        offer(&retained, &TraceRecord::ended_after(1, "offered.5000", Outcome::Panic));
        assert_eq!(retained.all().len(), 2, "kept with all others");
    }

    #[test]
    fn a_trace_faster_than_all_kept_ones_is_not_wanted() {
        let retained = Retained::new(&config().kept_per_capability(2));
        let trace = |ms: u64, outcome| TraceRecord::ended_after(ms * 1_000_000, "llm.chat", outcome);
        for ms in [5, 7] {
            offer(&retained, &trace(ms, Outcome::Ok));
        }
        assert!(!retained.wants(&trace(4, Outcome::Ok)));
        assert!(retained.wants(&trace(6, Outcome::Ok)) && retained.wants(&trace(4, Outcome::Cancelled)));
        assert!(
            retained.wants(&TraceRecord::ended_after(0, "rag.query", Outcome::Ok)),
            "of another capability"
        );
    }
}
