//! The small node behind `hearthnet run`: a bus with local capabilities and static peers.
//!
//! It is built on `obs-facade` as any bus module is, and the reference for how: `cli/run` configures
//! and holds the guard, [`Node::router`] merges the facade's routes and puts its layer around everything, and
//! from there on a handler logs, opens spans and says how it failed without knowing who listens.

mod capability_bus;
mod chat;
mod echo;
mod model_span;
mod status;

use std::sync::Arc;

use axum::Router;
use obs_facade::http::Checkup;
use obs_facade::metrics::standard;
use tokio::task::JoinSet;

use crate::bus::{self, Bus, Capabilities, Profile};
use crate::config::Config;
use crate::wire::client;

/// A node: its capabilities on the bus, and the routes that show how it is doing.
pub(crate) struct Node {
    bus: Arc<Bus>,
}

impl Node {
    pub(crate) fn new(config: &Config, profile: Profile) -> Arc<Node> {
        let http = client::build();
        let node_id = profile.identity.node_id();
        let mut capabilities = Capabilities::new();
        capabilities.insert(echo::NAME, Arc::new(echo::Echo));
        capabilities.insert(status::NAME, Arc::new(status::Status::new(node_id)));
        if let Some(backend) = config.llm.backends.first() {
            capabilities.insert(chat::NAME, Arc::new(chat::Chat::new(backend, http.clone())));
        }
        obs_facade::offer(&capabilities.keys().copied().collect::<Vec<_>>());
        standard::trust_nodes(&[node_id]);
        for name in capabilities.keys() {
            standard::active_streams().set([name], 0.0);
        }
        Arc::new(Node { bus: Bus::new(config, profile, capabilities, http) })
    }

    /// Everything that the transport server answers.
    pub(crate) fn router(self: &Arc<Node>, checkup: &Checkup) -> Router {
        bus::routes(self.bus.clone())
            .merge(obs_facade::http::router(self.clone()))
            .merge(checkup.router())
            .layer(obs_facade::http::layer())
    }

    /// Keeps asking the peers who they are; it ends when the set is dropped.
    pub(crate) fn watch_peers(&self) -> JoinSet<()> {
        bus::watch_peers(&self.bus)
    }
}
