//! The last completed traces, bounded in number and in bytes (T5).
//!
//! Each lane keeps the traces that ended in it, and tickets put them in one order. A lane makes room by what it kept
//! itself: were it what another thread kept, every trace would take a piece of memory over from the other processor,
//! at three times the price of the trace.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};

use crate::TraceRecord;
use crate::apart::Apart;
use crate::store::lane_number::LANES;

/// What the lanes' parts of the ring have in common.
pub(crate) struct Ring {
    capacity: AtomicU64,
    max_bytes: AtomicUsize,
    /// The ticket that the next trace gets; tickets count completed traces.
    head: Apart<AtomicU64>,
    /// As far as the parts have told it.
    bytes: Apart<AtomicI64>,
}

impl Ring {
    pub(crate) fn new(capacity: usize, max_bytes: usize) -> Ring {
        Ring {
            capacity: AtomicU64::new(capacity as u64),
            max_bytes: AtomicUsize::new(max_bytes),
            head: Apart::default(),
            bytes: Apart::default(),
        }
    }

    /// To be called while no part is in use.
    pub(crate) fn resize(&self, capacity: usize, max_bytes: usize) {
        self.capacity.store(capacity as u64, Ordering::Relaxed);
        self.max_bytes.store(max_bytes, Ordering::Relaxed);
    }

    /// The tickets of the traces that are in the ring, as far as their bytes have let them stay.
    pub(crate) fn tickets(&self) -> std::ops::Range<u64> {
        let head = self.head.load(Ordering::Relaxed);
        self.oldest_but(head)..head
    }

    fn oldest_but(&self, head: u64) -> u64 {
        head.saturating_sub(self.capacity.load(Ordering::Relaxed))
    }

    /// Whether a trace with this ticket should have gone a while ago: a lane in use makes room by itself.
    pub(crate) fn is_overdue(&self, ticket: u64, newest: u64) -> bool {
        let patience = self.capacity.load(Ordering::Relaxed) / 64;
        ticket < self.oldest_but(newest).saturating_sub(patience)
    }

    /// Whether traces are to go although there are not too many of them.
    pub(crate) fn is_too_large(&self) -> bool {
        let untold = LANES * self.granule();
        let most = self.max_bytes.load(Ordering::Relaxed) - untold;
        self.bytes.load(Ordering::Relaxed) > i64::try_from(most).unwrap_or(i64::MAX)
    }

    /// So many bytes a part may keep to itself, so that not every trace changes what all share.
    fn granule(&self) -> usize {
        self.max_bytes.load(Ordering::Relaxed) / (256 * LANES)
    }

    /// With what the parts have not told it yet.
    pub(crate) fn bytes(&self, untold: i64) -> usize {
        usize::try_from(self.bytes.load(Ordering::Relaxed) + untold).unwrap_or(0)
    }
}

/// The traces that ended in one lane.
#[derive(Default)]
pub(crate) struct Part {
    /// By their tickets, the oldest first.
    traces: VecDeque<(u64, Arc<TraceRecord>)>,
    /// Bytes that have come, less those that have gone, since the ring was told.
    untold: i64,
}

/// Stands for the ticket of no trace.
pub(crate) const NONE: u64 = u64::MAX;

/// What a part gives up at once, to be dropped when its lane is free again.
type GivenUp = [Option<Arc<TraceRecord>>; 2];

impl Part {
    /// Puts a trace in; gives its ticket and the first ones that have no place any more.
    pub(crate) fn push(&mut self, ring: &Ring, record: &Arc<TraceRecord>) -> (u64, GivenUp) {
        let ticket = ring.head.fetch_add(1, Ordering::Relaxed);
        record.ticket().store(ticket, Ordering::Relaxed);
        // Two at most, and one in the long run: how threads take turns differs from round to round.
        let given_up = [(); 2].map(|()| self.pop_before(ring.oldest_but(ticket + 1)));
        self.untold += record.bytes() as i64;
        self.traces.push_back((ticket, Arc::clone(record)));
        self.tell(ring);
        (ticket, given_up)
    }

    /// Gives up the oldest trace, if its ticket is smaller than `limit`.
    pub(crate) fn pop_before(&mut self, limit: u64) -> Option<Arc<TraceRecord>> {
        if self.oldest() >= limit {
            return None;
        }
        let (_, record) = self.traces.pop_front()?;
        self.untold -= record.bytes() as i64;
        // A lane that had its time does not keep the places of all traces for good.
        let places = self.traces.capacity();
        if places > FEW && self.traces.len() < places / 4 {
            self.traces.shrink_to(places / 2);
        }
        Some(record)
    }

    pub(crate) fn oldest(&self) -> u64 {
        self.traces.front().map_or(NONE, |(ticket, _)| *ticket)
    }

    pub(crate) fn untold(&self) -> i64 {
        self.untold
    }

    /// Tells the ring of the bytes, unless it is too little to matter.
    pub(crate) fn tell(&mut self, ring: &Ring) {
        if self.untold.unsigned_abs() > ring.granule() as u64 {
            ring.bytes.fetch_add(std::mem::take(&mut self.untold), Ordering::Relaxed);
        }
    }

    /// Some of the traces with these tickets, the newest last, with their tickets: at most `limit`, the newest of them.
    pub(crate) fn newest(&self, tickets: std::ops::Range<u64>, limit: usize) -> Vec<(u64, Arc<TraceRecord>)> {
        let end = self.traces.partition_point(|(ticket, _)| *ticket < tickets.end);
        let begin = self.traces.partition_point(|(ticket, _)| *ticket < tickets.start).min(end);
        self.traces.range(begin.max(end.saturating_sub(limit))..end).cloned().collect()
    }
}

const FEW: usize = 64;
