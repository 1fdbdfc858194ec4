//! Marks from other nodes, and the traces that are kept because of them.

use std::collections::HashMap;
use std::sync::Arc;

use super::Store;
use crate::record::PeerNumber;
use crate::{Observer, Trace, TraceId, TraceRecord};

/// Peer that marks traces. See [`Store::mark`].
///
/// ```
/// let peer = obs_trace::Marker::peer("ed25519:ada");
/// assert_ne!(peer, obs_trace::Marker::stranger("ed25519:ada"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marker<'a> {
    name: &'a str,
    has_share: bool,
}

impl<'a> Marker<'a> {
    /// Returns a peer that the owner of this node knows. It has a share of its own of the marked traces, one of 64.
    pub fn peer(name: &'a str) -> Marker<'a> {
        Marker { name, has_share: true }
    }

    /// Returns a caller that anyone may be. It proved its name, and shares a place with all other strangers.
    pub fn stranger(name: &'a str) -> Marker<'a> {
        Marker { name, has_share: false }
    }

    fn owner(self) -> PeerNumber {
        if self.has_share { PeerNumber::of(self.name) } else { PeerNumber::OTHERS }
    }
}

/// Result of a mark for one trace ID.
///
/// ```
/// use obs_trace::{Marked, Marker, Store, TraceId};
///
/// let unknown = Store::default().mark(Marker::peer("ed25519:ada"), &[TraceId::generate()]);
/// assert_eq!(unknown, [Marked::Unknown]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Marked {
    /// The store has no trace with the ID.
    Unknown,
    /// The peer did not ask for the trace, so its mark has no effect.
    Foreign,
    /// The trace is kept already: it failed here, or has a mark.
    Known,
    /// The trace is kept because of this mark.
    Kept,
}

impl Trace {
    /// Notes the peer that asked for the trace, once it has proved its name. The first name counts.
    ///
    /// The peer may [mark](Store::mark) the trace then. Costs a hash of the name and a store.
    ///
    /// ```
    /// let trace = obs_trace::new_trace("llm.chat");
    /// trace.set_origin("ed25519:ada");
    /// # trace.finish();
    /// ```
    pub fn set_origin(&self, peer: &str) {
        self.0.set_origin(PeerNumber::of(peer));
    }

    /// Keeps the trace beside the ring, because a call to `peer` in it failed in a part that `peer` knows of. The trace may end
    /// well all the same. Returns `false` if it is kept already: it has failed, or has a mark.
    ///
    /// Each peer has a share of the traces that peers mark. See [`Config::kept_failed`](crate::Config::kept_failed).
    ///
    /// ```
    /// let trace = obs_trace::new_trace("rag.query");
    /// assert!(trace.mark("ed25519:ada"));
    /// assert!(trace.is_broken() && trace.status().is_ok());
    /// # trace.finish();
    /// ```
    pub fn mark(&self, peer: &str) -> bool {
        self.0.mark(PeerNumber::of(peer))
    }

    /// Returns whether a part of the trace failed so far, here or on another node. Costs two loads.
    pub fn is_broken(&self) -> bool {
        self.0.is_broken()
    }
}

impl TraceRecord {
    /// Returns whether a peer marked the trace. See [`Store::mark`].
    pub fn is_marked(&self) -> bool {
        self.marker().is_some()
    }
}

impl Store {
    /// Keeps the traces with these IDs beside the ring, because `marker` says that a part of them failed. Returns a result
    /// for each ID.
    ///
    /// A mark counts only for a trace for which the marker [asked](Trace::set_origin), running or completed. Marked traces are
    /// apart from those that failed here, and each marker has a share of them: a marker evicts nothing but its own marked
    /// traces while these are more than those of any other one. See [`Config::kept_failed`](crate::Config::kept_failed).
    ///
    /// Reads the whole ring once, so pass many IDs at a time.
    ///
    /// ```
    /// use obs_trace::{Marked, Marker, Store};
    ///
    /// let store = Store::default();
    /// let _scope = store.enter();
    /// let trace = obs_trace::new_trace("llm.chat");
    /// trace.set_origin("ed25519:ada");
    /// trace.finish();
    /// assert_eq!(store.mark(Marker::peer("ed25519:eve"), &[trace.id()]), [Marked::Foreign]);
    /// assert_eq!(store.mark(Marker::peer("ed25519:ada"), &[trace.id()]), [Marked::Kept]);
    /// assert_eq!(store.mark(Marker::peer("ed25519:ada"), &[trace.id()]), [Marked::Known]);
    /// ```
    pub fn mark(&self, marker: Marker<'_>, ids: &[TraceId]) -> Vec<Marked> {
        let (peer, owner) = (PeerNumber::of(marker.name), marker.owner());
        let mut results: HashMap<TraceId, Marked> = ids.iter().map(|id| (*id, Marked::Unknown)).collect();
        let mut note = |record: &Arc<TraceRecord>| {
            // Several traces may have one ID, such as those of a call that was sent again. The best result counts.
            if let Some(result) = results.get_mut(&record.trace_id()) {
                *result = (*result).max(self.mark_one(record, peer, owner));
            }
        };
        // The running ones first, so that a trace which ends meanwhile is found.
        self.shards().running().iter().for_each(|trace| note(&trace.0));
        self.shards().newest_first().for_each(|record| note(&record));
        self.shards().retained().all().iter().for_each(note);
        ids.iter().map(|id| results.get(id).copied().unwrap_or(Marked::Unknown)).collect()
    }

    fn mark_one(&self, record: &Arc<TraceRecord>, peer: PeerNumber, owner: PeerNumber) -> Marked {
        if !record.is_of(peer) {
            return Marked::Foreign;
        }
        if self.mark_for(record, owner) { Marked::Kept } else { Marked::Known }
    }

    /// Calls `observer` for each trace that failed or has a mark: when it ends, or when it is marked after its end. Its
    /// method takes note of each such trace once. Returns `false` if the store has 16 such observers already.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// struct Tell;
    ///
    /// impl obs_trace::Observer for Tell {
    ///     fn completed(&self, record: &obs_trace::TraceRecord) {
    ///         // Tell the nodes that this trace called.
    ///         # let _ = record;
    ///     }
    /// }
    ///
    /// assert!(obs_trace::Store::default().observe_broken(Arc::new(Tell)));
    /// ```
    pub fn observe_broken(&self, observer: Arc<dyn Observer>) -> bool {
        self.broken_observers().add(observer)
    }
}
