//! Figures of a community of 10 to 10 000 nodes on one machine.
//!
//! A child process serves the pages of simulated nodes, each with a registry of its own and an address of its own in
//! 127.0.0.0/8. vmagent scrapes them, VictoriaMetrics stores, vmalert and Alertmanager notify. `fleet.rs` has the nodes,
//! `serve.rs` the child process, `engines.rs` the servers, `measure.rs` the way of a measurement, `report.rs` its page.

mod address;
mod engines;
mod fleet;
mod measure;
mod plot;
mod process;
mod receiver;
mod report;
mod serve;
#[path = "../../support/svg.rs"]
mod svg;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use lexopt::prelude::*;

/// Result of a part that stops the program when it fails.
type Done<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

const USAGE: &str = "\
scale [--targets N,N…] [--interval SECONDS] [--minutes N] [--report DIR]
  --targets   numbers of nodes, one measurement each (10,100,1000,10000)
  --interval  seconds between two scrapes of a node (15)
  --minutes   length of the largest measurement; the others take a fifth (10)
  --report    writes scale.md and images/scale.svg into DIR
";

struct Options {
    targets: Vec<usize>,
    interval: Duration,
    minutes: u64,
    report: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            say(&format!("error: {err}"));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Done {
    let mut args = lexopt::Parser::from_env();
    if let Some(Value(first)) = args.clone().next()?
        && first == serve::COMMAND
    {
        args.next()?;
        return serve::run(args);
    }
    let Some(options) = parse(args)? else {
        say(USAGE);
        return Ok(());
    };
    let most = options.targets.iter().copied().max().unwrap_or_default();
    let mut rows = Vec::new();
    for &targets in &options.targets {
        let length = Duration::from_secs(options.minutes * 60 / if targets == most { 1 } else { 5 });
        let row = measure::run(targets, options.interval, length)?;
        say(report::table_row(&row).trim_end());
        rows.push(row);
    }
    match &options.report {
        Some(dir) => report::write(dir, &rows),
        None => Ok(()),
    }
}

/// Returns `None` if the user asks for help.
fn parse(mut args: lexopt::Parser) -> Done<Option<Options>> {
    let mut options = Options {
        targets: vec![10, 100, 1_000, 10_000],
        interval: Duration::from_secs(15),
        minutes: 10,
        report: None,
    };
    while let Some(arg) = args.next()? {
        match arg {
            Long("targets") => {
                let text = args.value()?.string()?;
                options.targets = text.split(',').map(str::parse).collect::<Result<_, _>>()?;
            }
            Long("interval") => options.interval = Duration::from_secs(args.value()?.parse()?),
            Long("minutes") => options.minutes = args.value()?.parse()?,
            Long("report") => options.report = Some(args.value()?.into()),
            Long("help") | Short('h') => return Ok(None),
            other => return Err(other.unexpected().into()),
        }
    }
    if options.interval.is_zero() || options.minutes == 0 {
        return Err("--interval and --minutes must not be 0".into());
    }
    if options.targets.iter().any(|targets| !(1..=address::MOST).contains(targets)) {
        return Err(format!("--targets: each must be 1 to {}", address::MOST).into());
    }
    Ok(Some(options))
}

/// Prints a line on stdout.
#[expect(clippy::print_stdout, reason = "a program that reports")]
fn say(line: &str) {
    println!("{line}");
}
