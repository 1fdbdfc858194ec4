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
//! # Reading the tables
//!
//! A cell is `minimum / median` of the rounds (`maximum / median` for rates) and its ratio to the table's base row. Machines are
//! shared and noisy, so only ratios within one run are meaningful. The targets judge the minimum for one thread and the median
//! for more.

mod harness;
mod http;
mod log;
mod metrics;
mod trace;

use std::path::PathBuf;
use std::process::ExitCode;

use lexopt::prelude::*;

use crate::harness::{Area, Scale, child, report, rounds};

const USAGE: &str = "\
cargo xtask bench [log|metrics|trace|http]… [--json FILE] [--rounds N] [--quick]

  log, metrics, trace, http
                         the areas to run; all of them when none is named
  --json FILE            write every round of every measurement, too
  --rounds N             how often each measurement is repeated (15)
  --quick                three short rounds: shows that it works, not how fast
";

type Failure = Box<dyn std::error::Error>;

struct Options {
    areas: Vec<Area>,
    json: Option<PathBuf>,
    rounds: usize,
    scale: Scale,
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
    let mut reports = Vec::new();
    for area in &options.areas {
        let results = rounds::run(area, options.rounds, options.scale)?;
        println!("{}", report::text(area, &results));
        reports.push(report::json(area, &results));
    }
    if let Some(path) = options.json {
        std::fs::write(&path, format!("{:#}\n", serde_json::Value::from(reports)))
            .map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
    }
    Ok(())
}

fn areas() -> Vec<Area> {
    vec![log::area(), metrics::area(), trace::area(), http::area()]
}

fn options() -> Result<Options, Failure> {
    let mut options = Options { areas: Vec::new(), json: None, rounds: 15, scale: Scale::Full };
    let mut rounds = None;
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            Value(name) => {
                let area = areas().into_iter().find(|area| name == area.name);
                options.areas.push(area.ok_or_else(|| format!("no area {}\n\n{USAGE}", name.display()))?);
            }
            Long("json") => options.json = Some(args.value()?.into()),
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
    if options.areas.is_empty() {
        options.areas = areas();
    }
    Ok(options)
}
