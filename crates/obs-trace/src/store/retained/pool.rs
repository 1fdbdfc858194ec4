//! Failed traces in shares: a trace only ever evicts one of the largest share.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::TraceRecord;

/// Traces that are kept because a part of them failed, in shares of their owners. An owner is a capability or a peer.
///
/// Invariant: the sums are those of the shares, no share is empty but for that of the [`OTHERS`], and both limits hold after
/// each push.
pub(super) struct Pool {
    /// The first is that of all `OTHERS`.
    shares: Vec<Share>,
    max_shares: usize,
    traces: usize,
    bytes: usize,
    max_traces: usize,
    max_bytes: usize,
}

/// Traces of one owner, oldest first.
struct Share {
    owner: u64,
    traces: VecDeque<Arc<TraceRecord>>,
    bytes: usize,
}

/// Owner for which all owners stand that get no share of their own.
pub(super) const OTHERS: u64 = 0;

impl Share {
    fn of(owner: u64) -> Share {
        Share { owner, traces: VecDeque::new(), bytes: 0 }
    }
}

impl Pool {
    pub(super) fn new(max_shares: usize, max_traces: usize, max_bytes: usize) -> Pool {
        let shares = vec![Share::of(OTHERS)];
        Pool { shares, max_shares, traces: 0, bytes: 0, max_traces, max_bytes }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<TraceRecord>> {
        self.shares.iter().flat_map(|share| &share.traces)
    }

    /// Adds a trace to the share of its owner. Traces of the largest shares make room for it.
    pub(super) fn push(
        &mut self,
        owner: u64,
        record: &Arc<TraceRecord>,
        evicted: &mut Vec<Arc<TraceRecord>>,
    ) {
        let share = self.share(owner);
        share.traces.push_back(Arc::clone(record));
        share.bytes += record.bytes();
        self.traces += 1;
        self.bytes += record.bytes();
        while self.traces > self.max_traces {
            evicted.extend(self.pop(|share| share.traces.len()));
        }
        while self.bytes > self.max_bytes {
            evicted.extend(self.pop(|share| share.bytes));
        }
    }

    fn share(&mut self, owner: u64) -> &mut Share {
        let found = self.shares.iter().position(|share| share.owner == owner);
        let at = found.unwrap_or_else(|| {
            if self.shares.len() > self.max_shares {
                return 0;
            }
            self.shares.push(Share::of(owner));
            self.shares.len() - 1
        });
        &mut self.shares[at]
    }

    /// Removes the oldest trace of the largest share.
    fn pop(&mut self, size: impl Fn(&Share) -> usize) -> Option<Arc<TraceRecord>> {
        let (at, share) = self.shares.iter_mut().enumerate().max_by_key(|(_, share)| size(share))?;
        let popped = share.traces.pop_front()?;
        share.bytes -= popped.bytes();
        self.traces -= 1;
        self.bytes -= popped.bytes();
        if at > 0 && share.traces.is_empty() {
            self.shares.swap_remove(at);
        }
        Some(popped)
    }
}

#[cfg(all(test, not(obs_loom)))]
mod tests {
    use super::*;
    use crate::record::Outcome;

    fn trace() -> Arc<TraceRecord> {
        TraceRecord::ended_after(1, "llm.chat", Outcome::Panic)
    }

    fn count(pool: &Pool, owner: u64) -> usize {
        pool.shares.iter().find(|share| share.owner == owner).map_or(0, |share| share.traces.len())
    }

    #[test]
    fn a_flood_of_one_owner_evicts_its_own_traces() {
        let mut pool = Pool::new(8, 100, 1 << 20);
        let mut evicted = Vec::new();
        let first: Vec<_> = (0..30).map(|_| trace()).collect();
        for record in &first {
            pool.push(7, record, &mut evicted);
        }
        for _ in 0..10_000 {
            pool.push(8, &trace(), &mut evicted);
        }
        assert_eq!((count(&pool, 7), count(&pool, 8)), (30, 70));
        assert_eq!(evicted.len(), 10_030 - 100);
        assert!(first.iter().all(|record| pool.all().any(|kept| Arc::ptr_eq(kept, record))));
    }

    #[test]
    fn every_owner_has_its_fair_share_and_owners_are_bounded() {
        let mut pool = Pool::new(4, 100, 1 << 20);
        let mut evicted = Vec::new();
        for number in 0..10_000_u64 {
            pool.push(1 + number % 50, &trace(), &mut evicted);
        }
        assert_eq!(pool.shares.len(), 5);
        let sizes: Vec<_> = pool.shares.iter().map(|share| share.traces.len()).collect();
        assert!(sizes.iter().all(|size| (19..=21).contains(size)), "{sizes:?}");
        assert_eq!((pool.traces, sizes.iter().sum::<usize>()), (100, 100));
    }

    #[test]
    fn the_bytes_are_bounded_and_a_pool_of_nothing_keeps_nothing() {
        let bytes = trace().bytes();
        let (mut small, mut none) = (Pool::new(4, 100, 10 * bytes), Pool::new(4, 0, 1 << 20));
        let mut evicted = Vec::new();
        for owner in 0..50 {
            small.push(owner % 3, &trace(), &mut evicted);
            none.push(owner % 3, &trace(), &mut evicted);
        }
        assert_eq!((small.traces, small.bytes, small.all().count()), (10, 10 * bytes, 10));
        assert_eq!((none.traces, none.bytes, none.shares.len()), (0, 0, 1));
    }
}
