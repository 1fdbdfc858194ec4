//! `observability.community_snapshot` and `observability.federated_snapshot`: figures of a window, from the node that collects.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::Utc;
use obs_community::{Audience, History};
use serde_json::json;

use crate::bus::Capabilities;
use crate::bus::answer::Answer;
use crate::bus::capability::{Answering, Capability};
use crate::config::federated::FederatedSection;
use crate::wire::arguments::{Call, whole};
use crate::wire::error::{CallError, Code, mismatch};

const COMMUNITY: &str = "observability.community_snapshot";
const FEDERATED: &str = "observability.federated_snapshot";

/// Default for `window_hours`.
const WINDOW_HOURS: u64 = 24;
/// Longest window. Days are kept for a year.
const MAX_WINDOW_HOURS: u64 = 366 * 24;

/// Figures of the past, which the tick adds to and the capabilities read.
#[derive(Clone, Default)]
pub(crate) struct Snapshots(Arc<Mutex<History>>);

impl Snapshots {
    pub(super) fn history(&self) -> MutexGuard<'_, History> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the capabilities, if this node collects. `node_id` is its own.
    pub(crate) fn offer(&self, section: &FederatedSection, node_id: &str, capabilities: &mut Capabilities) {
        let collects = section.aggregator.as_deref().is_none_or(|aggregator| aggregator == node_id);
        if section.enabled && collects {
            for (name, audience) in [(COMMUNITY, Audience::Community), (FEDERATED, Audience::Federated)] {
                let min_nodes = section.aggregation_min_nodes;
                capabilities.insert(name, Arc::new(Snapshot { of: self.clone(), audience, min_nodes }));
            }
        }
    }
}

struct Snapshot {
    of: Snapshots,
    audience: Audience,
    min_nodes: usize,
}

impl Capability for Snapshot {
    fn call(&self, call: Call) -> Answering {
        let answer = self.answer(&call, hour_now());
        Box::pin(async move { answer })
    }
}

impl Snapshot {
    fn answer(&self, call: &Call, now: u64) -> Result<Answer, CallError> {
        let hours = whole(&call.input, "window_hours")?.unwrap_or(WINDOW_HOURS);
        if !(1..=MAX_WINDOW_HOURS).contains(&hours) {
            return Err(mismatch("window_hours", "a whole number from 1 to 8784"));
        }
        let figures = self.of.history().snapshot(self.audience, now, hours);
        let figures = figures.ok_or_else(|| {
            Code::AGGREGATION_TOO_FEW_NODES
                .because(format!("no figure of the window has {} nodes behind it", self.min_nodes))
        })?;
        let output = json!({ "window_hours": hours, "min_nodes": self.min_nodes, "figures": figures });
        Ok(Answer::Plain { output, meta: json!({}) })
    }
}

/// Returns the hour of now, counted since 1970.
fn hour_now() -> u64 {
    u64::try_from(Utc::now().timestamp()).unwrap_or(0) / 3_600
}

#[cfg(test)]
mod tests {
    use obs_community::{Community, Metric, Rules, Share};
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_snapshot_has_bands_of_its_window_and_no_name() {
        let snapshots = Snapshots::default();
        let of = |audience| Snapshot { of: snapshots.clone(), audience, min_nodes: 3 };
        let ask = |audience, input: Value| {
            let call = Call::from_body(json!({ "input": input })).unwrap();
            match of(audience).answer(&call, 1000) {
                Ok(Answer::Plain { output, .. }) => Ok(output),
                Ok(Answer::Frames(_)) => panic!("a stream"),
                Err(error) => Err(error.code.as_str().to_owned()),
            }
        };
        let few = Err("aggregation_too_few_nodes".to_owned());
        assert_eq!(ask(Audience::Community, json!({})), few);

        let mut community = Community::new(Rules::default().settling_ticks(0));
        let share = Share::default().calls("llm.chat", 6).machine(Metric::Cpu, 40).federated([Metric::Cpu]);
        let mut shares = ["ada", "bob", "eve"].map(|node| (node.to_owned(), share.clone())).to_vec();
        community.tick(&shares.iter().cloned().collect());
        snapshots.history().note(990, &community);
        let all = ask(Audience::Community, json!({ "window_hours": 24 })).unwrap();
        assert_eq!(
            all["figures"],
            json!({ "capability_calls_per_min": { "llm.chat": "10-20" }, "cpu_pct": "25-50" })
        );
        let federated = ask(Audience::Federated, json!({})).unwrap();
        assert_eq!(
            federated,
            json!({ "window_hours": 24, "min_nodes": 3, "figures": { "cpu_pct": "25-50" } })
        );
        assert_eq!(ask(Audience::Community, json!({ "window_hours": 10 })), few, "it was before that");

        // One takes its consent back. There is no figure of two for the time after.
        shares[2].1 = Share::default().calls("llm.chat", 6).machine(Metric::Cpu, 40);
        community.tick(&shares.into_iter().collect());
        snapshots.history().note(1000, &community);
        assert_eq!(ask(Audience::Federated, json!({ "window_hours": 1 })), few);

        for wrong in [json!(0), json!(8785), json!(-1), json!(1.5), json!("24"), json!(u64::MAX)] {
            let refused = ask(Audience::Community, json!({ "window_hours": wrong }));
            assert_eq!(refused, Err("schema_mismatch".to_owned()));
        }
    }

    #[test]
    fn the_node_that_collects_offers_snapshots() {
        let offered = |enabled, aggregator: Option<&str>| {
            let section = FederatedSection {
                enabled,
                aggregator: aggregator.map(str::to_owned),
                ..FederatedSection::default()
            };
            let mut capabilities = Capabilities::new();
            Snapshots::default().offer(&section, "ada", &mut capabilities);
            capabilities.into_keys().collect::<Vec<_>>()
        };
        assert_eq!(offered(true, Some("ada")), [COMMUNITY, FEDERATED]);
        assert_eq!(offered(true, None), [COMMUNITY, FEDERATED]);
        assert!(offered(true, Some("bob")).is_empty() && offered(false, None).is_empty());
    }
}
