//! View of the node that knows the state of its log and of its export of traces.

use std::sync::Arc;

use obs_doctor::{BusError, CapabilityBus, Observability, Outcome};

use crate::seams;

/// The node's own bus, with the state of this process's log and export added.
pub(super) struct ObservedBus(pub(super) Arc<dyn CapabilityBus>);

impl CapabilityBus for ObservedBus {
    fn node_id(&self) -> Option<String> {
        self.0.node_id()
    }

    fn capabilities(&self) -> Result<Vec<String>, BusError> {
        self.0.capabilities()
    }

    fn peers(&self) -> Result<Vec<String>, BusError> {
        self.0.peers()
    }

    fn recent_outcomes(&self, n: usize) -> Result<Vec<Outcome>, BusError> {
        self.0.recent_outcomes(n)
    }

    fn expects_peers(&self) -> bool {
        self.0.expects_peers()
    }

    fn observability(&self) -> Result<Observability, BusError> {
        self.0.observability().map(seams::complete_own_state)
    }
}
