//! Calls: who may make one, which capability or peer answers it, and how its answer goes out.

pub(crate) mod answer;
mod call;
pub(crate) mod capability;
mod forward;
mod health;
mod limiter;
mod manifest;
mod offers;
mod peers;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use obs_facade::Logger;
use tokio::task::JoinSet;

use self::capability::Capability;
use self::limiter::Limiter;
use crate::config::Config;
use crate::wire::error::Code;
use crate::wire::signing::identity::Identity;
use crate::wire::signing::replay::Replays;

static LOG: Logger = Logger::new("hearthnet::node");

/// Capabilities of this node by their names.
pub(crate) type Capabilities = BTreeMap<&'static str, Arc<dyn Capability>>;

/// Identity and names under which this node answers.
#[derive(Debug)]
pub(crate) struct Profile {
    pub(crate) identity: Arc<Identity>,
    pub(crate) community_id: String,
    pub(crate) display_name: String,
}

/// The part of a node that takes calls and finds their answers.
pub(crate) struct Bus {
    profile: Profile,
    started: Instant,
    capabilities: Capabilities,
    peers: peers::Peers,
    limiter: Limiter,
    replays: Replays,
    health: Arc<health::Health>,
    http: reqwest::Client,
    call_timeout: Duration,
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
            peers: peers::Peers::new(&config.discovery.static_peers, &profile.community_id),
            limiter: Limiter::new(config.transport.rate_limit_soft_rps, config.transport.rate_limit_hard_rps),
            replays: Replays::new(chrono::Utc::now()),
            health: Arc::default(),
            http,
            call_timeout: config.transport.call_timeout_seconds,
            profile,
        })
    }

    /// Returns the routes that other nodes call.
    pub(crate) fn routes(self: &Arc<Bus>) -> Router {
        Router::new()
            .route("/bus/v1/call", post(call::handle))
            .route("/manifest", get(manifest::serve))
            .fallback(|| async { Code::NOT_FOUND.because("no such route") })
            .method_not_allowed_fallback(|| async {
                let refused = Code::BAD_REQUEST.because("this route takes another method");
                refused.with_status(StatusCode::METHOD_NOT_ALLOWED)
            })
            .with_state(self.clone())
    }

    /// Asks each peer for its manifest again and again, until the set is dropped.
    pub(crate) fn watch_peers(self: &Arc<Bus>) -> JoinSet<()> {
        (0..self.peers.len()).map(|index| peers::watch(self.clone(), index)).collect()
    }

    pub(crate) fn node_id(&self) -> &str {
        self.profile.identity.node_id()
    }

    /// Names of this node's own capabilities.
    pub(crate) fn capability_names(&self) -> impl Iterator<Item = &'static str> {
        self.capabilities.keys().copied()
    }

    /// IDs of the peers that answer.
    pub(crate) fn peers_online(&self) -> Vec<String> {
        self.peers.online()
    }
}
