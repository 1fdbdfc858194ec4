//! The part of a node's report of itself that explains its traces.

use std::time::Duration;

use serde::Deserialize;

use crate::cli::ask::{self, Bounds};
use crate::cli::node_url::NodeUrl;
use crate::cli::visible::visible;

/// Report of a node on this machine. Any other node keeps it to itself.
#[derive(Debug, Default, Deserialize)]
pub(super) struct NodeReport {
    node: Own,
    #[serde(default)]
    pub(super) peers: Vec<Peer>,
    #[serde(default)]
    capabilities: Vec<Offered>,
}

#[derive(Debug, Default, Deserialize)]
struct Own {
    name: String,
    started_at: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Peer {
    pub(super) name: Option<String>,
    pub(super) url: String,
}

#[derive(Debug, Deserialize)]
struct Offered {
    name: String,
}

// The report only adds to what the command shows, so it is not waited for.
const BOUNDS: Bounds = Bounds { time: Duration::from_secs(1), bytes: 4 << 20 };

impl NodeReport {
    /// Asks the node. `None` if it does not tell.
    pub(super) fn ask(node: &NodeUrl) -> Option<NodeReport> {
        ask::json(node, &node.route("/status", &[]), BOUNDS).ok().map(|(report, _)| report)
    }

    pub(super) fn name(&self) -> &str {
        &self.node.name
    }

    /// Returns the start of the node as a clause, such as ` since its start at 2026-05-26T08:00:00Z`.
    pub(super) fn since_start(report: Option<&NodeReport>) -> String {
        match report {
            Some(report) => format!(" since its start at {}", visible(&report.node.started_at)),
            None => " since its start".to_owned(),
        }
    }

    /// Returns the names of the capabilities that the node or its peers offer.
    pub(super) fn capabilities(&self) -> impl Iterator<Item = &str> {
        self.capabilities.iter().map(|offered| offered.name.as_str())
    }
}
