//! The node as the facade's routes and the doctor see it.

use std::sync::Arc;

use obs_facade::doctor::{BusError, CapabilityBus, Observability, Outcome};
use obs_facade::trace;

use super::Node;

impl CapabilityBus for Node {
    fn node_id(&self) -> Option<String> {
        Some(self.bus.node_id().to_owned())
    }

    fn capabilities(&self) -> Result<Vec<String>, BusError> {
        Ok(self.bus.capability_names().map(str::to_owned).collect())
    }

    fn peers(&self) -> Result<Vec<String>, BusError> {
        Ok(self.bus.peers_online())
    }

    fn expects_peers(&self) -> bool {
        self.bus.expects_peers()
    }

    fn recent_outcomes(&self, n: usize) -> Result<Vec<Outcome>, BusError> {
        let outcome = |record: &Arc<trace::TraceRecord>| Outcome::from_status(record.status().as_str());
        Ok(trace::get_recent(n).iter().map(outcome).collect())
    }

    fn observability(&self) -> Result<Observability, BusError> {
        // The facade adds the log and the export of traces.
        Ok(Observability {
            clock: Some(self.clock_steps.state()),
            last_run: self.last_run.get().map(|last| last.for_doctor(self.started.elapsed())),
            ..Observability::default()
        })
    }
}
