//! The node as its console shows it.

use std::sync::Arc;

use obs_facade::console::ConsoleNode;
use obs_facade::console::api::{Gauge, Peers, Remark, Severity, TraceDetail, TracePart};
use tokio::runtime::Handle;

use super::{parts, peers};
use crate::bus::Bus;
use crate::config::Config;
use crate::status::{LogDisk, Space};
use crate::version::VERSION;

/// Share of the disk that is free, below which the owner should look at it.
const LITTLE_FREE: f64 = 0.05;

/// This node.
pub(super) struct OwnNode {
    bus: Arc<Bus>,
    disk: LogDisk,
}

impl OwnNode {
    pub(super) fn new(config: &Config, bus: Arc<Bus>) -> OwnNode {
        OwnNode { bus, disk: LogDisk::new(config.observability.log_dir()) }
    }

    /// Returns the space on the disk of the log. It waits for half a second at most.
    fn space(&self) -> Option<Space> {
        // A thread for blocking work belongs to a runtime.
        Handle::try_current().ok()?.block_on(self.disk.space())
    }
}

impl ConsoleNode for OwnNode {
    fn id(&self) -> String {
        self.bus.node_id().to_owned()
    }

    fn name(&self) -> String {
        self.bus.display_name().to_owned()
    }

    fn version(&self) -> String {
        VERSION.to_owned()
    }

    fn remarks(&self) -> Vec<Remark> {
        let silent = peers::silent(&self.bus);
        let peers = (!silent.is_empty()).then(|| Remark {
            severity: Severity::Attention,
            text: format!("No answer from {}.", silent.join(", ")),
            link: Some("neighbours".to_owned()),
        });
        peers.into_iter().chain(self.space().and_then(little_space)).collect()
    }

    fn gauges(&self) -> Vec<Gauge> {
        let free = self.space().map(|space| space.free as f64);
        vec![Gauge {
            title: "Free disk".to_owned(),
            family: "hearthnet_log_disk_free_bytes".to_owned(),
            unit: "bytes".to_owned(),
            value: free,
            points: Vec::new(),
        }]
    }

    fn peers(&self) -> Peers {
        peers::shown(&self.bus)
    }

    fn peer_parts(&self, own: &TraceDetail) -> Vec<TracePart> {
        // A thread for blocking work belongs to a runtime.
        Handle::try_current()
            .map_or_else(|_| Vec::new(), |runtime| runtime.block_on(parts::of_peers(&self.bus, own)))
    }
}

fn little_space(Space { free, total, .. }: Space) -> Option<Remark> {
    ((free as f64) < total as f64 * LITTLE_FREE).then(|| Remark {
        severity: Severity::Attention,
        text: format!("The disk of the log has {} MB left.", free / 1_000_000),
        link: None,
    })
}
