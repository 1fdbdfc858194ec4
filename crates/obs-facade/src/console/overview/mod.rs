//! State of the node and its calls: what the first page shows.

mod calls;
mod gauges;
mod present;
mod remarks;
mod runs;

use std::time::SystemTime;

use obs_console::Failure;
use obs_console::api::{Node, Overview, Problems, Run, Severity, Window};
use obs_metrics::Registry;

use self::calls::Calls;
use self::gauges::Gauges;
use self::present::Present;
use super::clock;
use super::node::ConsoleNode;
use super::past::{Past, Steps};
use crate::http::Checkup;

/// Sources of the overview.
pub(super) struct Sources<'a> {
    pub(super) node: &'a dyn ConsoleNode,
    pub(super) checkup: &'a Checkup,
    pub(super) past: &'a Past,
    /// The problems, or the reason for which there are none.
    pub(super) problems: Result<Problems, Failure>,
}

/// Returns the overview of a window.
pub(super) fn overview(sources: &Sources<'_>, window: &Window) -> Result<Overview, Failure> {
    let now = SystemTime::now();
    let mut steps = Steps::of(window)?;
    let present = Present::now();
    let (mut calls, mut gauges) = (Calls::default(), Gauges::new(&steps, sources.node.gauges()));
    let read = read(sources.past, &steps, &mut calls, &mut gauges);
    let (runs, history_missing) = match read {
        Ok(runs) => (runs, missing(sources.past)),
        Err(reason) => (Vec::new(), Some(reason)),
    };
    if history_missing.is_some() && runs.is_empty() {
        // Without a history the process knows its sums since its start, and no course.
        let began = clock::seconds(Registry::global().started_at());
        steps.window.since = steps.window.since.max(began).min(steps.window.until.saturating_sub(1));
        if steps.is_current() {
            calls.add_process(&present);
        }
    }
    let runs = named(runs, &sources.node.version());
    let capabilities = calls.capabilities(&steps, &present);
    let problems_open = remarks::open(sources.problems.as_ref().ok());
    let all = gauges.shown(&present, !runs.is_empty());
    let remarks = remarks::of(sources, &capabilities, &all, &runs, steps.is_current().then_some(&present));
    Ok(Overview {
        node: node(sources.node, now),
        now: clock::text(now),
        severity: remarks.iter().map(|remark| remark.severity).max().unwrap_or(Severity::Well),
        remarks,
        window: steps.window,
        step_seconds: u32::try_from(steps.seconds).unwrap_or(u32::MAX),
        capabilities,
        gauges: all,
        runs,
        problems_open,
        history_missing,
    })
}

#[cfg(feature = "history")]
fn read(
    past: &Past,
    steps: &Steps,
    calls: &mut Calls,
    gauges: &mut Gauges,
) -> Result<Vec<obs_console::api::Run>, String> {
    let families = gauges.families();
    let is_wanted =
        |series: &obs_history::Series| Calls::wants(&series.family) || families.contains(&series.family);
    let found = past.visit(steps, is_wanted, |found| {
        if Calls::wants(&found.series.family) {
            calls.add(&found);
        } else {
            gauges.add(&found);
        }
    })?;
    Ok(runs::of(&found, &steps.window))
}

#[cfg(not(feature = "history"))]
fn read(_: &Past, _: &Steps, _: &mut Calls, _: &mut Gauges) -> Result<Vec<obs_console::api::Run>, String> {
    Err(super::past::OFF.to_owned())
}

/// Returns the reason for which the history does not go on; `None` while it does.
#[cfg(feature = "history")]
fn missing(past: &Past) -> Option<String> {
    past.folder.as_ref()?;
    let stats = crate::history_stats()?;
    stats.is_failing.then(|| "the history cannot be written; the log has the reason".to_owned())
}

#[cfg(not(feature = "history"))]
fn missing(_: &Past) -> Option<String> {
    None
}

/// Gives the run of this process its version, which the history does not have in its first minute.
fn named(mut runs: Vec<Run>, version: &str) -> Vec<Run> {
    for run in runs.iter_mut().filter(|run| run.ended.is_none()) {
        version.clone_into(&mut run.version);
    }
    runs
}

fn node(node: &dyn ConsoleNode, now: SystemTime) -> Node {
    let started = Registry::global().started_at();
    Node {
        id: node.id(),
        name: node.name(),
        version: node.version(),
        started_at: clock::text(started),
        uptime_seconds: now.duration_since(started).map_or(0, |age| age.as_secs()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use obs_console::api::{Problem, ProblemKind, ProblemState, Remark};
    use obs_doctor::NoBus;

    use super::*;

    struct Ada;

    impl ConsoleNode for Ada {
        fn id(&self) -> String {
            "ed25519:7H4G".to_owned()
        }

        fn name(&self) -> String {
            "ada".to_owned()
        }

        fn version(&self) -> String {
            "0.2.0".to_owned()
        }

        fn remarks(&self) -> Vec<Remark> {
            let text = "No answer from bob.".to_owned();
            vec![Remark { severity: Severity::Attention, text, link: None }]
        }
    }

    fn open_problem() -> Problem {
        Problem {
            id: "p1".to_owned(),
            kind: ProblemKind::Line,
            place: "hearthnet.bus".to_owned(),
            title: "a peer is slow".to_owned(),
            cause: None,
            fix: None,
            count: 1,
            first_seen: "2026-01-01T00:00:00.000Z".to_owned(),
            last_seen: "2026-01-01T00:00:00.000Z".to_owned(),
            trace_id: None,
            state: ProblemState::Open,
            muted_until: None,
        }
    }

    /// Returns the overview of the hour that ended `ago` seconds ago.
    fn of_hour_that_ended(ago: u64) -> Overview {
        let sources = Sources {
            node: &Ada,
            checkup: &Checkup::new(obs_doctor::Config::default(), Arc::new(NoBus)),
            past: &Past { folder: None },
            problems: Ok(Problems { problems: vec![open_problem()], ungrouped: 0 }),
        };
        let until = clock::seconds(SystemTime::now()) - ago;
        overview(&sources, &Window { since: until - 3600, until }).unwrap()
    }

    #[test]
    fn a_past_window_has_no_remark_of_the_present() {
        let current = of_hour_that_ended(0);
        let texts: Vec<_> = current.remarks.iter().map(|remark| remark.text.as_str()).collect();
        assert_eq!(texts, ["1 problem is open.", "No answer from bob."]);
        let past = of_hour_that_ended(7200);
        assert_eq!((past.remarks, past.severity), (Vec::new(), Severity::Well));
        assert_eq!(past.problems_open, 1, "the menu counts those of now");
        let memory = past.gauges.iter().find(|gauge| gauge.title == "Memory").unwrap();
        assert_eq!(memory.value, None, "without a history nothing is known of it");
    }
}
