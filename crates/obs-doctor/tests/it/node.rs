//! `at_least_one_capability` and `recent_error_rate`.

use obs_doctor::{BusError, CapabilityBus, Outcome, SkipReason};

use crate::home::{Home, assert_fails, assert_passes, assert_skips};

/// Running node.
pub(crate) struct Node {
    pub(crate) capabilities: Result<Vec<String>, BusError>,
    pub(crate) outcomes: Vec<Outcome>,
}

impl Node {
    pub(crate) fn with(outcomes: Vec<Outcome>) -> Self {
        Self { capabilities: Ok(vec!["llm.chat".to_owned()]), outcomes }
    }
}

impl CapabilityBus for Node {
    fn node_id(&self) -> Option<String> {
        Some(crate::home::node_id())
    }

    fn capabilities(&self) -> Result<Vec<String>, BusError> {
        self.capabilities.clone()
    }

    fn peers(&self) -> Result<Vec<String>, BusError> {
        Ok(Vec::new())
    }

    fn recent_outcomes(&self, n: usize) -> Result<Vec<Outcome>, BusError> {
        self.capabilities.as_ref().map_err(Clone::clone)?;
        Ok(self.outcomes.iter().copied().take(n).collect())
    }
}

fn calls(ok: usize, failed: usize, cancelled: usize) -> Vec<Outcome> {
    let many = |outcome, n| std::iter::repeat_n(outcome, n);
    many(Outcome::Cancelled, cancelled)
        .chain(many(Outcome::Error, failed))
        .chain(many(Outcome::Ok, ok))
        .collect()
}

#[test]
fn a_capability_passes_and_none_fails() {
    let home = Home::empty();
    let node = |names: &[&str]| Node {
        capabilities: Ok(names.iter().map(|&n| n.to_owned()).collect()),
        outcomes: vec![],
    };
    assert_passes(&home.with_bus(node(&["llm.chat"]), "at_least_one_capability"), "1 capability");
    assert_passes(&home.with_bus(node(&["a", "b"]), "at_least_one_capability"), "2 capabilities");
    assert_fails(
        &home.with_bus(node(&[]), "at_least_one_capability"),
        "has no capability",
        "[[llm.backends]]",
    );
}

#[test]
fn without_a_node_both_skip_and_with_a_silent_one_both_fail() {
    let home = Home::empty();
    for name in ["at_least_one_capability", "recent_error_rate"] {
        assert_skips(&home.run(name), SkipReason::NoNode, "no node running");
        let silent =
            Node { capabilities: Err(BusError::Unreachable("timed out".to_owned())), outcomes: vec![] };
        assert_fails(&home.with_bus(silent, name), "did not answer: timed out", "restart it");
    }
}

#[test]
fn twenty_percent_fail_and_less_pass() {
    let home = Home::empty();
    let run = |outcomes| home.with_bus(Node::with(outcomes), "recent_error_rate");
    assert_passes(&run(calls(81, 19, 0)), "19 of 100 calls failed (19.0 %)");
    assert_fails(&run(calls(80, 20, 0)), "20 of 100 calls failed (20.0 %)", "hearthnet trace recent");
    assert_fails(&run(calls(16, 4, 0)), "4 of 20 calls", "hearthnet log");
    assert_passes(&run(calls(97, 24, 0).into_iter().rev().collect()), "3 of 100");
}

#[test]
fn cancelled_calls_do_not_count_and_few_calls_skip() {
    let home = Home::empty();
    let run = |outcomes| home.with_bus(Node::with(outcomes), "recent_error_rate");
    assert_passes(&run(calls(20, 0, 80)), "0 of 20 calls");
    assert_skips(&run(calls(0, 19, 0)), SkipReason::TooFewSamples, "19 calls so far");
    assert_skips(&run(calls(0, 19, 81)), SkipReason::TooFewSamples, "19 calls so far");
}
