//! `trace_export`: the collector accepts the node's traces, metrics and log lines.

use super::facts::{age, counted, known};
use crate::check::Context;
use crate::observability::{ExportCounts, ExportState};
use crate::report::{CheckResult, SkipReason};

/// Time for which a loss is worth a warning after the collector accepts everything again.
const WARNED_SECONDS: u64 = 15 * 60;

/// Export that is on: its item, the beginning of its evidence, and its numbers.
type Running = (&'static str, &'static str, ExportCounts);

/// Checks that the running node's exports work.
pub(in crate::checks) fn export(cx: &Context) -> CheckResult {
    let exports = known(cx, |state| {
        let all = [
            ("trace", "", state.export),
            ("metric", "metrics_", state.metrics_export),
            ("log line", "log_", state.log_export),
        ];
        let is_known = all.iter().any(|(_, _, state)| *state != ExportState::Unknown);
        let running = all.into_iter().filter_map(|(item, prefix, state)| match state {
            ExportState::On(counts) => Some((item, prefix, counts)),
            ExportState::Unknown | ExportState::Off => None,
        });
        is_known.then(|| running.collect::<Vec<Running>>())
    });
    match exports {
        Ok(running) if running.is_empty() => {
            CheckResult::skip(SkipReason::NotConfigured, "no collector is configured")
        }
        Ok(running) => running.iter().fold(judge(&running), |result, (_, prefix, counts)| {
            result
                .evidence(format!("{prefix}exported"), counts.exported)
                .evidence(format!("{prefix}lost"), counts.lost)
        }),
        Err(result) => result,
    }
}

fn judge(running: &[Running]) -> CheckResult {
    let failing: Vec<_> = running.iter().filter(|(_, _, counts)| counts.is_failing).collect();
    if !failing.is_empty() {
        let items = listed(failing.iter().map(|(item, ..)| format!("{item}s")));
        let lost = listed(failing.iter().map(|(item, _, counts)| counted(counts.lost, item)));
        return CheckResult::fail(format!("the collector does not accept {items}, {lost} lost")).fix(
            "find the reason with `hearthnet log --level warning`, then start the collector or correct `[observability] \
             otlp_endpoint`",
        );
    }
    let recent = |counts: &ExportCounts| counts.lost_seconds_ago.filter(|seconds| *seconds <= WARNED_SECONDS);
    let lossy: Vec<_> =
        running.iter().filter_map(|(item, _, counts)| Some((item, counts, recent(counts)?))).collect();
    match lossy.iter().map(|(_, _, seconds)| *seconds).min() {
        Some(seconds) => {
            let lost = listed(lossy.iter().map(|(item, counts, _)| counted(counts.lost, item)));
            CheckResult::warn(format!("{lost} lost, the last one at most {} ago", age(seconds))).fix(format!(
                "find the reason with `hearthnet log --level warning`; the collector accepts {} now",
                listed(lossy.iter().map(|(item, ..)| format!("{item}s")))
            ))
        }
        None => {
            let exported = listed(running.iter().map(|(item, _, counts)| counted(counts.exported, item)));
            CheckResult::pass(format!("{exported} exported"))
        }
    }
}

/// Returns the parts as people list them: `a, b and c`.
fn listed(parts: impl Iterator<Item = String>) -> String {
    let mut parts: Vec<String> = parts.collect();
    let last = parts.pop().unwrap_or_default();
    if parts.is_empty() { last } else { format!("{} and {last}", parts.join(", ")) }
}
