//! The small node behind `hearthnet run`: a bus with local capabilities and static peers.
//!
//! It is built on `obs-facade` as any bus module is, and the reference for how: `run.rs` configures
//! and holds the guard, [`Node::router`] merges the facade's routes and puts its layer around everything, and
//! from there on a handler logs, opens spans and says how it failed without knowing who listens.

mod answer;
mod bus;
mod call;
mod capability;
mod echo;
mod forward;
mod health;
mod llm;
mod manifest;
mod peers;
mod status;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use obs_facade::http::Checkup;
use obs_facade::{Logger, metrics};
use tokio::task::JoinSet;

use self::capability::Capability;
use crate::config::Config;
use crate::identity::Identity;
use crate::limiter::Limiter;
use crate::wire::client;
use crate::wire::error::Code;
use crate::wire::replay::Replays;

static LOG: Logger = Logger::new(module_path!());

/// What answers calls: who it is, what it offers, and what it knows of others.
pub(crate) struct Node {
    identity: Arc<Identity>,
    community_id: String,
    display_name: String,
    started: Instant,
    capabilities: BTreeMap<&'static str, Arc<dyn Capability>>,
    peers: peers::Peers,
    limiter: Limiter,
    replays: Replays,
    health: Arc<health::Health>,
    http: reqwest::Client,
    call_timeout: Duration,
}

impl Node {
    pub(crate) fn new(config: &Config, identity: Arc<Identity>, community_id: &str, name: &str) -> Arc<Node> {
        let http = client::build();
        let mut capabilities: BTreeMap<&'static str, Arc<dyn Capability>> = BTreeMap::new();
        capabilities.insert(echo::NAME, Arc::new(echo::Echo));
        capabilities.insert(status::NAME, Arc::new(status::Status::new(identity.node_id())));
        if let Some(backend) = config.llm.backends.first() {
            capabilities.insert(llm::NAME, Arc::new(llm::Chat::new(backend, http.clone())));
        }
        obs_facade::offer(&capabilities.keys().copied().collect::<Vec<_>>());
        metrics::standard::trust_nodes(&[identity.node_id()]);
        for name in capabilities.keys() {
            metrics::standard::active_streams().set([name], 0.0);
        }
        Arc::new(Node {
            identity,
            community_id: community_id.to_owned(),
            display_name: name.to_owned(),
            started: Instant::now(),
            capabilities,
            peers: peers::Peers::new(&config.discovery.static_peers, community_id),
            limiter: Limiter::new(config.transport.rate_limit_soft_rps, config.transport.rate_limit_hard_rps),
            replays: Replays::new(chrono::Utc::now()),
            health: Arc::default(),
            http,
            call_timeout: config.transport.call_timeout_seconds,
        })
    }

    /// Everything that the transport server answers.
    pub(crate) fn router(self: &Arc<Node>, checkup: &Checkup) -> Router {
        Router::new()
            .route("/bus/v1/call", post(call::handle))
            .route("/manifest", get(manifest::serve))
            .fallback(|| async { Code::NOT_FOUND.because("no such route") })
            .method_not_allowed_fallback(|| async {
                let refused = Code::BAD_REQUEST.because("this route takes another method");
                refused.with_status(StatusCode::METHOD_NOT_ALLOWED)
            })
            .with_state(self.clone())
            .merge(obs_facade::http::router(self.clone()))
            .merge(checkup.router())
            .layer(obs_facade::http::layer())
    }

    /// Keeps asking the peers who they are; it ends when the set is dropped.
    pub(crate) fn watch_peers(self: &Arc<Node>) -> JoinSet<()> {
        (0..self.peers.len()).map(|index| peers::watch(self.clone(), index)).collect()
    }
}
