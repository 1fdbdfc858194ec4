//! Static peers of the configuration: their IDs, capabilities and availability.

mod offers;
mod silence;
pub(super) mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use obs_facade::metrics::standard;
use obs_facade::{info, warn};
use reqwest::Url;

use self::offers::Offers;
use crate::bus::logger::LOG;
use crate::wire::client;
use crate::wire::error::{CallError, Code, cause};
use crate::wire::manifest::Manifest;

/// State of the configured peers.
pub(crate) struct Peers {
    urls: Vec<Url>,
    community_id: String,
    // Invariant: `published` holds exactly the communities with a series. All of the state changes under one lock, so
    // that the gauges match it.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Peers by the index of their address in the configuration. A peer is absent before its first answer.
    known: BTreeMap<usize, Known>,
    /// Names with series of their own, by the same index.
    offers: BTreeMap<usize, Offers>,
    /// Reasons for which the last requests to the peers failed, by the same index.
    reasons: BTreeMap<usize, String>,
    /// Contents and durations of the last answers of the peers, by the same index.
    told: BTreeMap<usize, Told>,
    /// Times at which peers began or ceased to answer, by the same index.
    since: BTreeMap<usize, DateTime<Utc>>,
    /// Communities that have a series.
    published: BTreeSet<String>,
}

/// Part of an answer that changes each time. A change of it is not reported.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    problems_open: Option<u32>,
    latency: Duration,
}

#[derive(Clone, PartialEq)]
struct Known {
    manifest: Manifest,
    answers: bool,
}

/// Configured peer, as it is shown to people.
#[derive(Clone, Debug)]
pub(crate) struct PeerView {
    /// Address without credentials.
    pub(crate) address: String,
    /// Last manifest of the peer; `None` if it has never answered.
    pub(crate) manifest: Option<Manifest>,
    pub(crate) answers: bool,
    /// Time at which the peer began or ceased to answer; `None` if it has never answered.
    pub(crate) since: Option<DateTime<Utc>>,
    /// Reason for which the last request failed.
    pub(crate) error: Option<String>,
    /// Time that its last answer took.
    pub(crate) latency: Option<Duration>,
    /// Number of its open problems, if it tells.
    pub(crate) problems_open: Option<u32>,
}

/// Peer that offers a capability.
pub(crate) struct Peer {
    pub(crate) url: Url,
    pub(crate) node_id: String,
    pub(crate) same_community: bool,
}

impl Peers {
    pub(crate) fn new(urls: &[Url], community_id: &str) -> Peers {
        let peers =
            Peers { urls: urls.to_vec(), community_id: community_id.to_owned(), state: Mutex::default() };
        peers.publish(&mut peers.lock());
        peers
    }

    pub(crate) fn len(&self) -> usize {
        self.urls.len()
    }

    /// Returns the IDs of the peers that answer.
    pub(crate) fn online(&self) -> Vec<String> {
        let state = self.lock();
        let ids: BTreeSet<_> =
            state.known.values().filter(|peer| peer.answers).map(|peer| &peer.manifest.node_id).collect();
        ids.into_iter().cloned().collect()
    }

    /// Returns the state of all configured peers, in the order of the configuration.
    pub(crate) fn views(&self) -> Vec<PeerView> {
        let state = self.lock();
        let view = |(index, url): (usize, &Url)| {
            let known = state.known.get(&index);
            let answers = known.is_some_and(|known| known.answers);
            PeerView {
                address: cause::target(url),
                manifest: known.map(|known| known.manifest.clone()),
                answers,
                since: state.since.get(&index).copied(),
                error: state.reasons.get(&index).filter(|_| !answers).cloned(),
                latency: state.told.get(&index).map(|told| told.latency),
                problems_open: state.told.get(&index).and_then(|told| told.problems_open),
            }
        };
        self.urls.iter().enumerate().map(view).collect()
    }

