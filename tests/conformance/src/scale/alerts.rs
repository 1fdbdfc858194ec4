//! Alerts on their whole way: a fault of a node, the server, Alertmanager, and the receiver that is told of both ends.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::chains::Chains;
use crate::case::{Outcome, failed};
use crate::harness::{Lab, wait};

/// Time in which all alerts fire, or end. It is a quarter of that on a quiet machine, and half of it for the history, which is
/// written once a minute.
const LIMIT: Duration = Duration::from_secs(140);

/// Alerts of the faults, each with the node that has the fault.
pub(super) const EXPECTED: [(&str, &str); 6] = [
    ("HearthnetNodeDown", "bob"),
    ("HearthnetNodeIsolated", "ada"),
    ("HearthnetExportFailing", "ada"),
    ("HearthnetErrorRate", "ada"),
    ("HearthnetDrops", "ada"),
    ("HearthnetProblemsOpen", "ada"),
];

/// Both chains tell of each fault, and of its end. The faults: a killed node, which was the only peer of another one, failing
/// calls with their problems, and a collector that refuses the export.
pub(super) fn fire_and_resolve(lab: &Lab) -> Outcome {
    let chains = Chains::of(lab)?;
    let down = chains.kill_bob()?;
    chains.failing.store(true, Ordering::SeqCst);
    chains.collector.refuse(true);
    told(chains, &EXPECTED, "firing", || ())?;

    chains.failing.store(false, Ordering::SeqCst);
    chains.collector.refuse(false);
    chains.start_bob(down)?;
    told(chains, &EXPECTED, "resolved", || mute_problems(chains))
}

/// Waits until both receivers have been told of each alert. `meanwhile` runs again and again.
pub(super) fn told(
    chains: &Chains,
    expected: &[(&str, &str)],
    status: &str,
    meanwhile: impl Fn(),
) -> Outcome {
    let missing = || -> BTreeSet<_> {
        let of_chain = |(chain, webhook): &(&'static str, super::webhook::Webhook)| {
            let missing = expected.iter().filter(|(alert, node)| !webhook.has(alert, node, status));
            missing.map(|(alert, node)| format!("{alert} of {node} by {chain}")).collect::<Vec<_>>()
        };
        chains.told.iter().flat_map(of_chain).collect()
    };
    let all = wait::until(LIMIT, || {
        meanwhile();
        missing().is_empty()
    });
    if all {
        return Ok(());
    }
    let told: Vec<_> = chains.told.iter().map(|(chain, webhook)| (*chain, webhook.told())).collect();
    Err(failed(format!("{status} within {LIMIT:?}: {:?}", missing()), format!("told: {told:?}")))
}

/// Mutes the problems of `ada`, as its owner does with known ones. A slow machine makes new ones, such as blocked polls.
fn mute_problems(chains: &Chains) {
    let client = chains.ada.client();
    let Ok(problems) = client.get("/problems").and_then(|answer| answer.is(200)?.json()) else { return };
    for problem in problems["problems"].as_array().into_iter().flatten() {
        if problem["state"] == "open"
            && let Some(id) = problem["id"].as_str()
        {
            let port = chains.ada.port();
            // A problem that is over meanwhile cannot be muted.
            let _ = chains.ada.home().hearthnet(&["problems", "mute", id, "--for", "2h", "--port", port]);
        }
    }
}
