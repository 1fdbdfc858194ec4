//! The conformance suites of the workspace: a folder for each suite, a function for each case.
//!
//! `cargo xtask conformance` builds this program and the `hearthnet` command, and runs this program on it. `cases.txt` lists
//! every case with its section of the specification and the requirements that it shows. The run fails when a case is not
//! listed, when a listed case does not exist, when a requirement of `docs/requirements.md` is in neither list, and when no
//! case runs.

mod case;
mod doctor;
mod harness;
mod http;
mod layers;
mod logging;
mod manifest;
mod metrics;
mod options;
mod report;
mod runner;
mod scale;
mod service;
mod tracing;

use std::process::ExitCode;
use std::sync::Arc;

use case::Suite;
use harness::Lab;
use manifest::Manifest;
use options::Options;

const SUITES: [Suite; 8] = [
    logging::SUITE,
    metrics::SUITE,
    tracing::SUITE,
    doctor::SUITE,
    http::SUITE,
    service::SUITE,
    scale::SUITE,
    layers::SUITE,
];

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(err) => {
            report::refuse(&err.to_string());
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<bool, Box<dyn std::error::Error>> {
    let options = Options::from_env()?;
    let manifest = Manifest::read(include_str!("../cases.txt"))?;
    manifest.must_match(&SUITES)?;
    manifest.must_cover(include_str!("../../../docs/requirements.md"), &options.root)?;
    let selected = manifest.select(&SUITES, &options)?;
    if options.list {
        report::list(&selected);
        return Ok(true);
    }

    let lab = Arc::new(Lab::new(&options)?);
    let results = runner::run(&selected, &lab);
    drop(lab);
    harness::children::end_all();
    report::print(&results);
    if let Some(path) = &options.json {
        std::fs::write(path, report::json(&results, &options))?;
    }
    Ok(report::is_success(&results))
}