    /// Returns the addresses of all configured peers, and their names, else their addresses without credentials.
    pub(crate) fn addresses(&self) -> Vec<(Url, String)> {
        let state = self.lock();
        let name = |(index, url): (usize, &Url)| {
            let told = state.known.get(&index).and_then(|known| known.manifest.display_name.clone());
            (url.clone(), told.unwrap_or_else(|| cause::target(url)))
        };
        self.urls.iter().enumerate().map(name).collect()
    }

    /// Returns the position of the peer at this host and port.
    pub(crate) fn position(&self, host: &str, port: u16) -> Option<usize> {
        self.urls.iter().position(|url| client::server(url) == (host, port))
    }

    /// Returns the address of the peer at this position.
    pub(crate) fn url(&self, position: usize) -> Option<&Url> {
        self.urls.get(position)
    }

    /// Returns whether a peer that answers offers `capability`.
    pub(crate) fn is_offered(&self, capability: &str) -> bool {
        self.lock().known.values().any(|known| known.answers && known.manifest.offers(capability))
    }

    /// Returns the first peer that answers and offers `capability`.
    pub(crate) fn offering(&self, capability: &str) -> Result<Peer, CallError> {
        let state = self.lock();
        let mut offering =
            state.known.iter().filter(|(_, known)| known.manifest.offers(capability)).peekable();
        // The caller learns whether the capability exists at all: a partition may heal, an unknown name stays unknown.
        let first = offering.peek().map(|(index, _)| **index);
        let found = offering.find(|(_, known)| known.answers);
        let (index, known) = found.ok_or_else(|| match first {
            Some(index) => self.silent(&state, index),
            None => no_node_offers(),
        })?;
        Ok(Peer {
            url: self.urls[*index].clone(),
            node_id: known.manifest.node_id.clone(),
            same_community: known.manifest.community_id == self.community_id,
        })
    }

    /// Returns the error for a capability of the peer at `index`, which does not answer.
    fn silent(&self, state: &State, index: usize) -> CallError {
        let reason = state.reasons.get(&index).map_or("the last request failed", String::as_str);
        Code::PARTITION
            .because("the node that offers this capability does not answer")
            .caused_by(reason)
            .asked("GET", &manifest_of(&self.urls[index]))
            .advise("start the peer, or check the network between the nodes")
    }

    /// Keeps the reason for which the last request to the peer at `index` failed.
    fn failed(&self, index: usize, reason: String) {
        self.lock().reasons.insert(index, reason);
    }

    /// Returns whether `node_id` is the ID of a peer that has answered at least once.
    pub(crate) fn contains(&self, node_id: &str) -> bool {
        self.lock().known.values().any(|known| known.manifest.node_id == node_id)
    }

    /// Returns whether a peer offers `capability` as `node_id`. The peer need not answer now.
    fn knows(&self, capability: &str, node_id: &str) -> bool {
        let state = self.lock();
        let mut known = state.known.values();
        known.any(|known| known.manifest.node_id == node_id && known.manifest.offers(capability))
    }

    /// Notes what the peer at `index` tells of itself, and takes it out of the manifest.
    fn note(&self, index: usize, manifest: &mut Manifest, latency: Duration) {
        let told = Told { problems_open: manifest.problems_open.take(), latency };
        self.lock().told.insert(index, told);
    }

    /// Stores the answer of the peer at `index`, and returns whether it changes anything.
    fn learn(&self, index: usize, answer: Option<Manifest>) -> bool {
        let mut state = self.lock();
        let before = state.known.get(&index).cloned();
        let now = match (answer, before.clone()) {
            (Some(manifest), _) => Some(Known { manifest, answers: true }),
            // The manifest is kept, so that its capabilities remain known as unreachable.
            (None, Some(known)) => Some(Known { answers: false, ..known }),
            (None, None) => None,
        };
        // Without this a peer would cost two log lines and a gauge update every few seconds.
        let changed = now != before;
        let answers = |known: &Option<Known>| known.as_ref().is_some_and(|known| known.answers);
        if answers(&now) != answers(&before) {
            state.since.insert(index, Utc::now());
        }
        if let Some(known) = now.filter(|_| changed) {
            state.offers.entry(index).or_default().take(&known.manifest);
            tell(&known, known.manifest.community_id == self.community_id);
            state.known.insert(index, known);
            self.publish(&mut state);
        }
        changed
    }

