//! Peers as this node sees them.

use serde::{Deserialize, Serialize};

/// The peers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Peers {
    /// Peers by name.
    pub peers: Vec<Peer>,
    /// Reason for which there are none.
    pub none_because: Option<String>,
}

/// A peer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Peer {
    /// Node ID, if it was told.
    pub id: Option<String>,
    /// Name or address.
    pub name: String,
    /// Address.
    pub address: String,
    /// Whether it answers.
    pub up: bool,
    /// Instant of the last change between up and down.
    pub since: Option<String>,
    /// Latency of its last answer.
    pub latency_ms: Option<f64>,
    /// Version that it tells.
    pub version: Option<String>,
    /// Number of calls to it.
    #[cfg_attr(test, ts(type = "number"))]
    pub calls: u64,
    /// Number of failed calls to it.
    #[cfg_attr(test, ts(type = "number"))]
    pub errors: u64,
    /// Last failure.
    pub last_error: Option<String>,
    /// Number of its open problems, if it tells.
    pub problems_open: Option<u32>,
}
