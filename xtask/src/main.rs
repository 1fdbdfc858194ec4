//! `cargo xtask`: tasks of this repository.
//!
//! They install nothing, and write only to the build folder and to files named on the command line.

mod api;
mod bench;
mod cargo;
mod ci;
mod conformance;
mod doc;
mod features;
mod memory;
mod page;
mod sanitize;
mod scale;
mod second_try;
mod steps;
mod tally;
mod test;
mod wear;

use std::process::ExitCode;

use lexopt::prelude::*;

const USAGE: &str = "\
cargo xtask <task>

  test [--require-oracles] [--second-try]
      runs every test: unit, integration and doc tests of the workspace, then the conformance suites. With
      --second-try, up to five failed tests run again, each alone; one that passes then is named as UNSTEADY
  conformance [--suite NAME]… [--case SUITE/NAME]… [--json FILE] [--target URL] [--require-oracles]
              [--list] [--bless]
      runs the conformance suites alone. --target runs only the black-box HTTP part, against any
      running node. --require-oracles makes a missing external checker a failure. --bless renews the
      pinned dependency trees of the consumers
  bench [log|metrics|trace|http]… [--json FILE] [--report] [--from FILE]… [--rounds N] [--quick]
      runs the benchmarks against the peers. --json writes every round. --report writes docs/benchmarks.md
      and its plots; with --from, areas of an earlier run of the same commit are taken from its --json.
      --quick only shows that they run
  memory [TRACES]
      measures the memory of traces, and checks that ten million of them do not make it grow
  scale [--targets N,N…] [--interval SECONDS] [--minutes N] [--report DIR]
      measures VictoriaMetrics and Alertmanager over 10 to 10 000 simulated nodes
  wear [--seconds N] [--commit N] [--whole] [--folder DIR] [--binary FILE]
      measures the bytes that the log, traces, history and problems of a node make a disk write at a call a
      second (for 600 seconds), beside a plain append of the same lines: two ext4 file systems on loop devices,
      with images in DIR. --whole adds the node's own files, such as its sign of life. Needs root
  api [--bless]
      compares the public API of the libraries with crates/*/public-api.txt. --bless renews the files
  doc [--open]
      builds the documentation of the libraries, without that of their dependencies
  ci [--step NAME]… [--require-tools]
      runs the steps of CI besides the tests: format, deny, page, clippy, bench, docs, api, models,
      address, features, browser. --require-tools makes a missing tool a failure
  sanitize
      checks concurrent and unsafe code: models (every order of the threads, with loom), address (tests
      with AddressSanitizer), miri (tests under Miri, which needs a nightly toolchain)
";

/// Result of a task. `Ok(false)` is a failed task, an error is one that could not run.
type Done = Result<bool, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    match task(lexopt::Parser::from_env()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(err) => {
            say_error(&err.to_string());
            ExitCode::from(2)
        }
    }
}

fn task(mut args: lexopt::Parser) -> Done {
    // `--help` also works after the name of a task, which has no help of its own.
    if args.clone().raw_args()?.any(|arg| arg == "--help" || arg == "-h") {
        say(USAGE);
        return Ok(true);
    }
    match args.next()? {
        Some(Value(name)) if name == "test" => test::run(&test::Options::parse(args)?),
        Some(Value(name)) if name == "conformance" => conformance::run(&conformance::Options::parse(args)?),
        Some(Value(name)) if name == "bench" => bench::run(&bench::Options::parse(args)?),
        Some(Value(name)) if name == "sanitize" => match args.next()? {
            Some(other) => Err(other.unexpected().into()),
            None => sanitize::run(),
        },
        Some(Value(name)) if name == "memory" => memory::run(args),
        Some(Value(name)) if name == "scale" => scale::run(args),
        Some(Value(name)) if name == "wear" => wear::run(&wear::Options::parse(args)?),
        Some(Value(name)) if name == "api" => api::run(&api::Options::parse(args)?),
        Some(Value(name)) if name == "doc" => doc::run(&doc::Options::parse(args)?),
        Some(Value(name)) if name == "ci" => ci::run(&ci::Options::parse(args)?),
        Some(other) => Err(format!("{}\n\n{USAGE}", other.unexpected()).into()),
        None => Err(USAGE.into()),
    }
}

/// Prints a line on stdout.
#[expect(clippy::print_stdout, reason = "a command line tool talks on stdout")]
fn say(line: &str) {
    println!("{line}");
}

#[expect(clippy::print_stderr, reason = "a command line tool reports errors on stderr")]
fn say_error(line: &str) {
    eprintln!("error: {line}");
}
