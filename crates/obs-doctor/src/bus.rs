//! View of the running node.

use std::fmt;

use crate::observability::Observability;

/// The node as the checks see it: its identity, capabilities, peers and recent outcomes.
///
/// A node implements it in process, and a command-line tool over HTTP. [`NoBus`] stands for a machine without a running
/// node. Methods may block, because each check runs on a thread of its own with a deadline. The returned text may come from
/// peers and is treated as untrusted.
///
/// ```
/// use obs_doctor::{BusError, CapabilityBus, Outcome};
///
/// #[derive(Debug)]
/// struct Node;
///
/// impl CapabilityBus for Node {
///     fn node_id(&self) -> Option<String> {
///         Some("ed25519:3q2-7w".to_owned())
///     }
///     fn capabilities(&self) -> Result<Vec<String>, BusError> {
///         Ok(vec!["experimental.echo".to_owned()])
///     }
///     fn peers(&self) -> Result<Vec<String>, BusError> {
///         Ok(Vec::new())
///     }
///     fn recent_outcomes(&self, n: usize) -> Result<Vec<Outcome>, BusError> {
///         Ok(vec![Outcome::Ok; n.min(3)])
///     }
/// }
/// assert_eq!(Node.capabilities()?.len(), 1);
/// # Ok::<(), BusError>(())
/// ```
pub trait CapabilityBus: Send + Sync + 'static {
    /// Returns the ID of the running node, `ed25519:<base64url>`; `None` when no node is running.
    fn node_id(&self) -> Option<String>;

    /// Returns the names of the registered capabilities.
    ///
    /// # Errors
    /// [`BusError::NotRunning`] without a node; [`BusError::Unreachable`] when the node does not answer.
    fn capabilities(&self) -> Result<Vec<String>, BusError>;

    /// Returns the node IDs of the peers that answer.
    ///
    /// # Errors
    /// The errors of [`capabilities`](Self::capabilities).
    fn peers(&self) -> Result<Vec<String>, BusError>;

    /// Returns the outcomes of the last `n` completed calls, newest first.
    ///
    /// # Errors
    /// The errors of [`capabilities`](Self::capabilities).
    fn recent_outcomes(&self, n: usize) -> Result<Vec<Outcome>, BusError>;

    /// Returns the state of the node's own log, export of traces, clock and last run. By default nothing is known.
    ///
    /// # Errors
    /// The errors of [`capabilities`](Self::capabilities).
    fn observability(&self) -> Result<Observability, BusError> {
        self.capabilities().map(|_| Observability::default())
    }

    /// Returns whether the node can have peers: `true`, unless its configuration names none and has discovery off. Such a
    /// node is ready without a peer.
    fn expects_peers(&self) -> bool {
        true
    }
}

/// Outcome of a call, as it counts for the error rate.
///
/// ```
/// use obs_doctor::Outcome;
/// assert_eq!(Outcome::from_status("ok"), Outcome::Ok);
/// assert_eq!(Outcome::from_status("cancelled"), Outcome::Cancelled);
/// assert_eq!(Outcome::from_status("timeout"), Outcome::Error);
/// assert_eq!(Outcome::from_status("bad_request"), Outcome::Ok, "the fault is the caller's");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The call was answered, or refused for a fault of the caller.
    Ok,
    /// The call failed in this node: with an error code that does not blame the caller, or by a panic.
    Error,
    /// The caller disconnected. The call counts neither for nor against the node.
    Cancelled,
}

impl Outcome {
    /// Returns the outcome for a trace's status: `ok`, `cancelled`, or an error code.
    ///
    /// A code that blames the caller, or reports that a limit was applied, is not an error of the node. Otherwise any peer
    /// could make a healthy node look broken with a few malformed calls.
    #[must_use]
    pub fn from_status(status: &str) -> Self {
        match status {
            "ok" | "bad_request" | "schema_mismatch" | "invalid_signature" | "unauthorized" | "revoked"
            | "not_found" | "expired" | "rate_limited" | "capacity_exceeded" | "not_implemented"
            // A community is too small for a figure, which any caller can ask for.
            | "aggregation_too_few_nodes" => Self::Ok,
            "cancelled" => Self::Cancelled,
            _ => Self::Error,
        }
    }
}

/// Reason for the lack of an answer from the bus.
///
/// ```
/// use obs_doctor::{BusError, CapabilityBus, NoBus};
/// assert_eq!(NoBus.capabilities(), Err(BusError::NotRunning));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BusError {
    /// No node is running. Checks that need one are skipped.
    NotRunning,
    /// A node is running and did not answer, for this reason. Checks that need one fail.
    Unreachable(String),
}

impl fmt::Display for BusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRunning => f.write_str("no node running"),
            Self::Unreachable(why) => write!(f, "the node did not answer: {why}"),
        }
    }
}

impl std::error::Error for BusError {}

/// Bus of a machine without a running node.
///
/// ```
/// use obs_doctor::{CapabilityBus, NoBus};
/// assert_eq!(NoBus.node_id(), None);
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct NoBus;

impl CapabilityBus for NoBus {
    fn node_id(&self) -> Option<String> {
        None
    }

    fn capabilities(&self) -> Result<Vec<String>, BusError> {
        Err(BusError::NotRunning)
    }

    fn peers(&self) -> Result<Vec<String>, BusError> {
        Err(BusError::NotRunning)
    }

    fn recent_outcomes(&self, _n: usize) -> Result<Vec<Outcome>, BusError> {
        Err(BusError::NotRunning)
    }

    fn observability(&self) -> Result<Observability, BusError> {
        Err(BusError::NotRunning)
    }
}
