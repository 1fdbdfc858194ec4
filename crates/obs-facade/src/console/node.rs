//! Node whose console it is.

use obs_console::api::{Gauge, Peers, Remark, TraceDetail, TracePart};

/// Node as the console shows it: what the program knows and this library does not.
///
/// Every method is called on a thread for blocking work. Only [`id`](Self::id), [`name`](Self::name) and
/// [`version`](Self::version) have no default.
///
/// ```
/// use obs_facade::console::ConsoleNode;
///
/// struct Ada;
///
/// impl ConsoleNode for Ada {
///     fn id(&self) -> String {
///         "ed25519:7H4G".to_owned()
///     }
///     fn name(&self) -> String {
///         "ada".to_owned()
///     }
///     fn version(&self) -> String {
///         "0.2.0".to_owned()
///     }
/// }
/// assert!(Ada.peers().none_because.is_some());
/// ```
pub trait ConsoleNode: Send + Sync + 'static {
    /// Returns the ID of the node.
    fn id(&self) -> String;

    /// Returns the name of the node for people.
    fn name(&self) -> String;

    /// Returns the version of the program.
    fn version(&self) -> String;

    /// Returns what is not well beside what the log, the metrics, the checks and the problems tell. Nothing by default.
    fn remarks(&self) -> Vec<Remark> {
        Vec::new()
    }

    /// Returns gauges beside those of the overview, such as the free space of the disk. The history fills in the points of one
    /// whose family it keeps. None by default.
    fn gauges(&self) -> Vec<Gauge> {
        Vec::new()
    }

    /// Returns this node's view of its peers. By default there are none.
    fn peers(&self) -> Peers {
        Peers { peers: Vec::new(), none_because: Some("this node has no peers".to_owned()) }
    }

    /// Returns the parts of a trace on the peers, each placed on the clock of `own`, the parts of this node. It waits for a
    /// bounded time, and a peer that does not answer is a part with the reason. None by default.
    fn peer_parts(&self, own: &TraceDetail) -> Vec<TracePart> {
        let _ = own;
        Vec::new()
    }
}
