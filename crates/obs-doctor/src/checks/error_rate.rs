//! `recent_error_rate`: share of recent calls that failed.

use super::capabilities::without_answer;
use crate::bus::Outcome;
use crate::check::Context;
use crate::report::{CheckResult, SkipReason};

/// Number of calls that are considered.
const CALLS: usize = 100;
/// Minimum number of calls for a verdict; fewer prove nothing.
const ENOUGH: usize = 20;
/// Share of failed calls that is a fault.
const LIMIT_PERCENT: usize = 20;

/// Checks that less than 20 % of the last 100 calls failed. Cancelled calls do not count.
pub(super) fn recent(cx: &Context) -> CheckResult {
    let outcomes = match cx.bus.recent_outcomes(CALLS) {
        Ok(outcomes) => outcomes,
        Err(err) => return without_answer(&err),
    };
    let count = |wanted| outcomes.iter().take(CALLS).filter(|&&outcome| outcome == wanted).count();
    let (ok, failed) = (count(Outcome::Ok), count(Outcome::Error));
    let judged = ok + failed;
    let result = if judged < ENOUGH {
        CheckResult::skip(SkipReason::TooFewSamples, format!("{judged} calls so far, {ENOUGH} are needed"))
    } else {
        judge(failed, judged)
    };
    result
        .evidence("calls", judged)
        .evidence("failed", failed)
        .evidence("cancelled", count(Outcome::Cancelled))
}

fn judge(failed: usize, judged: usize) -> CheckResult {
    let detail =
        format!("{failed} of {judged} calls failed ({:.1} %)", failed as f64 * 100.0 / judged as f64);
    // Integers, so that exactly 20 % is a fault on every platform.
    if failed * 100 >= judged * LIMIT_PERCENT {
        return CheckResult::fail(detail)
            .fix(
                "list them with `hearthnet trace recent 20 --status failed`, and find the causes with `hearthnet log --level \
                 warning`",
            );
    }
    CheckResult::pass(detail)
}
