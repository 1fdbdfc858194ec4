//! The files of `docs/operate` for many nodes, tried with the programs that read them.

mod alerts;
pub(crate) mod chains;
mod collector;
mod dashboard;
mod day_files;
mod discovery;
mod disk;
mod faults;
mod rules;
mod servers;
mod trial;
mod webhook;

use std::process::Command;
use std::time::Duration;

use crate::case::{Case, Outcome, Suite};
use crate::harness::{Lab, oracle};

pub(crate) const SUITE: Suite = Suite {
    name: "scale",
    cases: &[
        Case::new("rules_are_correct_and_tested", rules::correct_and_tested)
            .deadline(Duration::from_secs(150)),
        Case::new("targets_come_from_manifests", discovery::from_manifests),
        Case::new("dashboard_has_data", dashboard::has_data).deadline(Duration::from_secs(150)),
        Case::new("alerts_fire_and_resolve", alerts::fire_and_resolve).deadline(Duration::from_secs(360)),
        Case::new("low_disk_fires_and_resolves", disk::fires_and_resolves).deadline(Duration::from_secs(600)),
        Case::new("other_alerts_fire_and_resolve", faults::fire_and_resolve)
            .deadline(Duration::from_secs(600)),
        Case::new("no_targets_fires_and_resolves", faults::no_targets).deadline(Duration::from_secs(360)),
        Case::new("collector_takes_the_export", collector::takes_the_export),
        Case::new("day_files_answer_questions", day_files::answer).deadline(Duration::from_secs(600)),
    ],
};

/// Programs of the set-ups, with the Debian package of each and the argument that shows its version.
const PROGRAMS: [(&str, &str, &str); 7] = [
    ("prometheus", "prometheus", "--version"),
    ("promtool", "prometheus", "--version"),
    ("prometheus-alertmanager", "prometheus-alertmanager", "--version"),
    ("amtool", "prometheus-alertmanager", "--version"),
    ("victoria-metrics", "victoria-metrics", "-version"),
    ("vmagent", "victoria-metrics", "-version"),
    ("vmalert", "victoria-metrics", "-version"),
];

/// Skips the case if a program of the set-ups is not installed.
fn programs_are_there(lab: &Lab) -> Outcome {
    for (program, package, version) in PROGRAMS {
        if !oracle::runs(Command::new(program).arg(version)) {
            return Err(lab.oracle_missing(&format!("{program} (Debian package {package})")));
        }
    }
    Ok(())
}
