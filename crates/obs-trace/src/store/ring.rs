//! Ring of the last completed traces, bounded in number and in bytes.
//!
//! Each shard keeps the traces that ended in it, and tickets put all of them in one order. A shard makes room by evicting
//! its own traces. Evicting those of another shard would move memory from the other processor at every trace, which costs
//! three times as much as the trace itself.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use crossbeam_utils::CachePadded;

use super::spares::Spares;
use crate::TraceRecord;
use crate::prefetch::prefetch;
use crate::sync::IS_MODEL;
use crate::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};

/// Number of parts of the ring, one for each shard.
pub(super) const PARTS: usize = if IS_MODEL { 2 } else { 16 };

/// Data that all parts of the ring share.
pub(super) struct Ring {
    capacity: AtomicU64,
    max_bytes: AtomicUsize,
    /// Ticket of the next trace. Tickets count completed traces, from [`FIRST_TICKET`] on.
    head: CachePadded<AtomicU64>,
    /// Lowest ticket that a restored trace has.
    restored: AtomicU64,
    /// Bytes that the parts have reported.
    bytes: CachePadded<AtomicI64>,
}

// All orderings of this file are relaxed: the traces themselves are published by the locks of their shards. The atomics
// are counters and limits, which only have to be whole.
impl Ring {
    pub(super) fn new(capacity: usize, max_bytes: usize) -> Ring {
        Ring {
            capacity: AtomicU64::new(capacity as u64),
            max_bytes: AtomicUsize::new(max_bytes),
            head: CachePadded::new(AtomicU64::new(FIRST_TICKET)),
            restored: AtomicU64::new(FIRST_TICKET),
            bytes: CachePadded::new(AtomicI64::new(0)),
        }
    }

    /// Changes the limits. To be called while all shards are locked.
    pub(super) fn resize(&self, capacity: usize, max_bytes: usize) {
        self.capacity.store(capacity as u64, Ordering::Relaxed);
        self.max_bytes.store(max_bytes, Ordering::Relaxed);
    }

    /// Returns the tickets of the traces that the capacity admits. The limit of bytes may have evicted some of them.
    pub(super) fn tickets(&self) -> Range<u64> {
        let head = self.head.load(Ordering::Relaxed);
        self.first_kept(head)..head
    }

    /// Reserves tickets below all others for this many restored traces.
    pub(super) fn restored_tickets(&self, traces: u64) -> Range<u64> {
        let traces = traces.min(FIRST_TICKET / 2);
        let taken = self
            .restored
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |lowest| Some(lowest.saturating_sub(traces)));
        let (Ok(end) | Err(end)) = taken;
        end.saturating_sub(traces)..end
    }

    /// Returns how many bytes more the traces may take.
    pub(super) fn room(&self, unreported: i64) -> usize {
        self.max_bytes.load(Ordering::Relaxed).saturating_sub(self.bytes(unreported))
    }

    fn first_kept(&self, head: u64) -> u64 {
        head.saturating_sub(self.capacity.load(Ordering::Relaxed))
    }

    /// Returns whether a trace with this ticket should have been evicted a while ago. A shard in use evicts by itself,
    /// so it gets some time.
    pub(super) fn is_overdue(&self, ticket: u64, newest: u64) -> bool {
        let patience = self.capacity.load(Ordering::Relaxed) / 64;
        ticket < self.first_kept(newest).saturating_sub(patience)
    }

    /// Returns whether the traces take too many bytes.
    pub(super) fn is_too_large(&self) -> bool {
        // Up to a granule of each part is not reported yet, so the limit is that much lower.
        let unreported = PARTS * self.granule();
        let limit = self.max_bytes.load(Ordering::Relaxed) - unreported;
        self.bytes.load(Ordering::Relaxed) > i64::try_from(limit).unwrap_or(i64::MAX)
    }

    /// Returns the number of bytes that a part keeps to itself, so that not every trace changes a shared counter. All
    /// parts together keep 1/256 of the limit.
    fn granule(&self) -> usize {
        self.max_bytes.load(Ordering::Relaxed) / (256 * PARTS)
    }

    /// Returns the bytes in the ring, given those that the parts have not reported.
    pub(super) fn bytes(&self, unreported: i64) -> usize {
        usize::try_from(self.bytes.load(Ordering::Relaxed) + unreported).unwrap_or(0)
    }
}

