//! Names that peers offer and that have a place in metrics and kept traces.

use std::collections::BTreeSet;

use obs_facade::metrics::standard;

use crate::wire::manifest::Manifest;

/// Names that one peer can have a place for while the node runs: twice as many as a manifest may offer. A peer that
/// offers others each time it is asked uses up its own places and nobody else's.
const MAX_CAPABILITIES: usize = 128;
/// IDs that the peer at one address can have a place for: it has one, and a few more if it is set up anew.
const MAX_NODES: usize = 8;

/// The names that the peer at one address has a place for.
#[derive(Default)]
pub(crate) struct Offers {
    capabilities: BTreeSet<String>,
    nodes: BTreeSet<String>,
}

impl Offers {
    /// Gives what the manifest offers a place of its own in the metrics and among the kept traces.
    pub(crate) fn take(&mut self, manifest: &Manifest) {
        obs_facade::offer(&add(&mut self.capabilities, MAX_CAPABILITIES, manifest.capabilities.iter()));
        standard::trust_nodes(&add(&mut self.nodes, MAX_NODES, [&manifest.node_id]));
    }
}

/// Adds names while there are places, and returns those that were not there yet.
fn add<'a>(
    known: &mut BTreeSet<String>,
    most: usize,
    names: impl IntoIterator<Item = &'a String>,
) -> Vec<&'a str> {
    let mut new = Vec::new();
    for name in names {
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

    fn manifest(capabilities: impl IntoIterator<Item = String>) -> Manifest {
        Manifest {
            node_id: "ed25519:peer".to_owned(),
            community_id: "c".to_owned(),
            capabilities: capabilities.into_iter().collect(),
        }
    }

    #[test]
    fn a_peer_that_offers_ever_new_names_takes_no_place_of_another() {
        let registry = Registry::new();
        let _scope = registry.enter();
        let count = |capability| {
            standard::requests_total().inc([capability, "ok"]);
            registry.value("hearthnet_requests_total", &[("capability", capability)])
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
