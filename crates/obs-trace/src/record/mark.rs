//! Mark of a trace: another node said that a part of the trace failed, so this part is kept with it.

use std::sync::Arc;

use super::TraceRecord;
use super::marks::PeerNumber;
use super::status::{Outcome, RUNNING};
use crate::sync::atomic::Ordering;

impl TraceRecord {
    /// Notes the peer that asked for the trace. The first one counts.
    pub(crate) fn set_origin(&self, peer: PeerNumber) {
        self.marks.set_origin(peer);
    }

    /// Returns whether this peer asked for the trace.
    pub(crate) fn is_of(&self, peer: PeerNumber) -> bool {
        self.marks.is_of(peer)
    }

    /// Returns the peer that marked the trace.
    pub(crate) fn marker(&self) -> Option<PeerNumber> {
        self.marks.marker()
    }

    /// Sets the mark. Returns `false` if the trace has one. To be called under the lock of the trace's shard.
    pub(crate) fn set_marker(&self, peer: PeerNumber) -> bool {
        self.marks.set_marker(peer)
    }

    /// Marks the trace, so that its store keeps it. Returns `false` if it is kept already, or if its store is gone.
    pub(crate) fn mark(self: &Arc<Self>, peer: PeerNumber) -> bool {
        let mut is_new = false;
        self.with_sink(|sink| is_new = sink.mark(self, peer));
        is_new
    }

    /// Returns whether a part of the trace failed, here or on another node. A caller that went away is no failure.
    pub(crate) fn is_broken(&self) -> bool {
        self.marker().is_some() || self.has_broken_here()
    }

    /// Returns whether the trace ended with an error code or by a panic, or has a code so far.
    pub(crate) fn has_broken_here(&self) -> bool {
        // Acquire: as in `status`.
        match self.outcome.load(Ordering::Acquire) {
            outcome if outcome == Outcome::Panic as u8 || outcome == Outcome::Failed as u8 => true,
            outcome if outcome == RUNNING => self.failure.get().is_some(),
            _ => false,
        }
    }
}
