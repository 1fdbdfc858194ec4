//! `trace_export`: the collector accepts the node's traces.

use super::facts::{age, counted, known};
use crate::check::Context;
use crate::observability::{ExportCounts, ExportState};
use crate::report::{CheckResult, SkipReason};

/// Time for which a lost trace is worth a warning after the collector accepts traces again.
const WARNED_SECONDS: u64 = 15 * 60;

/// Checks that the running node's export of traces works.
pub(in crate::checks) fn export(cx: &Context) -> CheckResult {
    let export = known(cx, |state| match state.export {
        ExportState::Unknown => None,
        ExportState::Off => Some(None),
        ExportState::On(counts) => Some(Some(counts)),
    });
    match export {
        Ok(Some(counts)) => {
            judge(&counts).evidence("exported", counts.exported).evidence("lost", counts.lost)
        }
        Ok(None) => CheckResult::skip(SkipReason::NotConfigured, "no collector is configured"),
        Err(result) => result,
    }
}

fn judge(counts: &ExportCounts) -> CheckResult {
    let lost = counted(counts.lost, "trace");
    if counts.is_failing {
        return CheckResult::fail(format!("the collector does not accept traces, {lost} lost")).fix(
            "find the reason with `hearthnet log --level warning`, then start the collector or correct `[observability] \
             otlp_endpoint`",
        );
    }
    match counts.lost_seconds_ago.filter(|seconds| *seconds <= WARNED_SECONDS) {
        Some(seconds) => CheckResult::warn(format!("{lost} lost, the last one within {}", age(seconds)))
            .fix("find the reason with `hearthnet log --level warning`; the collector accepts traces now"),
        None => CheckResult::pass(format!("{} exported", counted(counts.exported, "trace"))),
    }
}
