//! Origin and mark of a record, as numbers of peers.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use crate::sync::atomic::{AtomicU32, Ordering};

/// Origin and mark of a record. Zero stands for none.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// Peer that asked for the trace, if it proved its name.
    origin: AtomicU32,
    /// Peer that marked the trace.
    marker: AtomicU32,
}

/// Number of a peer in this process. Never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PeerNumber(u32);

impl PeerNumber {
    /// Stands for all peers without a share of their own, and for the peers of earlier runs.
    pub(crate) const OTHERS: PeerNumber = PeerNumber(1);

    pub(crate) fn number(self) -> u32 {
        self.0
    }

    /// Returns the number of the peer with this name.
    ///
    /// The hash is keyed at random, so that nobody can choose a name which has the number of another one.
    pub(crate) fn of(name: &str) -> PeerNumber {
        static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        let hash = HASHER.hash_one(name);
        PeerNumber(((hash >> 32) as u32).max(PeerNumber::OTHERS.0 + 1))
    }
}

// All orderings of this file are relaxed: each number stands for itself. The lock of the trace's shard orders the mark and
// the end of the trace, see `Shards::mark`.
impl Marks {
    /// Returns the marks of a record of an earlier run.
    pub(super) fn restored(is_marked: bool) -> Marks {
        let marker = if is_marked { PeerNumber::OTHERS.0 } else { 0 };
        Marks { origin: AtomicU32::new(0), marker: AtomicU32::new(marker) }
    }

    /// Sets the origin. The first one counts.
    pub(super) fn set_origin(&self, peer: PeerNumber) {
        _ = self.origin.compare_exchange(0, peer.0, Ordering::Relaxed, Ordering::Relaxed);
    }

    pub(super) fn is_of(&self, peer: PeerNumber) -> bool {
        self.origin.load(Ordering::Relaxed) == peer.0
    }

    pub(super) fn marker(&self) -> Option<PeerNumber> {
        let marker = self.marker.load(Ordering::Relaxed);
        (marker != 0).then_some(PeerNumber(marker))
    }

    /// Sets the marker. Returns `false` if there is one.
    pub(super) fn set_marker(&self, peer: PeerNumber) -> bool {
        self.marker.compare_exchange(0, peer.0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}
