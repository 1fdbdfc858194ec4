//! The doctor's view of a running node.

use std::fmt;

/// What the checks ask of the node: its identity, capabilities, peers and recent outcomes.
///
/// A node implements it in process, a command-line tool over HTTP, and [`NoBus`] stands for "no node is running".
/// Methods may block: each check runs on a thread of its own under a deadline. What they return may come from
/// peers and is treated as untrusted text.
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
    /// The ID of the running node, `ed25519:<base64url>`; `None` when no node is running.
    fn node_id(&self) -> Option<String>;

    /// The names of the registered capabilities.
    ///
    /// # Errors
    /// [`BusError::NotRunning`] without a node, [`BusError::Unreachable`] when the node does not answer.
    fn capabilities(&self) -> Result<Vec<String>, BusError>;

    /// The node IDs of the peers that answer.
    ///
    /// # Errors
    /// As [`capabilities`](Self::capabilities).
    fn peers(&self) -> Result<Vec<String>, BusError>;

    /// The outcomes of the last `n` completed calls, newest first.
    ///
    /// # Errors
    /// As [`capabilities`](Self::capabilities).
    fn recent_outcomes(&self, n: usize) -> Result<Vec<Outcome>, BusError>;
}

/// How a call ended.
///
/// ```
/// use obs_doctor::Outcome;
/// assert_eq!(Outcome::from_status("ok"), Outcome::Ok);
/// assert_eq!(Outcome::from_status("cancelled"), Outcome::Cancelled);
/// assert_eq!(Outcome::from_status("timeout"), Outcome::Error);
/// assert_eq!(Outcome::from_status("bad_request"), Outcome::Ok, "the mistake was the caller's");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It was answered, or refused for a mistake of the caller's.
    Ok,
    /// It failed here: with an error code that is not about the caller, or by a panic.
    Error,
    /// The caller went away; counts neither for nor against the node.
    Cancelled,
}

impl Outcome {
    /// Reads a trace's status: `ok`, `cancelled`, or an error code.
    ///
    /// A code that blames the caller, or says that its limit worked, is no error of the node: else any
    /// peer could make a healthy node look ill with a few calls that make no sense.
    #[must_use]
    pub fn from_status(status: &str) -> Self {
        match status {
            "ok" | "bad_request" | "schema_mismatch" | "invalid_signature" | "unauthorized" | "revoked"
            | "not_found" | "expired" | "rate_limited" | "capacity_exceeded" | "not_implemented" => Self::Ok,
            "cancelled" => Self::Cancelled,
            _ => Self::Error,
        }
    }
}

/// Why the bus gave no answer.
///
/// ```
/// use obs_doctor::{BusError, CapabilityBus, NoBus};
/// assert_eq!(NoBus.capabilities(), Err(BusError::NotRunning));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BusError {
    /// No node is running; the checks that need one are skipped.
    NotRunning,
    /// A node is there and did not answer, with the reason; a failure.
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

/// The bus of a machine on which no node is running.
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
}
