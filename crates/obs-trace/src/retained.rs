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
    bytes: usize,
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

    /// Keeps the trace if it failed or is among the slowest of its capability. What is given up for it is
    /// given back, to be dropped when no lock is held.
    pub(crate) fn offer(&mut self, record: &Arc<TraceRecord>) -> Vec<Arc<TraceRecord>> {
        let mut given_up = Vec::new();
        if self.max_traces == 0 {
            return given_up;
        }
        let max_traces = self.max_traces;
        let kept = self.place(record.capability());
        let before = kept.bytes;
        if record.has_failed() {
            given_up.extend(kept.push_error(record, max_traces));
        }
        given_up.extend(kept.push_slow(record, max_traces));
        let after = kept.bytes;
        self.bytes = self.bytes + after - before;
        self.keep_budget(&mut given_up);
        given_up
    }

    /// The capability that takes the most gives up what it has, so that one with large traces costs the
    /// others nothing.
    fn keep_budget(&mut self, given_up: &mut Vec<Arc<TraceRecord>>) {
        while self.bytes > self.max_bytes {
            let places = self.by_capability.values_mut().chain([&mut self.others]);
            let largest = places.max_by_key(|kept| kept.bytes);
            let Some(least) = largest.and_then(Kept::pop_least) else { return };
            self.bytes -= least.bytes();
            given_up.push(least);
        }
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
    /// Gives what it took the place of.
    fn push_error(&mut self, record: &Arc<TraceRecord>, limit: usize) -> Option<Arc<TraceRecord>> {
        let oldest = if self.errors.len() >= limit { self.pop_error() } else { None };
        self.errors.push_back(Arc::clone(record));
        self.bytes += record.bytes();
        oldest
    }

    /// Gives what it took the place of, if it is among the slowest.
    fn push_slow(&mut self, record: &Arc<TraceRecord>, limit: usize) -> Option<Arc<TraceRecord>> {
        let duration = record.duration();
        let is_full = self.slowest.len() >= limit;
        if is_full && self.slowest.front().is_some_and(|(fastest, _)| duration <= *fastest) {
            return None;
        }
        let fastest = if is_full { self.pop_slow() } else { None };
        let place = self.slowest.partition_point(|(known, _)| *known < duration);
        self.slowest.insert(place, (duration, Arc::clone(record)));
        self.bytes += record.bytes();
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
        Some(record)
    }
}
