//! Remarks on what is not well.

use obs_console::api::{Capability, Gauge, ProblemState, Problems, Remark, Run, Severity};
use obs_doctor::Status;

use super::Sources;
use super::gauges::{EMERGENCY, LOST_LINES, LOST_LINES_FAMILY};
use super::present::Present;

/// Share of failed calls from which a capability needs attention.
const SOME_FAIL: f64 = 0.01;
/// Share of failed calls from which a capability does not work, with the number of calls that show it.
const MOST_FAIL: (f64, u64) = (0.5, 3);
/// Capability of the calls whose names have no place in the metrics, because this node does not offer them.
const OTHERS: &str = "__overflow__";
/// Maximum number of remarks by capability. The worst are shown.
const MAX_FAILING: usize = 5;

/// Returns what is not well, the worst first. `present` is `None` for a window of the past, which has no remark of what is not
/// well now.
pub(super) fn of(
    sources: &Sources<'_>,
    capabilities: &[Capability],
    gauges: &[Gauge],
    runs: &[Run],
    present: Option<&Present>,
) -> Vec<Remark> {
    let mut remarks: Vec<Remark> = Vec::new();
    remarks.extend(failing(capabilities));
    if present.is_some() {
        remarks.extend(checks(sources));
        remarks.extend(problems(sources.problems.as_ref().ok()));
    }
    remarks.extend(killed(runs));
    remarks.extend(emergency(gauges, present.is_some()));
    remarks.extend(lost_lines(gauges, present));
    if present.is_some() {
        remarks.extend(sources.node.remarks());
    }
    // Stable, so that remarks of one severity keep their order.
    remarks.sort_by_key(|remark| std::cmp::Reverse(remark.severity));
    remarks
}

/// Returns the number of open problems.
pub(super) fn open(problems: Option<&Problems>) -> u32 {
    let open = problems.map_or(0, |problems| {
        problems.problems.iter().filter(|problem| problem.state == ProblemState::Open).count()
    });
    u32::try_from(open).unwrap_or(u32::MAX)
}

fn failing(capabilities: &[Capability]) -> Vec<Remark> {
    let share = |capability: &Capability| capability.errors as f64 / capability.calls.max(1) as f64;
    let mut failing: Vec<_> = capabilities
        .iter()
        .filter(|capability| capability.errors > 0 && share(capability) >= SOME_FAIL)
        .collect();
    failing.sort_by(|a, b| share(b).total_cmp(&share(a)));
    failing.truncate(MAX_FAILING);
    let remark = |capability: &Capability| {
        let Capability { capability: name, calls, errors, .. } = capability;
        if name == OTHERS {
            // The caller's mistake, not the node's.
            return Remark {
                severity: Severity::Attention,
                text: format!("{} of names that this node does not offer failed.", counted(*errors, "call")),
                link: Some("traces?status=failed".to_owned()),
            };
        }
        let is_broken = share(capability) >= MOST_FAIL.0 && *calls >= MOST_FAIL.1;
        Remark {
            severity: if is_broken { Severity::Broken } else { Severity::Attention },
            text: format!("{errors} of {} of {name} failed.", counted(*calls, "call")),
            link: Some(format!("traces?status=failed&capability={}", escaped(name))),
        }
    };
    failing.into_iter().map(remark).collect()
}

/// Returns a value of a query string.
fn escaped(value: &str) -> String {
    form_urlencoded::byte_serialize(value.as_bytes()).collect()
}

fn counted(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn checks(sources: &Sources<'_>) -> Vec<Remark> {
    let Some((report, _)) = sources.checkup.last() else { return Vec::new() };
    let of = |severity, statuses: &[Status], verb: (&str, &str)| {
        let results = report.results.iter().filter(|result| statuses.contains(&result.status));
        let names: Vec<_> = results.map(|result| result.name.as_str()).collect();
        let verb = if names.len() == 1 { verb.0 } else { verb.1 };
        (!names.is_empty()).then(|| Remark {
            severity,
            text: format!("{} {verb}: {}.", counted(names.len() as u64, "check"), names.join(", ")),
            link: Some("doctor".to_owned()),
        })
    };
    let failed = of(Severity::Broken, &[Status::Fail, Status::Error], ("fails", "fail"));
    let warned = of(Severity::Attention, &[Status::Warn], ("warns", "warn"));
    failed.into_iter().chain(warned).collect()
}

fn problems(problems: Option<&Problems>) -> Option<Remark> {
    let open = open(problems);
    (open > 0).then(|| Remark {
        severity: Severity::Attention,
        text: match open {
            1 => "1 problem is open.".to_owned(),
            _ => format!("{open} problems are open."),
        },
        link: Some("problems".to_owned()),
    })
}

fn killed(runs: &[Run]) -> Option<Remark> {
    let killed = runs.iter().filter(|run| run.ended.as_deref() == Some("killed")).count() as u64;
    (killed > 0).then(|| Remark {
        severity: Severity::Attention,
        text: match killed {
            1 => "The node was killed and started again.".to_owned(),
            _ => format!("The node was killed and started again {killed} times."),
        },
        link: None,
    })
}

fn emergency(gauges: &[Gauge], is_current: bool) -> Option<Remark> {
    let gauge = gauges.iter().find(|gauge| gauge.title == EMERGENCY)?;
    let text = if is_current {
        gauge.value.filter(|value| *value > 0.0)?;
        "The internet is not reached: the node is in emergency mode."
    } else {
        gauge.points.iter().find(|(_, value)| *value > 0.0)?;
        "The internet was not reached: the node was in emergency mode."
    };
    Some(Remark {
        severity: Severity::Attention,
        text: text.to_owned(),
        link: Some("metrics?family=hearthnet_emergency_mode".to_owned()),
    })
}

fn lost_lines(gauges: &[Gauge], present: Option<&Present>) -> Option<Remark> {
    let (lost, when) = match present {
        // Lines that were lost before the window are still missing from the log.
        Some(present) => (present.sum(LOST_LINES_FAMILY, |_| true)?, " since the start"),
        None => (gauges.iter().find(|gauge| gauge.title == LOST_LINES)?.value?, ""),
    };
    (lost > 0.0).then(|| Remark {
        severity: Severity::Attention,
        text: format!("{} of the log were lost{when}.", counted(lost as u64, "line")),
        link: Some(format!("metrics?family={LOST_LINES_FAMILY}")),
    })
}
