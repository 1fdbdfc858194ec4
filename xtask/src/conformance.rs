//! `cargo xtask conformance`: builds the node and the package `tests/conformance`, and runs the suites against the
//! node.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use lexopt::prelude::*;
use serde_json::Value;

use crate::tally::Tally;
use crate::{Done, cargo, say};

#[derive(Default)]
pub(crate) struct Options {
    /// Arguments that are passed to the conformance program unchanged.
    passed_on: Vec<OsString>,
    json: Option<PathBuf>,
    target: bool,
    list: bool,
}

impl Options {
    /// Selects every suite.
    pub(crate) fn all(require_oracles: bool) -> Self {
        let passed_on = if require_oracles { vec!["--require-oracles".into()] } else { Vec::new() };
        Self { passed_on, ..Self::default() }
    }

    /// Selects one case.
    pub(crate) fn case(case: &str, require_oracles: bool) -> Self {
        let mut options = Self::all(require_oracles);
        options.passed_on.extend(["--case".into(), case.into()]);
        options
    }

    pub(crate) fn parse(mut args: lexopt::Parser) -> Result<Self, lexopt::Error> {
        let mut options = Self::default();
        while let Some(arg) = args.next()? {
            match arg {
                Long(name @ ("suite" | "case" | "target")) => {
                    options.target |= name == "target";
                    let name = OsString::from(format!("--{name}"));
                    let value = args.value()?;
                    options.passed_on.extend([name, value]);
                }
                Long(name @ ("require-oracles" | "list" | "bless")) => {
                    options.list |= name == "list";
                    options.passed_on.push(format!("--{name}").into());
                }
                Long("json") => {
                    options.json = Some(std::path::absolute(args.value()?).map_err(|err| err.to_string())?)
                }
                other => return Err(other.unexpected()),
            }
        }
        Ok(options)
    }
}

/// What a run of the suites gave.
pub(crate) struct Ran {
    pub(crate) tally: Tally,
    pub(crate) failed: Vec<Failed>,
}

/// A case that failed.
pub(crate) struct Failed {
    pub(crate) name: String,
    expected: String,
}

/// Exit code of the suites when they could not run.
const COULD_NOT_RUN: i32 = 2;

/// Maximum length of what was expected in a line.
const MAX_EXPECTED: usize = 400;

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let expected = &self.expected[..self.expected.floor_char_boundary(MAX_EXPECTED)];
        write!(f, "{}: expected {}", self.name, expected.replace('\n', " "))
    }
}

/// Runs the suites and prints the closing line.
pub(crate) fn run(options: &Options) -> Done {
    if options.list {
        return Ok(cargo::status(&mut program(options, None)?)?);
    }
    // The suites have said why they did not begin.
    let Some(Ran { tally, .. }) = tally(options)? else { return Ok(false) };
    say(&format!("\n{tally}"));
    Ok(tally.failed == 0 && tally.passed > 0)
}

/// Runs the suites and returns the numbers of passed, failed and skipped cases, and what failed. `None` if the suites did not
/// begin, as with an unknown name of a suite. They have said why on stderr.
///
/// # Errors
///
/// Fails if the node or the suites do not build, or if the suites write no report.
pub(crate) fn tally(options: &Options) -> Result<Option<Ran>, Box<dyn std::error::Error>> {
    let report = options.json.clone().unwrap_or_else(default_report);
    // A report of an earlier run must not stand in for one that this run fails to write.
    match std::fs::remove_file(&report) {
        Err(err) if err.kind() != std::io::ErrorKind::NotFound => return Err(err.into()),
        _ => {}
    }
    let ended = program(options, Some(&report))?.status()?;
    if ended.code() == Some(COULD_NOT_RUN) && !report.exists() {
        return Ok(None);
    }
    let written = std::fs::read(&report).map_err(|err| format!("the suites wrote no report: {err}"))?;
    let written: Value = serde_json::from_slice(&written)?;
    let mut tally = Tally::from_report(&written).ok_or("the report has no summary")?;
    let cases = written["cases"].as_array().into_iter().flatten();
    let failed = cases.filter(|case| case["status"] == "failed");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let failed = failed.map(|case| Failed { name: text(&case["case"]), expected: text(&case["expected"]) });
    let failed = failed.collect();
    // A run that is refused as a whole has no failed case: no case ran, or one is missing from the manifest.
    if !ended.success() && tally.failed == 0 {
        tally.failed = 1;
    }
    Ok(Some(Ran { tally, failed }))
}

/// Returns the conformance program with its arguments. Builds it, and the node too unless another node is the target.
fn program(options: &Options, report: Option<&Path>) -> Result<std::process::Command, String> {
    let needs_node = !options.target && !options.list;
    let packages = if needs_node { &["conformance", "hearthnet"][..] } else { &["conformance"] };
    let binaries = cargo::build_binaries(packages)?;
    let mut program = std::process::Command::new(&binaries[0]);
    program.arg("--root").arg(cargo::root()).args(&options.passed_on);
    if let Some(report) = report {
        program.arg("--json").arg(report);
    }
    if let Some(node) = binaries.get(1) {
        program.arg("--node").arg(node);
    }
    Ok(program)
}

fn default_report() -> PathBuf {
    std::env::temp_dir().join(format!("conformance-{}.json", std::process::id()))
}
