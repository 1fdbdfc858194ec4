//! `last_stop`: the run before this one ended in order.

use super::facts::{age, counted, known};
use crate::check::Context;
use crate::observability::{LastRun, RunEnd};
use crate::report::{CheckResult, SkipReason};

/// Time after the start for which a kill of the run before is mentioned.
const MENTION_SECONDS: u64 = 24 * 60 * 60;

/// Checks how the run before this one ended.
pub(in crate::checks) fn last_stop(cx: &Context) -> CheckResult {
    match known(cx, |state| state.last_run) {
        Ok(last) => judge(&last).evidence("recovered_lines", last.recovered_lines),
        Err(result) => result,
    }
}

fn judge(last: &LastRun) -> CheckResult {
    let at = last.at.as_deref().map(|at| format!(" at {at}")).unwrap_or_default();
    match last.ended {
        RunEnd::None => CheckResult::pass("this is the first run"),
        RunEnd::InOrder => CheckResult::pass(format!("in order{at}")),
        RunEnd::Unknown => CheckResult::skip(SkipReason::Unsupported, "the last run left no readable trace"),
        RunEnd::Killed => {
            let recovered = counted(last.recovered_lines, "line");
            let detail = format!("the last run was killed{at}, {recovered} recovered");
            if last.uptime_seconds > MENTION_SECONDS {
                return CheckResult::pass(format!(
                    "{detail}, running again for {}",
                    age(last.uptime_seconds)
                ));
            }
            // A warning: the node runs again and has its lines, and only a person can tell a fault from a test.
            CheckResult::warn(detail).fix(
                "read its last lines with `hearthnet log` and the kernel's with `journalctl -k` (\"Out of memory\"); the next \
                 restart in order (`systemctl restart hearthnet`) clears this",
            )
        }
    }
}
