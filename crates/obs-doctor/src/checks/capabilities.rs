//! `at_least_one_capability`: the running node can do something.

use crate::bus::BusError;
use crate::check::Context;
use crate::report::{CheckResult, SkipReason};

/// The bus has a capability.
pub(super) fn at_least_one(cx: &Context) -> CheckResult {
    match cx.bus.capabilities() {
        Ok(names) if names.is_empty() => CheckResult::fail("the node runs and has no capability")
            .fix("configure one, such as a `[[llm.backends]]`, and look for module errors with `hearthnet log --level error`"),
        Ok(names) => {
            let many = if names.len() == 1 { "capability" } else { "capabilities" };
            CheckResult::pass(format!("{} {many}", names.len())).evidence("capabilities", names.join(" "))
        }
        Err(err) => without_answer(&err),
    }
}

/// No node is nothing to judge; one that does not answer is a failure.
pub(super) fn without_answer(err: &BusError) -> CheckResult {
    match err {
        BusError::NotRunning => CheckResult::skip(SkipReason::NoNode, "no node running"),
        BusError::Unreachable(_) => CheckResult::fail(err.to_string())
            .fix("look at what it does with `hearthnet log`, and restart it if it hangs"),
    }
}
