//! This node's view of its peers.

use std::sync::Arc;

use obs_facade::console::api::{Peer, Peers};

use crate::bus::{Bus, PeerView};
use crate::wire::clock;

/// Returns the peers.
pub(super) fn shown(bus: &Arc<Bus>) -> Peers {
    let peers: Vec<_> = bus.peer_views().iter().map(|view| peer(bus, view)).collect();
    let none_because = peers.is_empty().then(|| {
        "no peers are configured; name them in `[discovery] static_peers` of config.toml".to_owned()
    });
    Peers { peers, none_because }
}

/// Returns the names of the peers that do not answer.
pub(super) fn silent(bus: &Arc<Bus>) -> Vec<String> {
    bus.peer_views().iter().filter(|peer| !peer.answers).map(name).collect()
}

fn name(view: &PeerView) -> String {
    let told = view.manifest.as_ref().and_then(|manifest| manifest.display_name.clone());
    told.unwrap_or_else(|| view.address.clone())
}

fn peer(bus: &Bus, view: &PeerView) -> Peer {
    let id = view.manifest.as_ref().map(|manifest| manifest.node_id.clone());
    let (calls, errors) = id.as_deref().map(|id| bus.calls_to(id)).unwrap_or_default();
    Peer {
        id,
        name: name(view),
        address: view.address.clone(),
        up: view.answers,
        since: view.since.map(clock::text),
        latency_ms: view.latency.map(|latency| latency.as_secs_f64() * 1e3),
        version: view.manifest.as_ref().and_then(|manifest| manifest.program_version.clone()),
        calls,
        errors,
        last_error: view.error.clone(),
        problems_open: view.problems_open,
    }
}
