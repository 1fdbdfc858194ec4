//! How observability sees this node.

use obs_facade::doctor::{BusError, CapabilityBus, Outcome};
use obs_facade::trace;

use super::Node;

impl CapabilityBus for Node {
    fn node_id(&self) -> Option<String> {
        Some(self.identity.node_id().to_owned())
    }

    fn capabilities(&self) -> Result<Vec<String>, BusError> {
        Ok(self.capabilities.keys().map(|name| (*name).to_owned()).collect())
    }

    fn peers(&self) -> Result<Vec<String>, BusError> {
        Ok(self.peers.online())
    }

    fn recent_outcomes(&self, n: usize) -> Result<Vec<Outcome>, BusError> {
        Ok(trace::get_recent(n).iter().map(|record| outcome(&record.status())).collect())
    }
}

fn outcome(status: &trace::Status) -> Outcome {
    match status {
        trace::Status::Ok => Outcome::Ok,
        trace::Status::Cancelled => Outcome::Cancelled,
        _ => Outcome::Error,
    }
}
