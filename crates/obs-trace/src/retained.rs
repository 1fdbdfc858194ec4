//! The errors and the slowest traces of each capability, kept beside the ring so that a flood of
//! other traces cannot push them out (T5).

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use smol_str::SmolStr;

use crate::TraceRecord;
use crate::config::Config;

pub(crate) struct Retained {
    /// The first capabilities to be seen have a place each: names are made up by peers, and those
    /// that are made up later must not push out the ones that are real.
    by_capability: HashMap<SmolStr, Kept>,
    others: Kept,
    bytes: usize,
    max_capabilities: usize,
    max_traces: usize,
    max_bytes: usize,
}

#[derive(Default)]
struct Kept {
    /// Oldest first.
    errors: VecDeque<Arc<TraceRecord>>,
    /// Fastest first.
    slowest: VecDeque<(Duration, Arc<TraceRecord>)>,
}

impl Retained {
    pub(crate) fn new(config: &Config) -> Retained {
        Retained {
            by_capability: HashMap::new(),
            others: Kept::default(),
            bytes: 0,
            max_capabilities: config.max_capabilities,
            max_traces: config.kept_per_capability,
            max_bytes: config.ring_bytes / 4,
        }
    }

    /// Applies other bounds and begins anew; what was kept is given back.
    pub(crate) fn reconfigured(&mut self, config: &Config) -> Retained {
        std::mem::replace(self, Retained::new(config))
    }

    /// Keeps the trace if it failed or is among the slowest of its capability. What it takes the
    /// place of is given back, to be dropped when no lock is held.
    pub(crate) fn offer(&mut self, record: &Arc<TraceRecord>) -> [Option<Arc<TraceRecord>>; 2] {
        if self.max_traces == 0 || self.bytes + record.bytes() > self.max_bytes {
            return [None, None];
        }
        let max_traces = self.max_traces;
        let kept = self.place(record.capability());
        let error = record.has_failed().then(|| kept.push_error(record, max_traces));
        let slow = kept.push_slow(record, max_traces);
        [error, slow].map(|replaced| replaced.and_then(|old| self.account(record, old)))
    }

    /// Books that `record` was kept and `old` was not any longer.
    fn account(&mut self, record: &TraceRecord, old: Option<Arc<TraceRecord>>) -> Option<Arc<TraceRecord>> {
        self.bytes += record.bytes();
        self.bytes -= old.as_ref().map_or(0, |old| old.bytes());
        old
    }

    fn place(&mut self, capability: &str) -> &mut Kept {
        let has_place = self.by_capability.len() < self.max_capabilities;
        if has_place && !self.by_capability.contains_key(capability) {
            self.by_capability.insert(SmolStr::new(capability), Kept::default());
        }
        self.by_capability.get_mut(capability).unwrap_or(&mut self.others)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<TraceRecord>> {
        let places = self.by_capability.values().chain([&self.others]);
        places.flat_map(|kept| kept.errors.iter().chain(kept.slowest.iter().map(|(_, record)| record)))
    }
}

impl Kept {
    fn push_error(&mut self, record: &Arc<TraceRecord>, limit: usize) -> Option<Arc<TraceRecord>> {
        let oldest = if self.errors.len() >= limit { self.errors.pop_front() } else { None };
        self.errors.push_back(Arc::clone(record));
        oldest
    }

    /// `None` if it is not among the slowest, else what it took the place of.
    fn push_slow(&mut self, record: &Arc<TraceRecord>, limit: usize) -> Option<Option<Arc<TraceRecord>>> {
        let duration = record.duration();
        let is_full = self.slowest.len() >= limit;
        if is_full && self.slowest.front().is_some_and(|(fastest, _)| duration <= *fastest) {
            return None;
        }
        let fastest = if is_full { self.slowest.pop_front().map(|(_, record)| record) } else { None };
        let place = self.slowest.partition_point(|(known, _)| *known < duration);
        self.slowest.insert(place, (duration, Arc::clone(record)));
        Some(fastest)
    }
}
