//! State that the handlers of all calls share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::callers::Callers;
use super::capability::Capability;
use super::health::Health;
use super::limiter::Limiter;
use super::peers::{PeerView, Peers};
use super::recent::Recent;
use crate::config::Config;
use crate::wire::signing::identity::Identity;
use crate::wire::signing::replay::Replays;

/// Capabilities of this node, by name.
pub(crate) type Capabilities = BTreeMap<&'static str, Arc<dyn Capability>>;

/// Identity and names of this node.
#[derive(Debug)]
pub(crate) struct Profile {
    pub(crate) identity: Arc<Identity>,
    pub(crate) community_id: String,
    pub(crate) display_name: String,
}

/// Bus of this node.
pub(crate) struct Bus {
    pub(super) profile: Profile,
    pub(super) started: Instant,
    pub(super) capabilities: Capabilities,
    pub(super) peers: Peers,
    pub(super) limiter: Limiter,
    pub(super) replays: Replays,
    pub(super) health: Arc<Health>,
    pub(super) recent: Arc<Recent>,
    pub(super) callers: Arc<Callers>,
    // One client for all: its pool keeps connections to peers open.
    pub(super) http: reqwest::Client,
    pub(super) call_timeout: Duration,
    expects_peers: bool,
}

impl Bus {
    pub(crate) fn new(
        config: &Config,
        profile: Profile,
        capabilities: Capabilities,
        http: reqwest::Client,
    ) -> Arc<Bus> {
        Arc::new(Bus {
            started: Instant::now(),
            capabilities,
            peers: Peers::new(&config.discovery.static_peers, &profile.community_id),
            limiter: Limiter::new(config.transport.rate_limit_soft_rps, config.transport.rate_limit_hard_rps),
            // A process before this one may have answered calls that were signed before now.
            replays: Replays::new(chrono::Utc::now()),
            health: Arc::default(),
            recent: Recent::new(),
            callers: Callers::new(),
            http,
            call_timeout: config.transport.call_timeout_seconds,
            expects_peers: config.discovery.may_find_peers(),
            profile,
        })
    }

    /// Replaces the limits on calls a second. 0 is no limit.
    pub(crate) fn set_rate_limits(&self, soft_rps: u32, hard_rps: u32) {
        self.limiter.set_rates(soft_rps, hard_rps);
    }

    pub(crate) fn node_id(&self) -> &str {
        self.profile.identity.node_id()
    }

    pub(crate) fn display_name(&self) -> &str {
        &self.profile.display_name
    }

    pub(crate) fn community_id(&self) -> &str {
        &self.profile.community_id
    }

    /// Returns the calls of the last five minutes.
    pub(crate) fn recent(&self) -> &Recent {
        &self.recent
    }

    /// Returns the callers since the start of the node.
    pub(crate) fn callers(&self) -> &Callers {
        &self.callers
    }

    /// Returns the share of the last calls of `capability` that `node` answered well; `None` before the first one.
    pub(crate) fn success_rate(&self, capability: &str, node: &str) -> Option<f64> {
        self.health.rate(capability, node)
    }

    /// Returns the number of calls that `node` answered since the start, and of those that failed.
    pub(crate) fn calls_to(&self, node: &str) -> (u64, u64) {
        self.health.totals(node)
    }

    /// Returns the client for requests to peers.
    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Returns the configured peers: their addresses, and their names where they are known.
    pub(crate) fn peer_addresses(&self) -> Vec<(reqwest::Url, String)> {
        self.peers.addresses()
    }

    /// Returns the position of the configured peer at this host and port.
    pub(crate) fn peer_at(&self, host: &str, port: u16) -> Option<usize> {
        self.peers.position(host, port)
    }

    /// Returns the address of the configured peer at this position.
    pub(crate) fn peer_url(&self, position: usize) -> Option<&reqwest::Url> {
        self.peers.url(position)
    }

    /// Returns whether the configuration lets the node have peers.
    pub(crate) fn expects_peers(&self) -> bool {
        self.expects_peers
    }

    /// Returns the state of all configured peers.
    pub(crate) fn peer_views(&self) -> Vec<PeerView> {
        self.peers.views()
    }

    /// Returns the names of this node's own capabilities.
    pub(crate) fn capability_names(&self) -> impl Iterator<Item = &'static str> {
        self.capabilities.keys().copied()
    }

    /// Returns the IDs of the peers that answer.
    pub(crate) fn peers_online(&self) -> Vec<String> {
        self.peers.online()
    }
}