/// Ticket of the first trace of a store. Restored traces, which ended before it, have smaller ones.
const FIRST_TICKET: u64 = 1 << 40;

/// Part of the ring: the traces that ended in one shard.
#[derive(Default)]
pub(super) struct Part {
    /// With their tickets, the oldest first.
    traces: VecDeque<(u64, Arc<TraceRecord>)>,
    /// Bytes that were added, less those that were evicted, since the last report.
    unreported: i64,
}

/// Marks the absence of a ticket. Greater than every ticket.
pub(super) const NO_TICKET: u64 = u64::MAX;

/// Number of traces within which a shard ends at least one if its threads are busy.
const SOON: u64 = 64;

/// Traces that a push evicts, to be dropped when the shard is unlocked.
type Evicted = [Option<Arc<TraceRecord>>; 2];

impl Part {
    /// Adds a trace. Returns its ticket and the traces that it evicts and that are no spares.
    pub(super) fn push(
        &mut self,
        ring: &Ring,
        record: &Arc<TraceRecord>,
        spares: &mut Spares,
    ) -> (u64, Evicted) {
        let ticket = ring.head.fetch_add(1, Ordering::Relaxed);
        record.ticket().store(ticket, Ordering::Relaxed);
        // At most two, so that no trace pays for many others. On average it is one. The second makes up for rounds in
        // which other threads ended more traces.
        let mut evicted: Evicted = [None, None];
        for place in &mut evicted {
            let Some(oldest) = self.pop_before(ring.first_kept(ticket + 1)) else { break };
            *place = spares.put(oldest);
        }
        self.unreported += record.bytes() as i64;
        self.traces.push_back((ticket, Arc::clone(record)));
        self.report(ring);
        self.prefetch_next(ring, ticket);
        (ticket, evicted)
    }

    /// Asks for the memory of the record that the next push evicts and the next trace begins in. It was written ten thousand
    /// traces ago and is in no near cache.
    fn prefetch_next(&self, ring: &Ring, newest: u64) {
        if let Some((oldest, record)) = self.traces.front()
            && *oldest < ring.first_kept(newest + SOON)
        {
            prefetch(&**record);
        }
    }

    /// Adds a restored trace, which is older than all others.
    pub(super) fn push_oldest(&mut self, ticket: u64, record: Arc<TraceRecord>) {
        self.unreported += record.bytes() as i64;
        self.traces.push_front((ticket, record));
    }

    /// Removes the oldest trace if its ticket is smaller than `limit`.
    pub(super) fn pop_before(&mut self, limit: u64) -> Option<Arc<TraceRecord>> {
        // `NO_TICKET` of an empty part is at least every limit.
        if self.oldest() >= limit {
            return None;
        }
        let (_, record) = self.traces.pop_front()?;
        self.unreported -= record.bytes() as i64;
        // Frees memory of a shard that was busy and no longer is. A quarter, so that a push does not grow it again soon.
        let capacity = self.traces.capacity();
        if capacity > MIN_CAPACITY && self.traces.len() < capacity / 4 {
            self.traces.shrink_to(capacity / 2);
        }
        Some(record)
    }

    pub(super) fn oldest(&self) -> u64 {
        self.traces.front().map_or(NO_TICKET, |(ticket, _)| *ticket)
    }

    pub(super) fn unreported(&self) -> i64 {
        self.unreported
    }

    /// Adds the unreported bytes to the ring's count once they exceed a granule.
    pub(super) fn report(&mut self, ring: &Ring) {
        if self.unreported.unsigned_abs() > ring.granule() as u64 {
            ring.bytes.fetch_add(std::mem::take(&mut self.unreported), Ordering::Relaxed);
        }
    }

    /// Returns the traces with these tickets, with their tickets, the newest last. At most `limit`, the newest of them.
    pub(super) fn newest(&self, tickets: Range<u64>, limit: usize) -> Vec<(u64, Arc<TraceRecord>)> {
        // Tickets ascend, because they are drawn under the lock of the shard.
        let end = self.traces.partition_point(|(ticket, _)| *ticket < tickets.end);
        let begin = self.traces.partition_point(|(ticket, _)| *ticket < tickets.start).min(end);
        self.traces.range(begin.max(end.saturating_sub(limit))..end).cloned().collect()
    }
}

/// Capacity of a part that is never given back. It takes one KiB.
const MIN_CAPACITY: usize = 64;
