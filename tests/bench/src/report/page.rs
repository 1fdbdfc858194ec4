//! The page `docs/benchmarks.md`.

use std::iter::once;

use super::{Machine, versions};
use crate::harness::{Area, Results, Scale, Table, Target, figure};

/// Returns the whole page.
pub(super) fn page(machine: &Machine, measured: &[(Area, Results)]) -> String {
    let mut page = head(machine);
    for (area, results) in measured {
        page += &section(area, results);
    }
    page += "\n## Versions\n\nThe versions of the crates that the benchmarks name, from `tests/bench/Cargo.lock`:\n\n";
    let versions: Vec<String> =
        versions::peers().iter().map(|(name, version)| format!("{name} {version}")).collect();
    page + &versions.join(", ") + ".\n"
}

fn head(machine: &Machine) -> String {
    let Machine { processors, model, system, rustc, commit } = machine;
    format!(
        "# Benchmarks

`cargo xtask bench --report` measures and writes this page. It has the crates of this workspace beside their peers, and beside
limits written by hand that do nothing else. `tests/bench/src/main.rs` describes the method.

Measured on {processors} processors ({model}), {system}, {rustc}, commit {commit}.

A cell is the median of the rounds and, where a table has a base, the ratio to the base's median. Machines are noisy, so only
ratios within one run are meaningful. A target is judged by the minimum or maximum of the rounds for one thread, and else by the
median. The figure of another is the best of those that the target names.
"
    )
}

fn section(area: &Area, results: &Results) -> String {
    let mut text = format!("\n## {}\n\n", area.title);
    text += &format!(
        "{} rounds in {:.0} s. `cargo xtask bench {}`.\n",
        results.rounds, results.seconds, area.name
    );
    if results.scale == Scale::Quick {
        text += "\nA quick run: its figures say nothing.\n";
    }
    for plot in &area.plots {
        text += &format!("\n![{}](images/{})\n", plot.title, plot.file());
    }
    for table in &area.tables {
        text += &format!("\n{}", tabled(table, area, results));
    }
    text += "\n| target | ours | other | ratio | bound | |\n|---|---:|---:|---:|---|---|\n";
    for target in &area.targets {
        text += &judged(target, area, results);
    }
    text
}

fn tabled(table: &Table, area: &Area, results: &Results) -> String {
    let base = table.base.map(|base| format!("; × {}", area.label(base))).unwrap_or_default();
    let mut text = format!("**{}** ({}{base})\n\n", table.title, table.unit.name());
    text += &line(once(String::new()).chain(table.columns.iter().map(|column| column.heading.clone())));
    text += &line(once("---".to_owned()).chain(table.columns.iter().map(|_| "---:".to_owned())));
    for who in table.rows(area, results) {
        let cells = table.columns.iter().map(|column| table.median(who.name, &column.key, results));
        text += &line(once(who.label.to_owned()).chain(cells));
    }
    text
}

fn judged(target: &Target, area: &Area, results: &Results) -> String {
    let what = target.what.clone();
    let Some(verdict) = target.judge(results) else {
        return line([
            what,
            "–".into(),
            "–".into(),
            "–".into(),
            target.bound.to_string(),
            "not measured".into(),
        ]);
    };
    let (other, ratio) = match verdict.best {
        Some(best) => {
            (format!("{} {}", area.label(best), figure(verdict.other)), format!("{:.2}×", verdict.ratio))
        }
        None => Default::default(),
    };
    let outcome = if verdict.met { "met".to_owned() } else { format!("missed by {:.2}×", verdict.excess) };
    line([what, figure(verdict.ours), other, ratio, target.bound.to_string(), outcome])
}

/// Returns a row of a table.
fn line(cells: impl IntoIterator<Item = String>) -> String {
    let cells: Vec<String> = cells.into_iter().map(|cell| cell.replace('|', "\\|")).collect();
    format!("| {} |\n", cells.join(" | "))
}
