//! `at_least_one_capability`: the running node offers a capability.

use crate::bus::BusError;
use crate::check::Context;
use crate::report::{CheckResult, SkipReason};

/// Checks that the running node has a capability.
pub(super) fn at_least_one(cx: &Context) -> CheckResult {
    match cx.bus.capabilities() {
        Ok(names) if names.is_empty() => CheckResult::fail("the node is running and has no capability")
            .fix("configure one, such as a `[[llm.backends]]`, and look for module errors with `hearthnet log --level error`"),
        Ok(names) => {
            let many = if names.len() == 1 { "capability" } else { "capabilities" };
            CheckResult::pass(format!("{} {many}", names.len())).evidence("capabilities", names.join(" "))
        }
        Err(err) => without_answer(&err),
    }
}

/// Returns the result of a check that got no answer from the bus: a skip without a node, a failure of a node that does not
/// answer.
pub(super) fn without_answer(err: &BusError) -> CheckResult {
    match err {
        BusError::NotRunning => CheckResult::skip(SkipReason::NoNode, "no node running"),
        BusError::Unreachable(_) => CheckResult::fail(err.to_string())
            .fix("see what it does with `hearthnet log`, and restart it if it hangs"),
    }
}
