//! Table of failed checks, losses and a bad end of the last run. The header counts the problems, which
//! `hearthnet problems` lists.

use super::table::{Cell, Column, Row, Table, Tone, details};
use crate::cli::top::figures::{Figures, count};
use crate::cli::top::model::{Check, LastRun, Status};

pub(super) fn table(status: &Status, figures: &Figures<'_>) -> Table {
    let failed = status.checks.failed.iter().map(|found| check(found, Tone::Bad, figures));
    let warned = status.checks.warned.iter().map(|found| check(found, Tone::Warning, figures));
    let drops = status.drops.iter().map(|(name, n)| loss(name, *n));
    let log =
        status.is_log_unsafe.then(|| fact("log not crash-safe", "a kill of the node loses lines that wait"));
    let export = (!status.failing_exports.is_empty()).then(|| {
        let signals = status.failing_exports.join(", ");
        fact("export failing", &format!("the collector did not take the last {signals}"))
    });
    let last_run = (status.last_run.ended == "killed").then(|| last_run(&status.last_run, figures));
    Table {
        columns: vec![Column::text("CHECKS AND LOSSES", 0), Column::flexible("DETAIL", 12)],
        rows: failed.chain(warned).chain(drops).chain(log).chain(export).chain(last_run).collect(),
        sorted_by: None,
        empty: empty(status, figures),
    }
}

fn empty(status: &Status, figures: &Figures<'_>) -> String {
    let checks = match (status.checks.ran_at.as_str(), status.checks.passed) {
        ("", _) => "the checks have not run yet".to_owned(),
        (at, passed) => format!("{} checks passed {}", count(passed), figures.age(at)),
    };
    format!("nothing lost, {checks}")
}

fn check(found: &Check, tone: Tone, figures: &Figures<'_>) -> Row {
    let arrow = if figures.ascii { "->" } else { "→" };
    let fix = match found.fix.as_str() {
        "" => String::new(),
        fix => format!("  {arrow} {fix}"),
    };
    Row {
        key: format!("check {}", found.name),
        cells: vec![Cell::new(tone, &*found.name), Cell::plain(format!("{}{fix}", found.detail))],
        details: details([
            ("check", found.name.clone()),
            ("detail", found.detail.clone()),
            ("fix", found.fix.clone()),
            ("now", format!("hearthnet doctor --check {}", found.name)),
        ]),
    }
}

fn loss(name: &str, n: u64) -> Row {
    Row {
        key: format!("loss {name}"),
        cells: vec![Cell::new(Tone::Bad, name), Cell::plain(format!("{} since the start", count(n)))],
        details: details([("what", name.to_owned()), ("count", format!("{n} since the start of the node"))]),
    }
}

fn fact(name: &str, detail: &str) -> Row {
    Row {
        key: name.to_owned(),
        cells: vec![Cell::new(Tone::Warning, name), Cell::plain(detail)],
        details: details([("what", name.to_owned()), ("detail", detail.to_owned())]),
    }
}

fn last_run(run: &LastRun, figures: &Figures<'_>) -> Row {
    let how = match run.has_machine_restarted {
        true => "without a regular stop; the machine has restarted since and may have lost power",
        false => "without a regular stop",
    };
    let lines = format!("{} lines of its log were recovered", count(run.recovered_lines));
    Row {
        key: "last run".to_owned(),
        cells: vec![
            Cell::new(Tone::Warning, "last run killed"),
            Cell::plain(format!("{}; {lines}", figures.age(&run.at))),
        ],
        details: details([
            ("last run", format!("it ended {how}")),
            ("at", figures.moment(&run.at)),
            ("log", lines),
        ]),
    }
}
