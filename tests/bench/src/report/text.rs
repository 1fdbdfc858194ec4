//! Report of an area for a terminal.

use super::Machine;
use crate::harness::{Area, Results, Scale};

/// Returns the tables of an area and the verdicts on its targets.
pub(crate) fn text(machine: &Machine, area: &Area, results: &Results) -> String {
    let mut text = format!(
        "{}: {} rounds in {:.0} s on {} processors ({})\n",
        area.name, results.rounds, results.seconds, machine.processors, machine.model
    );
    if results.scale == Scale::Quick {
        text += "A quick run: its figures say nothing.\n";
    }
    for table in &area.tables {
        text += &format!("\n{}", table.text(area, results));
    }
    text += "\nTargets\n";
    for target in &area.targets {
        let line = match target.judge(results) {
            Some(verdict) => verdict.line(target, area),
            None => format!("not measured     {}", target.what),
        };
        text += &format!("  {line}\n");
    }
    text
}