    /// Sets `hearthnet_nodes_online` to the number of peers that answer, by community. This node is not counted. Its
    /// own community has a series even while no peer answers.
    fn publish(&self, state: &mut State) {
        let mut nodes: BTreeMap<&str, BTreeSet<&str>> =
            BTreeMap::from([(self.community_id.as_str(), BTreeSet::new())]);
        for known in state.known.values().filter(|known| known.answers) {
            nodes.entry(&known.manifest.community_id).or_default().insert(&known.manifest.node_id);
        }
        for (community, nodes) in &nodes {
            standard::nodes_online().with([community]).set(nodes.len() as f64);
        }
        let published = nodes.into_keys().map(str::to_owned).collect();
        for gone in state.published.difference(&published) {
            // A series that stays at 0 for every community ever seen would grow without bound.
            standard::nodes_online().remove([gone]);
        }
        state.published = published;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the error for a capability that no node offers.
pub(super) fn no_node_offers() -> CallError {
    Code::NOT_FOUND
        .because("no known node offers this capability")
        .advise("check the name, or add a node that offers it to `[discovery] static_peers`")
}

fn manifest_of(url: &Url) -> Url {
    client::join(url, "/manifest")
}

fn tell(known: &Known, same_community: bool) {
    let Manifest { node_id, community_id, capabilities, .. } = &known.manifest;
    if known.answers {
        info!(
            logger: LOG, node = node_id, community = community_id, same_community = same_community,
            capabilities = capabilities.len(); "peer answers"
        );
    } else {
        warn!(logger: LOG, node = node_id; "peer no longer answers");
    }
}

#[cfg(test)]
mod tests {
    use obs_facade::metrics::Registry;

    use super::*;
    use crate::wire::manifest::Offered;

    fn manifest(node_id: &str, community_id: &str) -> Option<Manifest> {
        Some(Manifest {
            node_id: node_id.to_owned(),
            community_id: community_id.to_owned(),
            display_name: None,
            capabilities: vec![Offered { name: "rag.query".to_owned(), version: None, stability: None }],
            program_version: None,
            problems_open: None,
        })
    }

    #[test]
    fn nodes_online_counts_answering_peers_by_community() {
        let registry = Registry::new();
        let _scope = registry.enter();
        let url = Url::parse("http://127.0.0.1:1").unwrap();
        let peers = Peers::new(&[url.clone(), url.clone(), url], "ours");
        let online = |community| {
            obs_facade::metrics::testing::value(
                &registry,
                "hearthnet_nodes_online",
                &[("community", community)],
            )
        };
        assert_eq!(online("ours"), Some(0.0));
        peers.learn(0, manifest("a", "ours"));
        peers.learn(1, manifest("b", "theirs"));
        peers.learn(2, manifest("b", "theirs"));
        assert_eq!(
            (online("ours"), online("theirs")),
            (Some(1.0), Some(1.0)),
            "one node on two addresses is one"
        );
        assert!(!peers.learn(2, manifest("b", "theirs")));

        peers.learn(0, None);
        assert_eq!(peers.online(), ["b"]);
        peers.learn(1, None);
        peers.learn(2, None);
        assert_eq!((online("ours"), online("theirs")), (Some(0.0), None));
    }

    #[test]
    fn a_capability_of_a_silent_peer_is_a_partition_and_not_unknown() {
        let url = Url::parse("http://127.0.0.1:1").unwrap();
        let peers = Peers::new(&[url], "ours");
        let code = |peers: &Peers| peers.offering("rag.query").err().map(|error| error.code);
        assert_eq!(code(&peers), Some(Code::NOT_FOUND));
        peers.learn(0, manifest("a", "theirs"));
        assert!(!peers.offering("rag.query").unwrap().same_community);
        peers.learn(0, None);
        assert_eq!(code(&peers), Some(Code::PARTITION));
    }
}
