//! Report of a run: text for people, JSON with every round for programs.

use std::fs;

use serde_json::{Value, json};

use super::{Area, Results, Scale};

/// Prints the tables of an area and the verdicts on its targets.
pub(crate) fn text(area: &Area, results: &Results) -> String {
    let mut text = format!(
        "{}: {} rounds in {:.0} s on {} processors ({})\n",
        area.name,
        results.rounds,
        results.seconds,
        processors(),
        model()
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

/// Returns the report as JSON with every round.
pub(crate) fn json(area: &Area, results: &Results) -> Value {
    let samples = results.all().map(|(contender, column, samples)| {
        json!({
            "contender": contender,
            "label": area.label(contender),
            "column": column,
            "minimum": samples.min(),
            "median": samples.median(),
            "maximum": samples.max(),
            "rounds": samples.0,
        })
    });
    let targets = area.targets.iter().map(|target| {
        let verdict = target.judge(results);
        json!({
            "what": target.what,
            "bound": target.bound.to_string(),
            "ours": verdict.as_ref().map(|verdict| verdict.ours),
            "other": verdict.as_ref().map(|verdict| verdict.other),
            "of": verdict.as_ref().and_then(|verdict| verdict.best),
            "ratio": verdict.as_ref().map(|verdict| verdict.ratio),
            "met": verdict.as_ref().map(|verdict| verdict.met),
            "missed_by": verdict.as_ref().filter(|verdict| !verdict.met).map(|verdict| verdict.excess),
        })
    });
    json!({
        "area": area.name,
        "processors": processors(),
        "model": model(),
        "quick": results.scale == Scale::Quick,
        "rounds": results.rounds,
        "seconds": results.seconds,
        "results": samples.collect::<Vec<_>>(),
        "targets": targets.collect::<Vec<_>>(),
    })
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn model() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.to_owned())
}
