//! Outside checkers: programs of other people that read what a node writes.

use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;

use crate::case::{Outcome, failed};
use crate::harness::Lab;
use crate::harness::exposition::Series;
use crate::harness::process::{self, Ran};

const LIMIT: Duration = Duration::from_secs(30);

/// `promtool check metrics` on a page in the text format.
pub(crate) fn promtool(lab: &Lab, page: &str) -> Outcome<Ran> {
    static INSTALLED: OnceLock<bool> = OnceLock::new();
    if !INSTALLED.get_or_init(|| runs(Command::new("promtool").arg("--version"))) {
        return Err(lab.oracle_missing("promtool"));
    }
    process::run(Command::new("promtool").args(["check", "metrics"]), page.as_bytes(), LIMIT)
}

/// The samples that Python's `prometheus_client` reads from a page in the text format.
pub(crate) fn python_text(lab: &Lab, page: &str) -> Outcome<Vec<Series>> {
    python(lab, page, "from prometheus_client.parser import text_string_to_metric_families as parse")
}

/// The samples that Python's `prometheus_client` reads from an OpenMetrics page.
pub(crate) fn python_openmetrics(lab: &Lab, page: &str) -> Outcome<Vec<Series>> {
    python(
        lab,
        page,
        "from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse",
    )
}

/// Prints the samples as JSON, the values as text because JSON has no NaN.
const PROGRAM: &str = "
import json, sys
page = sys.stdin.buffer.read().decode('utf-8')
samples = [s for family in parse(page) for s in family.samples]
json.dump([[s.name, sorted(s.labels.items()), str(float(s.value))] for s in samples], sys.stdout)
";

fn python(lab: &Lab, page: &str, import: &str) -> Outcome<Vec<Series>> {
    static INSTALLED: OnceLock<bool> = OnceLock::new();
    if !INSTALLED.get_or_init(|| runs(Command::new("python3").args(["-c", "import prometheus_client"]))) {
        return Err(lab.oracle_missing("Python's prometheus_client"));
    }
    let program = format!("{import}\n{PROGRAM}");
    let ran = process::run(Command::new("python3").args(["-c", &program]), page.as_bytes(), LIMIT)?;
    if ran.code != Some(0) {
        return Err(failed("Python's prometheus_client reads the page", ran.stderr));
    }
    let samples: Vec<Value> = serde_json::from_str(&ran.stdout)?;
    samples
        .iter()
        .map(|sample| series(sample).ok_or_else(|| failed("a sample", sample.to_string())))
        .collect()
}

fn series(sample: &Value) -> Option<Series> {
    let label = |pair: &Value| Some((pair[0].as_str()?.to_owned(), pair[1].as_str()?.to_owned()));
    Some(Series {
        name: sample[0].as_str()?.to_owned(),
        labels: sample[1].as_array()?.iter().map(label).collect::<Option<_>>()?,
        value: sample[2].as_str()?.parse().ok()?,
    })
}

fn runs(command: &mut Command) -> bool {
    process::run(command, b"", LIMIT).is_ok_and(|ran| ran.code == Some(0))
}
