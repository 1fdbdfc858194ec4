//! Runs of the node's process.

use obs_console::api::{Run, Window};
use obs_history::Cause;

use crate::console::clock;
use crate::console::past::is_present;

/// Returns the runs of the process that overlap the window, oldest first. The history has a run for each stretch without a
/// gap; those of one process are one run here.
pub(super) fn of(found: &[obs_history::Run], window: &Window) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut before: Option<&obs_history::Run> = None;
    for stretch in found {
        let begins = runs.is_empty() || stretch.cause == Cause::Start;
        let (since, until) = (clock::seconds(stretch.started_at), clock::seconds(stretch.end()));
        if begins {
            end(runs.last_mut(), before);
            let version = stretch.version.clone();
            runs.push(Run { since, until, version, ended: None });
        } else if let Some(run) = runs.last_mut() {
            run.until = run.until.max(until);
        }
        before = Some(stretch);
    }
    match before.is_some_and(is_present) {
        true => {
            if let Some(run) = runs.last_mut() {
                run.until = run.until.max(clock::seconds(std::time::SystemTime::now()));
            }
        }
        false => {
            end(runs.last_mut(), before);
            // The first minute of this process is not written yet.
            runs.push(present(before));
        }
    }
    runs.retain(|run| run.until >= window.since && run.since < window.until);
    runs
}

/// Notes how a run ended, by its last stretch.
fn end(run: Option<&mut Run>, last: Option<&obs_history::Run>) {
    if let (Some(run), Some(last)) = (run, last) {
        run.ended = Some(if last.has_ended { "stopped" } else { "killed" }.to_owned());
    }
}

fn present(before: Option<&obs_history::Run>) -> Run {
    let now = clock::seconds(std::time::SystemTime::now());
    Run {
        since: clock::seconds(obs_metrics::Registry::global().started_at()),
        until: now,
        version: before.map(|run| run.version.clone()).unwrap_or_default(),
        ended: None,
    }
}
