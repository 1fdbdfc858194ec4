//! Benchmarks of the workspace's crates beside their peers and hand-written limits.
//!
//! `cargo xtask bench [log|metrics|trace|http]` builds and runs this package. No other build compiles the peers.
//!
//! # Method
//!
//! An area has contenders and tasks. A round runs every task of every contender in turn, so that other work on the machine
//! affects all alike. A run has 15 rounds. Each measurement is a process of its own: this program starts itself again with the
//! names of the contender and the task. So each contender has its global logger, subscriber or recorder to itself, and a fresh
//! allocator. The contenders on spdlog-rs are in a second build of the program, because that crate makes values of the `log`
//! crate slower for all contenders in its program (`Cargo.toml` has the figure).
//!
//! Before the first round, each contender does its work once, and the result is read back. A wrong result ends the run.
//!
//! In the area `http` the measured process is a client. It starts the server as a child, loads it for 2.5 seconds, and has it
//! settle: write all lines and send all spans. The processor time of the server includes that. Lines, spans and counts are
//! compared with the requests from outside: in the files, at the collector, and on the page.
//!
//! # Reading the tables
//!
//! A cell is `minimum / median` of the rounds (`maximum / median` for rates, the median alone for whole requests) and its ratio
//! to the table's base row. Machines are shared and noisy, so only ratios within one run are meaningful. The targets judge the
//! minimum for one thread and the median for more.

mod harness;
mod http;
mod log;
mod metrics;
mod report;
#[path = "../../support/svg.rs"]
mod svg;
mod trace;

use std::path::PathBuf;
use std::process::ExitCode;

use lexopt::prelude::*;

use crate::harness::{Area, Results, Scale, child, rounds};
use crate::report::Machine;

const USAGE: &str = "\
cargo xtask bench [log|metrics|trace|http]… [--json FILE] [--report DIR] [--from FILE]… [--rounds N] [--quick]

  log, metrics, trace, http
                         the areas to run; all of them when none is named
  --json FILE            write every round of every measurement, too
  --report DIR           write the page benchmarks.md and its plots, too; it needs all areas
  --from FILE            take the other areas from a file of --json, of the same machine and commit
  --rounds N             how often each measurement is repeated (15)
  --quick                three short rounds: shows that it works, not how fast
";

type Failure = Box<dyn std::error::Error>;

struct Options {
    /// Names of the areas to run; all when there is none.
    areas: Vec<String>,
    json: Option<PathBuf>,
    report: Option<PathBuf>,
    from: Vec<PathBuf>,
    rounds: usize,
    scale: Scale,
}

impl Options {
    /// Returns whether an area is to be measured, unless an earlier run has it.
    fn runs(&self, area: &Area) -> bool {
        self.areas.is_empty() || self.areas.iter().any(|name| name == area.name)
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Failure> {
    if let Some(job) = child::Job::from_env() {
        return job.work(&areas());
    }
    let options = options()?;
    let machine = Machine::here();
    let saved = saved(&options, &machine)?;
    let mut measured = Vec::new();
    for area in areas() {
        let results = match saved.iter().find(|(name, _)| name == area.name) {
            Some((_, results)) => results.clone(),
            None if options.runs(&area) => rounds::run(&area, options.rounds, options.scale)?,
            None => continue,
        };
        println!("{}", report::text(&machine, &area, &results));
        measured.push((area, results));
    }
    if let Some(path) = &options.json {
        let areas = measured.iter().map(|(area, results)| report::to_json(&machine, area, results));
        std::fs::write(path, format!("{:#}\n", areas.collect::<serde_json::Value>()))
            .map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
    }
    if let Some(folder) = &options.report {
        report::write(folder, &machine, &measured)?;
    }
    Ok(())
}

/// Reads the areas that an earlier run has measured.
fn saved(options: &Options, machine: &Machine) -> Result<Vec<(String, Results)>, Failure> {
    let mut saved = Vec::new();
    for file in &options.from {
        saved.extend(report::read(file, machine)?);
    }
    // A named area is measured anew.
    saved.retain(|(name, _)| !options.areas.iter().any(|area| area == name));
    let is_there = |area: &Area| options.runs(area) || saved.iter().any(|(name, _)| name == area.name);
    if options.report.is_some()
        && let Some(missing) = areas().iter().find(|area| !is_there(area))
    {
        return Err(
            format!("--report needs the area {} too; --from has an earlier run of it", missing.name).into()
        );
    }
    Ok(saved)
}

fn areas() -> Vec<Area> {
    vec![log::area(), metrics::area(), trace::area(), http::area()]
}

fn options() -> Result<Options, Failure> {
    let mut options = Options {
        areas: Vec::new(),
        json: None,
        report: None,
        from: Vec::new(),
        rounds: 15,
        scale: Scale::Full,
    };
    let mut rounds = None;
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            Value(name) => {
                let area = areas().into_iter().find(|area| name == area.name);
                let area = area.ok_or_else(|| format!("no area {}\n\n{USAGE}", name.display()))?;
                options.areas.push(area.name.to_owned());
            }
            Long("json") => options.json = Some(args.value()?.into()),
            Long("report") => options.report = Some(args.value()?.into()),
            Long("from") => options.from.push(args.value()?.into()),
            Long("rounds") => rounds = Some(args.value()?.parse::<std::num::NonZeroUsize>()?.get()),
            Long("quick") => (options.rounds, options.scale) = (3, Scale::Quick),
            Short('h') | Long("help") => {
                print!("{USAGE}");
                std::process::exit(0);
            }
            other => return Err(format!("{}\n\n{USAGE}", other.unexpected()).into()),
        }
    }
    options.rounds = rounds.unwrap_or(options.rounds);
    Ok(options)
}
