//! Group of kept traces: the last errors and the slowest.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::TraceRecord;
use crate::sync::atomic::{AtomicU64, Ordering};

/// Nanoseconds that the next trace must last to be among the slowest of its group. 0 while the group has room.
pub(super) type Threshold = Arc<AtomicU64>;

/// Kept traces of one capability, or of all [`OTHERS`](super::directory::OTHERS).
pub(super) struct Group {
    /// Oldest first.
    errors: VecDeque<Arc<TraceRecord>>,
    /// With their nanoseconds, the fastest first.
    slowest: VecDeque<(u64, Arc<TraceRecord>)>,
    pub(super) bytes: usize,
    pub(super) threshold: Threshold,
    max_traces: usize,
}

impl Group {
    pub(super) fn new(max_traces: usize) -> Group {
        Group {
            errors: VecDeque::new(),
            slowest: VecDeque::new(),
            bytes: 0,
            threshold: Arc::default(),
            max_traces,
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<TraceRecord>> {
        self.errors.iter().chain(self.slowest.iter().map(|(_, record)| record))
    }

    /// Adds an error. Returns the one that it replaces.
    pub(super) fn push_error(&mut self, record: &Arc<TraceRecord>) -> Option<Arc<TraceRecord>> {
        // At the end, but for a restored trace and for traces that ended at once.
        let position = self.errors.partition_point(|known| ticket(known) <= ticket(record));
        self.errors.insert(position, Arc::clone(record));
        self.bytes += record.bytes();
        if self.errors.len() > self.max_traces { self.pop_error() } else { None }
    }

    /// Adds a trace if it is among the slowest. Returns the one that it replaces.
    pub(super) fn push_slow(&mut self, record: &Arc<TraceRecord>) -> Option<Arc<TraceRecord>> {
        let nanos = nanos(record);
        // Relaxed: written only under the lock that the caller holds.
        if nanos < self.threshold.load(Ordering::Relaxed) {
            return None;
        }
        let fastest = if self.slowest.len() >= self.max_traces { self.pop_slow() } else { None };
        let position = self.slowest.partition_point(|(known, _)| *known < nanos);
        self.slowest.insert(position, (nanos, Arc::clone(record)));
        self.bytes += record.bytes();
        self.note_threshold();
        fastest
    }

    /// Removes the oldest error or the fastest trace, from the longer of the two lists.
    pub(super) fn pop(&mut self) -> Option<Arc<TraceRecord>> {
        if self.errors.len() > self.slowest.len() { self.pop_error() } else { self.pop_slow() }
    }

    fn pop_error(&mut self) -> Option<Arc<TraceRecord>> {
        self.errors.pop_front().inspect(|record| self.bytes -= record.bytes())
    }

    fn pop_slow(&mut self) -> Option<Arc<TraceRecord>> {
        let (_, record) = self.slowest.pop_front()?;
        self.bytes -= record.bytes();
        self.note_threshold();
        Some(record)
    }

    fn note_threshold(&self) {
        let is_full = self.slowest.len() >= self.max_traces;
        // One nanosecond more than the fastest: of two equally slow traces the first stays.
        let threshold =
            self.slowest.front().filter(|_| is_full).map_or(0, |(fastest, _)| fastest.saturating_add(1));
        // Relaxed: readers without the lock take it as a hint.
        self.threshold.store(threshold, Ordering::Relaxed);
    }
}

fn ticket(record: &TraceRecord) -> u64 {
    // Relaxed: written before the trace was offered, by the same thread or under the lock of its shard.
    record.ticket().load(Ordering::Relaxed)
}

/// Returns the duration of a trace as the groups compare it.
pub(super) fn nanos(record: &TraceRecord) -> u64 {
    record.duration().as_nanos() as u64
}
