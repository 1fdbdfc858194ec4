//! Small node behind `hearthnet run`, and the reference for a bus module.
//!
//! A bus module copies this folder: capabilities that log, open spans, keep gauges and report failures ([`echo`],
//! [`status`], [`chat`]), the view of the node for observability ([`capability_bus`]), and the set-up of the facade's
//! routes and layer ([`Node::router`]). `cli/run` configures observability and holds the guard.
//!
//! The code that a module does not copy is elsewhere: limits, signatures and routing in `bus/`, the client of a
//! language model in `llm/`.

mod capability_bus;
mod chat;
mod echo;
mod model_span;
mod status;

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use axum::Router;
use obs_facade::http::Checkup;
use obs_facade::metrics::standard;
use tokio::task::JoinSet;

use crate::bus::{self, Bus, Capabilities, Profile};
use crate::community::Snapshots;
use crate::config::Config;
use crate::marks;
use crate::server::local_only;
use crate::state::run_marker::LastRun;
use crate::watch::beat::Beats;
use crate::watch::clock::ClockSteps;
use crate::wire::client;

/// Node: its capabilities on the bus, and the facade's routes.
pub(crate) struct Node {
    bus: Arc<Bus>,
    started: Instant,
    clock_steps: Arc<ClockSteps>,
    snapshots: Snapshots,
    /// End of the run before this one, once it is known.
    last_run: OnceLock<LastRun>,
}

impl Node {
    pub(crate) fn new(config: &Config, profile: Profile) -> Arc<Node> {
        let models = config.llm.backends.iter().map(|backend| &backend.url);
        let http = client::build(config.discovery.static_peers.iter().chain(models));
        let node_id = profile.identity.node_id();
        let mut capabilities = Capabilities::new();
        capabilities.insert(echo::NAME, Arc::new(echo::Echo));
        capabilities.insert(status::NAME, Arc::new(status::Status::new(node_id)));
        if let Some(backend) = config.llm.backends.first() {
            capabilities.insert(chat::NAME, Arc::new(chat::Chat::new(backend, http.clone())));
        }
        if let Some(offer) = &config.bus.offer {
            capabilities.retain(|name, _| offer.iter().any(|offered| offered == name));
        }
        // The section that makes this node collect is the consent to these.
        let snapshots = Snapshots::default();
        snapshots.offer(&config.federated, node_id, &mut capabilities);
        // From here on these names have series of their own, which invented names cannot take.
        obs_facade::offer(&capabilities.keys().copied().collect::<Vec<_>>());
        standard::trust_nodes(&[node_id]);
        for name in capabilities.keys() {
            // A gauge that is absent until the first call would leave gaps in graphs and alerts.
            standard::active_streams().set([name], 0.0);
        }
        Arc::new(Node {
            bus: Bus::new(config, profile, capabilities, http),
            started: Instant::now(),
            clock_steps: Arc::default(),
            snapshots,
            last_run: OnceLock::new(),
        })
    }

    pub(crate) fn bus(&self) -> &Arc<Bus> {
        &self.bus
    }

    /// Returns all routes of the transport server. Only callers on this machine see the routes `local`. The routes `console`
    /// choose their callers themselves.
    pub(crate) fn router(self: &Arc<Node>, checkup: &Checkup, local: Router, console: Router) -> Router {
        bus::routes(self.bus.clone())
            // After the bus's routes, and inside the layer, which must see every request.
            .merge(obs_facade::http::router(self.clone()))
            .merge(checkup.router())
            .merge(console)
            .merge(marks::routes(self.bus.clone()))
            .merge(local_only::guard(local.merge(bus::local_routes(&self.bus))))
            .layer(obs_facade::http::layer())
    }

    /// Tells the doctor of this node how the last run ended. Only the first call has an effect.
    pub(crate) fn set_last_run(&self, last: LastRun) {
        let _ = self.last_run.set(last);
    }

    /// Returns the figures of the past, for the task that adds to them.
    pub(crate) fn snapshots(&self) -> Snapshots {
        self.snapshots.clone()
    }

    /// Returns the steps of the clock, for the look that compares the clocks.
    pub(crate) fn clock_steps(&self) -> Arc<ClockSteps> {
        self.clock_steps.clone()
    }

    /// Replaces the limits on calls a second. 0 is no limit.
    pub(crate) fn set_rate_limits(&self, soft_rps: u32, hard_rps: u32) {
        self.bus.set_rate_limits(soft_rps, hard_rps);
    }

    /// Returns the number of peers that answer.
    pub(crate) fn peers_online(&self) -> usize {
        self.bus.peers_online().len()
    }

    /// Requests the manifests of the peers at each beat, until the set is dropped.
    pub(crate) fn watch_peers(&self, beats: &Beats) -> JoinSet<()> {
        bus::watch_peers(&self.bus, beats)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::BUILT_IN;
    use crate::config::paths::Paths;
    use crate::wire::signing::identity::Identity;

    fn offered(config: &str) -> Vec<&'static str> {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("config.toml");
        let model = "[[llm.backends]]\nname = \"a\"\nurl = \"http://127.0.0.1:1\"\n";
        std::fs::write(&file, format!("{config}\n{model}")).unwrap();
        let config = Config::load(Some(&file), &Paths::under(home.path())).unwrap();
        let identity = Arc::new(Identity::from_seed(&[7; 32]));
        let profile = Profile { identity, community_id: "c".to_owned(), display_name: "a".to_owned() };
        Node::new(&config, profile).bus().capability_names().collect()
    }

    #[test]
    fn the_configuration_knows_every_capability_and_chooses_among_them() {
        assert_eq!(offered(""), BUILT_IN);
        assert_eq!(offered("bus.offer = [\"llm.chat\"]"), ["llm.chat"]);
        assert!(offered("bus = { offer = [], prefer_local = true }").is_empty());
    }
}
