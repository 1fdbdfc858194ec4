//! Targets of a metrics server.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::cli::ask::{self, Bounds};
use crate::cli::node_url::NodeUrl;
use crate::cli::visible::visible;
use crate::failure::Failure;

/// Bounds of an answer of the node.
const BOUNDS: Bounds = Bounds { time: Duration::from_secs(5), bytes: 8 << 20 };
/// Maximum number of targets. A node has at most 64 peers; another server may tell of any number.
const MAX_TARGETS: usize = 1_000;
/// Maximum number of characters of a label's value before escapes. A node takes no longer names from its peers.
const MAX_LABEL: usize = 128;

/// Targets in the order of the configuration, the node itself first.
#[derive(Debug)]
pub(super) struct List {
    pub(super) targets: Vec<Target>,
    /// Number of peers without a valid address, or beyond the maximum.
    pub(super) left_out: usize,
    /// The node told this from its manifest, which has no peers.
    pub(super) is_of_manifest: bool,
}

/// Address of a node, and its labels.
#[derive(Debug)]
pub(super) struct Target {
    address: String,
    labels: BTreeMap<&'static str, String>,
}

/// Part of the report of a node that is needed here.
#[derive(Deserialize)]
struct Status {
    node: Node,
    community: Community,
    #[serde(default)]
    peers: Vec<Peer>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    name: Option<String>,
}

#[derive(Deserialize)]
struct Community {
    id: String,
}

/// Peer with the names of its last manifest. A peer that has never answered has none.
#[derive(Deserialize)]
struct Peer {
    url: String,
    node_id: Option<String>,
    name: Option<String>,
    #[serde(default)]
    community_id: Option<String>,
}

#[derive(Deserialize)]
struct Manifest {
    node_id: String,
    community_id: String,
    display_name: Option<String>,
}

impl List {
    /// Asks `node` for itself and its peers. The node itself is reached at `address`.
    pub(super) fn of(node: &NodeUrl, address: &NodeUrl) -> Result<List, Failure> {
        let url = node.route("/status", &[]);
        let answer = ask::get(&url, BOUNDS).map_err(|error| ask::no_answer(node, &error))?;
        // The report is for callers on the machine of the node. To others its path does not exist.
        if answer.status == 404 {
            let (own, _) = ask::json::<Manifest>(node, &node.route("/manifest", &[]), BOUNDS)?;
            let own = Target::new(address, own.display_name, Some(own.node_id), Some(own.community_id));
            return Ok(List { targets: vec![own], left_out: 0, is_of_manifest: true });
        }
        let (status, _) = ask::json::<Status>(node, &url, BOUNDS)?;
        Ok(List::from_status(status, address))
    }

    fn from_status(status: Status, address: &NodeUrl) -> List {
        let own = Target::new(address, status.node.name, Some(status.node.id), Some(status.community.id));
        let mut seen = BTreeSet::from([own.address.clone()]);
        let mut list = List { targets: vec![own], left_out: 0, is_of_manifest: false };
        for peer in status.peers {
            match peer.url.parse::<NodeUrl>() {
                Ok(url) if list.targets.len() < MAX_TARGETS => {
                    let target = Target::new(&url, peer.name, peer.node_id, peer.community_id);
                    // Two targets of one address would count the node twice.
                    if seen.insert(target.address.clone()) {
                        list.targets.push(target);
                    }
                }
                _ => list.left_out += 1,
            }
        }
        list
    }

    /// Returns the list in the format of `file_sd_configs`.
    pub(super) fn file(&self) -> Value {
        self.targets
            .iter()
            .map(|target| json!({ "targets": [target.address], "labels": target.labels }))
            .collect()
    }
}

impl Target {
    fn new(at: &NodeUrl, name: Option<String>, id: Option<String>, community: Option<String>) -> Target {
        let metrics = at.route("/metrics", &[]);
        let host = metrics.host_str().unwrap_or_default();
        let address = match metrics.port_or_known_default() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        // The names are not those of labels on a node's page: `capability`, `community`, `node` and others.
        let mut labels = BTreeMap::from([("node_name", label(name.as_deref().unwrap_or(&address)))]);
        labels.extend(id.map(|id| ("node_id", label(&id))));
        labels.extend(community.map(|community| ("community_id", label(&community))));
        if metrics.scheme() != "http" {
            labels.insert("__scheme__", metrics.scheme().to_owned());
        }
        if metrics.path() != "/metrics" {
            labels.insert("__metrics_path__", metrics.path().to_owned());
        }
        Target { address, labels }
    }
}

/// Returns the text of a node as the value of a label.
fn label(text: &str) -> String {
    visible(&text.chars().take(MAX_LABEL).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::terminal_unsafe::UNSAFE;

    fn list(peers: Value, address: &str) -> List {
        let status = json!({ "node": { "id": "ed25519:a", "name": "ada" }, "community": { "id": "c" }, "peers": peers });
        List::from_status(serde_json::from_value(status).unwrap(), &address.parse().unwrap())
    }

    #[test]
    fn a_target_has_the_names_of_its_manifest() {
        let peer =
            |url: &str| json!({ "url": url, "node_id": "ed25519:b", "name": "bob", "community_id": "d" });
        let file =
            list(json!([peer("https://bob.lan"), peer("http://bob.lan:1")]), "http://ada.lan:7080/base")
                .file();
        let own = json!({
            "targets": ["ada.lan:7080"],
            "labels": { "node_name": "ada", "node_id": "ed25519:a", "community_id": "c", "__metrics_path__": "/base/metrics" }
        });
        let bob = json!({ "node_name": "bob", "node_id": "ed25519:b", "community_id": "d" });
        let mut secure = bob.clone();
        secure["__scheme__"] = json!("https");
        assert_eq!(
            file,
            json!([own, { "targets": ["bob.lan:443"], "labels": secure }, { "targets": ["bob.lan:1"], "labels": bob }])
        );
    }

    #[test]
    fn a_peer_without_a_manifest_is_a_target() {
        let silent = json!({ "url": "http://[::1]:7", "node_id": null, "name": null });
        let file = list(json!([silent, silent]), "127.0.0.1:7").file();
        assert_eq!(file[1], json!({ "targets": ["[::1]:7"], "labels": { "node_name": "[::1]:7" } }));
        assert_eq!(file.as_array().unwrap().len(), 2, "an address is one target");
    }

    #[test]
    fn hostile_names_are_bounded_and_addresses_are_checked() {
        let name: String = UNSAFE.iter().collect::<String>() + &"\u{1f600}".repeat(1_000);
        let bad = [
            "",
            "bob",
            "ftp://bob:1",
            "http://u:p@bob:1",
            "http://bob:1/?a",
            "http://bob:1\n",
            "http://b ob:1",
            "file:///etc/passwd",
        ];
        let peers: Vec<_> = bad.iter().map(|url| json!({ "url": url, "name": name })).collect();
        let refused = list(json!(peers), "127.0.0.1:7");
        assert_eq!((refused.targets.len(), refused.left_out), (1, bad.len()));

        let many: Vec<_> =
            (1..=3_000).map(|port| json!({ "url": format!("http://bob:{port}"), "name": name })).collect();
        let many = list(json!(many), "127.0.0.1:7");
        assert_eq!((many.targets.len(), many.left_out), (MAX_TARGETS, 3_001 - MAX_TARGETS));
        let shown = &many.targets[1].labels["node_name"];
        assert!(shown.len() < 10 * MAX_LABEL && !shown.contains(UNSAFE), "{shown}");
    }
}
