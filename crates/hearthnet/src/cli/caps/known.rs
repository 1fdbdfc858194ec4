//! Capabilities that a node knows.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cli::ask::{self, Bounds};
use crate::cli::node_url::NodeUrl;
use crate::failure::Failure;

/// Bounds of an answer.
// A report with a thousand capabilities has a few hundred kilobytes.
const BOUNDS: Bounds = Bounds { time: Duration::from_secs(5), bytes: 8 << 20 };

/// Capabilities that a node tells of.
#[derive(Debug, Deserialize)]
pub(crate) struct Known {
    pub(super) node: Node,
    pub(crate) capabilities: Vec<Capability>,
    #[serde(default)]
    pub(super) peers: Vec<Peer>,
    /// The node told this from its manifest, which has neither peers nor figures.
    #[serde(skip)]
    pub(super) is_manifest: bool,
}

/// Node that answers.
#[derive(Debug, Deserialize)]
pub(super) struct Node {
    pub(super) id: String,
    pub(super) name: Option<String>,
}

/// Capability of the node or of a peer.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Capability {
    pub(crate) name: String,
    pub(super) version: Option<String>,
    pub(super) stability: Option<String>,
    /// ID of the node that offers it.
    #[serde(default)]
    pub(super) node: String,
    #[serde(default = "yes")]
    pub(super) local: bool,
    pub(super) model: Option<String>,
    /// Parameters of the model, which a node of a later version may tell.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub(super) params: Value,
    /// Share of the last calls that succeeded.
    pub(super) health: Option<f64>,
    pub(super) p50_ms: Option<f64>,
    pub(super) in_flight: Option<u64>,
}

fn yes() -> bool {
    true
}

/// Peer of the node.
#[derive(Debug, Deserialize)]
pub(super) struct Peer {
    pub(super) node_id: Option<String>,
    pub(super) name: Option<String>,
    pub(super) url: String,
    pub(super) state: String,
    pub(super) error: Option<String>,
}

impl Peer {
    pub(super) fn answers(&self) -> bool {
        self.state == "answers"
    }
}

/// Manifest of a node, which it shows to every caller.
#[derive(Deserialize)]
struct Manifest {
    node_id: String,
    display_name: Option<String>,
    capabilities: Vec<Capability>,
}

/// Asks `node` for the capabilities that it knows. A node on another machine tells its own alone.
pub(crate) fn of(node: &NodeUrl) -> Result<Known, Failure> {
    let url = node.route("/status", &[]);
    let status = ask::get(&url, BOUNDS).map_err(|error| ask::no_answer(node, &error))?.status;
    match status {
        // The report is for callers on the machine of the node. To others its path does not exist.
        404 => of_manifest(node),
        _ => Ok(ask::json(node, &url, BOUNDS)?.0),
    }
}

fn of_manifest(node: &NodeUrl) -> Result<Known, Failure> {
    let (manifest, _) = ask::json::<Manifest>(node, &node.route("/manifest", &[]), BOUNDS)?;
    let mut capabilities = manifest.capabilities;
    for capability in &mut capabilities {
        capability.node.clone_from(&manifest.node_id);
    }
    let node = Node { id: manifest.node_id, name: manifest.display_name };
    Ok(Known { node, capabilities, peers: Vec::new(), is_manifest: true })
}
