//! Problems of the process: what is counted as one, how long it is kept, and who is told.
//!
//! One failure is one problem. A failed trace is counted by its capability and code, so that its own line `done` is not counted
//! again; a failing check is counted by its result. A line that tells of the same failure is written within
//! [`counted_elsewhere`](crate::counted_elsewhere) by the code that knows it.

mod hook;
mod keeper;
mod lines;
mod offered;
mod process;
mod traces;
mod waking;

use std::sync::{Arc, LazyLock};

#[cfg(feature = "http")]
use obs_history::problems::Occurrence;
use obs_metrics::{Kind, Registry};
use obs_trace::Store;

pub(crate) use self::hook::Hook;
pub(crate) use self::keeper::{Settings, configure};
pub(crate) use self::offered::offer;
pub use self::process::problems;
use self::process::{PROBLEMS, now_ms};
use super::declared::declared;

/// Begins to collect problems, and shows their number.
pub(super) fn join() {
    LazyLock::force(&PROBLEMS);
    obs_log::set_fault_observer(lines::note);
    if !Store::current().observe(Arc::new(traces::Failures)) {
        obs_log::warn!("failed traces are no problems: the store of traces has too many observers");
    }
    let help = "Open problems, by kind.";
    declared(Registry::global().collect_with(
        Kind::Gauge,
        "hearthnet_problems_open",
        help,
        ["kind"],
        |samples| {
            // A process without a history has no thread that does it.
            PROBLEMS.tick(now_ms());
            for (kind, number) in PROBLEMS.open_by_kind() {
                samples.push([kind.name()], number as f64);
            }
        },
    ));
    let hooks = "New problems that were passed to the hook, by outcome.";
    declared(Registry::global().collect_with(
        Kind::Counter,
        "hearthnet_problems_hook_total",
        hooks,
        ["outcome"],
        |samples| {
            let stats = hook::stats();
            for (outcome, number) in
                [("told", stats.told), ("failed", stats.failed), ("left_out", stats.left_out)]
            {
                samples.push([outcome], number as f64);
            }
        },
    ));
}

/// Counts the failing checks of a run, and clears those that pass.
#[cfg(feature = "http")]
pub(crate) fn note_checks(report: &obs_doctor::Report) {
    let at_ms = now_ms();
    for result in &report.results {
        match result.status {
            // It says nothing about the check.
            obs_doctor::Status::Skip => {}
            _ if result.ok => PROBLEMS.check_passed(&result.name, at_ms),
            _ => {
                let example = &result.detail;
                let failure = Occurrence { at_ms, count: 1, is_error: true, example, trace_id: None };
                if PROBLEMS.observe_check(&result.name, &result.detail, &failure).is_some() {
                    waking::wake();
                }
            }
        }
    }
}
