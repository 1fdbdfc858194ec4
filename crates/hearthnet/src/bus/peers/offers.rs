//! Peers' names that get series and kept traces of their own.

use std::collections::BTreeSet;

use obs_facade::metrics::standard;

use crate::wire::manifest::Manifest;

/// Maximum number of capability names of one peer while the node runs, twice the maximum of a manifest. A peer that
/// offers new names in each manifest uses up its own names and no other peer's.
const MAX_CAPABILITIES: usize = 128;
/// Maximum number of IDs of the peer at one address. A peer has one ID, and a new one when it is set up anew.
const MAX_NODES: usize = 8;

/// Names of the peer at one address.
#[derive(Default)]
pub(crate) struct Offers {
    capabilities: BTreeSet<String>,
    nodes: BTreeSet<String>,
}

impl Offers {
    /// Gives the names in the manifest series and kept traces of their own.
    pub(crate) fn take(&mut self, manifest: &Manifest) {
        let names = manifest.capabilities.iter().map(|offered| &offered.name);
        obs_facade::offer(&add(&mut self.capabilities, MAX_CAPABILITIES, names));
        standard::trust_nodes(&add(&mut self.nodes, MAX_NODES, [&manifest.node_id]));
    }
}

/// Adds names up to `most`, and returns the new ones.
fn add<'a>(
    known: &mut BTreeSet<String>,
    most: usize,
    names: impl IntoIterator<Item = &'a String>,
) -> Vec<&'a str> {
    let mut new = Vec::new();
    for name in names {
        // The bound comes first: a full set must not grow by the test itself.
        if known.len() < most && known.insert(name.clone()) {
            new.push(name.as_str());
        }
    }
    new
}

#[cfg(test)]
mod tests {
    use obs_facade::metrics::{OVERFLOW, Registry};

    use super::*;
    use crate::wire::manifest::Offered;

    fn manifest(capabilities: impl IntoIterator<Item = String>) -> Manifest {
        Manifest {
            node_id: "ed25519:peer".to_owned(),
            community_id: "c".to_owned(),
            display_name: None,
            capabilities: capabilities
                .into_iter()
                .map(|name| Offered { name, version: None, stability: None })
                .collect(),
            program_version: None,
            problems_open: None,
        }
    }

    #[test]
    fn new_names_of_one_peer_leave_room_for_another() {
        let registry = Registry::new();
        let _scope = registry.enter();
        let count = |capability| {
            standard::requests_total().inc([capability, "ok"]);
            obs_facade::metrics::testing::value(
                &registry,
                "hearthnet_requests_total",
                &[("capability", capability)],
            )
        };
        let mut restless = Offers::default();
        for round in 0..100 {
            restless.take(&manifest((0..64).map(|n| format!("offered.{round}.{n}"))));
        }
        let mut honest = Offers::default();
        honest.take(&manifest(["rag.query".to_owned()]));
        assert_eq!(count("rag.query"), Some(1.0));
        assert_eq!((count("offered.1.63"), count("offered.2.0")), (Some(1.0), None));
        assert_eq!(count(OVERFLOW), Some(2.0));
    }
}
