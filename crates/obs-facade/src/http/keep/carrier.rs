//! Transport of marks, which the node provides.

use std::fmt::Display;
use std::future::Future;
use std::hash::Hash;

use obs_trace::TraceId;

/// Transport of marks to the peers of a node. See [the module](super).
pub trait Carrier: Send + Sync + 'static {
    /// Peer of the node. There are few, and each stays the same for as long as the node runs.
    type Peer: Clone + Eq + Hash + Send + Sync + 'static;
    /// Reason for which a peer did not get marks.
    type Error: Display + Send;

    /// Returns the peer that is asked at this host and port, as the fields `server.address` and `server.port` of a span name
    /// it. `None` for a server that is no peer.
    fn peer_at(&self, host: &str, port: u16) -> Option<Self::Peer>;

    /// Sends the IDs to a peer, at most [`MAX_IDS`](super::MAX_IDS). Returns those that it did not keep, to be sent again a
    /// few times: the request of such a trace may be under way.
    ///
    /// # Errors
    /// The peer did not answer, or refused the request. All IDs are sent again later.
    fn carry(
        &self,
        peer: Self::Peer,
        ids: &[TraceId],
    ) -> impl Future<Output = Result<Vec<TraceId>, Self::Error>> + Send;
}
