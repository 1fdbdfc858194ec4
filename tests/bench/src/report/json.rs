//! A run as JSON: every round of every measurement, and the verdicts.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::Machine;
use crate::Failure;
use crate::harness::{Area, Results, Scale};

/// Returns an area as JSON.
pub(crate) fn to_json(machine: &Machine, area: &Area, results: &Results) -> Value {
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
        "machine": machine.to_json(),
        "quick": results.scale == Scale::Quick,
        "rounds": results.rounds,
        "seconds": results.seconds,
        "results": samples.collect::<Vec<_>>(),
        "targets": targets.collect::<Vec<_>>(),
    })
}

/// Reads the areas of a file that `--json` has written.
///
/// # Errors
/// The file cannot be read, has another form, or is of another machine, compiler or commit.
pub(crate) fn read(file: &Path, machine: &Machine) -> Result<Vec<(String, Results)>, Failure> {
    let fail = |why: &str| Failure::from(format!("{}: {why}", file.display()));
    let text = fs::read_to_string(file).map_err(|error| fail(&error.to_string()))?;
    let value: Value = serde_json::from_str(&text).map_err(|error| fail(&error.to_string()))?;
    let areas = value.as_array().ok_or_else(|| fail("is no list of areas"))?;
    let of_area = |area: &Value| {
        if Machine::from_json(&area["machine"]).as_ref() != Some(machine) {
            return Err(fail("was measured on another machine, or with another compiler or commit"));
        }
        let name = area["area"].as_str().unwrap_or_default().to_owned();
        Ok((name, results(area).ok_or_else(|| fail("lacks a value"))?))
    };
    areas.iter().map(of_area).collect()
}

fn results(area: &Value) -> Option<Results> {
    let scale = if area["quick"].as_bool()? { Scale::Quick } else { Scale::Full };
    let mut results = Results::new(usize::try_from(area["rounds"].as_u64()?).ok()?, scale);
    results.seconds = area["seconds"].as_f64()?;
    for result in area["results"].as_array()? {
        let (contender, column) = (result["contender"].as_str()?, result["column"].as_str()?);
        for value in result["rounds"].as_array()? {
            results.add(contender, column, value.as_f64()?);
        }
    }
    Some(results)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Machine {
        let text = |text: &str| text.to_owned();
        let (model, system) = (text("a model"), text("a system"));
        Machine { processors: 2, model, system, rustc: text("rustc 1.93"), commit: text("0123456789ab") }
    }

    fn area() -> Area {
        Area {
            name: "log",
            title: "Log",
            contenders: vec![],
            tasks: vec![],
            tables: vec![],
            plots: vec![],
            targets: vec![],
        }
    }

    #[test]
    fn a_run_is_read_back_on_the_same_machine_alone() {
        let mut written = Results::new(2, Scale::Full);
        written.add("ours", "burst-1", 3.5);
        written.add("ours", "burst-1", 4.0);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("run.json");
        fs::write(&file, Value::from(vec![to_json(&machine(), &area(), &written)]).to_string()).unwrap();

        let areas = read(&file, &machine()).ok().unwrap();
        assert_eq!((areas.len(), areas[0].0.as_str(), areas[0].1.rounds), (1, "log", 2));
        assert_eq!(areas[0].1.get("ours", "burst-1").unwrap().0, [3.5, 4.0]);

        let later = Machine { commit: "ba9876543210".to_owned(), ..machine() };
        let refused = read(&file, &later).err().unwrap().to_string();
        assert!(refused.ends_with("commit"), "{refused}");
    }
}
