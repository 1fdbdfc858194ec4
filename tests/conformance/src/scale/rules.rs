//! Rules, alerts and configurations, judged by the programs that read them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::trial::Trial;
use super::{alerts, disk, faults, programs_are_there};
use crate::case::{Outcome, contains, ensure, equal};
use crate::harness::process::Ran;
use crate::harness::{Lab, process};

const LIMIT: Duration = Duration::from_secs(120);

/// promtool, amtool, vmagent and vmalert find no mistake, every alert has a test that sees it fire and resolve, a fault of a
/// real node that does so, and a section in the runbook.
pub(super) fn correct_and_tested(lab: &Lab) -> Outcome {
    programs_are_there(lab)?;
    let operate = lab.root().join("docs/operate");
    let (rules, collect) = (operate.join("alerts"), operate.join("collect"));
    let promtool = |arguments: &[&str]| run(Command::new("promtool").args(arguments), &rules);
    promtool(&["check", "rules", "records.yml", "alerts.yml"])?;
    promtool(&["check", "config", "../collect/prometheus.yml"])?;
    contains(
        "the answer of promtool",
        &promtool(&["test", "rules", "alerts.test.yml"])?.output(),
        "SUCCESS",
    )?;
    run(Command::new("amtool").args(["check-config", "alertmanager.yml"]), &rules)?;
    run(Command::new("vmalert").args(["-dryRun", "-rule=records.yml", "-rule=alerts.yml"]), &rules)?;
    let dry =
        ["-promscrape.config.dryRun", "-promscrape.config.strictParse", "-promscrape.config=vmagent.yml"];
    run(Command::new("vmagent").args(dry).arg("-remoteWrite.url=http://127.0.0.1:1"), &collect)?;

    // The trial's rules are other ones in nothing but their waits.
    let trial = Trial::new(lab)?;
    let quick = trial.path().join("alerts/alerts.yml");
    run(Command::new("promtool").args(["check", "rules"]).arg(&quick), &rules)?;
    let text = std::fs::read_to_string(&quick)?;
    ensure(!text.contains("[5m]") && text.contains("for: 0s"), "shortened waits", &text)?;
    described(&operate)
}

fn run(command: &mut Command, folder: &Path) -> Outcome<Ran> {
    process::run(command.current_dir(folder), b"", LIMIT)?.exits(0)
}

/// Compares the alerts with their tests, their faults and the runbook.
fn described(operate: &Path) -> Outcome {
    let rules = std::fs::read_to_string(operate.join("alerts/alerts.yml"))?;
    let known: Vec<_> = values(&rules, "- alert: ").collect();
    ensure(known.len() >= 15, "alerts", known.len())?;
    equal("alerts of one name", known.iter().collect::<BTreeSet<_>>().len(), known.len())?;

    let runbook = std::fs::read_to_string(operate.join("runbook.md"))?;
    let sections: Vec<_> = runbook.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    equal("the sections of the runbook", &sections, &known)?;
    let anchors: Vec<_> = values(&rules, "runbook: ").collect();
    let expected: Vec<_> =
        sections.iter().map(|name| format!("docs/operate/runbook.md#{}", name.to_lowercase())).collect();
    equal("the runbook lines of the alerts", anchors, expected)?;

    let tests = std::fs::read_to_string(operate.join("alerts/alerts.test.yml"))?;
    let mut tested: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for test in tests.split("  - name: ").skip(1) {
        let name = test.lines().next().unwrap_or_default();
        let fires = test.matches(&format!("alertname=\"{name}\"")).count();
        // Before the fault and after it.
        let quiet = test.matches("exp_samples: []").count();
        tested.insert(name, (fires, quiet));
    }
    let faults =
        [&alerts::EXPECTED[..], &disk::LOW, &disk::FULL, &faults::EXPECTED, &faults::FILES, &faults::NONE];
    let faults: BTreeSet<_> = faults.concat().into_iter().map(|(alert, _)| alert).collect();
    equal("alerts with a fault of a node", faults, known.iter().copied().collect())?;
    let expected: BTreeMap<_, _> = known.iter().map(|name| (*name, (1, 2))).collect();
    equal("tests that see an alert fire and resolve", tested, expected)
}

fn values<'a>(text: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines().filter_map(move |line| line.trim().strip_prefix(key))
}
