//! Part of this node in the metrics of its community.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use obs_community::{Metric, Rules, Share};

use super::machine::Machine;
use super::snapshot::Snapshots;
use crate::bus::Bus;
use crate::config::Config;
use crate::config::federated::{FederatedSection, PublishSection};

/// Part of this node in the metrics of its community.
pub(crate) struct Federation {
    pub(super) bus: Arc<Bus>,
    pub(super) machine: Machine,
    /// Figures of the past. Empty on a node that does not collect.
    pub(super) snapshots: Snapshots,
    /// File of the figures of the past.
    pub(super) file: PathBuf,
    section: FederatedSection,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Share of this node, and the period that it ends.
    own: Option<(u64, Share)>,
    /// Figures of the last tick.
    page: Option<String>,
}

impl Federation {
    pub(crate) fn new(config: &Config, bus: Arc<Bus>, snapshots: Snapshots) -> Arc<Federation> {
        Arc::new(Federation {
            machine: Machine::new(config),
            snapshots,
            file: config.community_dir(bus.community_id()).join("figures.sqlite"),
            bus,
            section: config.federated.clone(),
            state: Mutex::default(),
        })
    }

    pub(super) fn is_enabled(&self) -> bool {
        self.section.enabled
    }

    /// Returns the ID of the node that collects.
    pub(super) fn collector(&self) -> &str {
        self.section.aggregator.as_deref().unwrap_or_else(|| self.bus.node_id())
    }

    pub(super) fn collects(&self) -> bool {
        self.collector() == self.bus.node_id()
    }

    /// Returns the metrics to whose sharing the owner of this node consents.
    pub(super) fn consented(&self) -> Vec<Metric> {
        metrics(&self.section.consent.publish_to_community)
    }

    /// Returns the metrics whose figures may be published outside of the community.
    pub(super) fn consented_for_others(&self) -> Vec<Metric> {
        metrics(&self.section.consent.publish_to_federated)
    }

    /// Returns whether this version shares a metric to which the owner consents.
    pub(super) fn shares(&self) -> bool {
        !self.consented().is_empty()
    }

    /// Returns the time between two ticks, in whole seconds.
    pub(super) fn interval(&self) -> Duration {
        self.section.metrics_tick_seconds
    }

    pub(super) fn rules(&self) -> Rules {
        let seconds = u32::try_from(self.interval().as_secs()).unwrap_or(u32::MAX);
        Rules::default().min_nodes(self.section.aggregation_min_nodes).tick_seconds(seconds)
    }

    pub(super) fn own(&self) -> Option<(u64, Share)> {
        self.state().own.clone()
    }

    pub(super) fn set_own(&self, own: Option<(u64, Share)>) {
        self.state().own = own;
    }

    pub(super) fn page(&self) -> Option<String> {
        self.state().page.clone()
    }

    pub(super) fn set_page(&self, page: Option<String>) {
        self.state().page = page;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn metrics(section: &PublishSection) -> Vec<Metric> {
    section.metrics.iter().filter_map(|consented| consented.metric()).collect()
}
