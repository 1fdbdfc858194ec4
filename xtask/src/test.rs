//! `cargo xtask test`: runs every test, and prints one line with their sum.

use lexopt::prelude::*;

use crate::tally::Tally;
use crate::{Done, cargo, conformance, say};

pub(crate) struct Options {
    require_oracles: bool,
}

impl Options {
    pub(crate) fn parse(mut args: lexopt::Parser) -> Result<Self, lexopt::Error> {
        let mut options = Self { require_oracles: false };
        while let Some(arg) = args.next()? {
            match arg {
                Long("require-oracles") => options.require_oracles = true,
                other => return Err(other.unexpected()),
            }
        }
        Ok(options)
    }
}

/// Runs the tests of the workspace and then the conformance suites, even if the first ones fail.
pub(crate) fn run(options: &Options) -> Done {
    say("── tests of the workspace, with all features and doc tests");
    let workspace = workspace_tests()?;
    say("\n── conformance");
    let conformance = conformance::tally(&conformance::Options::all(options.require_oracles));

    say("\n── summary");
    say(&format!("tests of the workspace   {workspace}"));
    let conformance = match conformance {
        Ok(tally) => {
            say(&format!("conformance              {tally}"));
            tally
        }
        Err(err) => {
            say(&format!("conformance              could not run: {err}"));
            Tally { failed: 1, ..Tally::default() }
        }
    };

    let mut sum = workspace;
    sum += conformance;
    say(&format!("\n{sum}"));
    Ok(sum.failed == 0 && sum.passed > 0)
}

/// Runs `cargo test` on the workspace with all features, which gives the most tests. `cargo xtask ci` tests the
/// combinations.
fn workspace_tests() -> std::io::Result<Tally> {
    let mut sum = Tally::default();
    let mut test = cargo::command();
    test.args(["test", "--workspace", "--all-features", "--no-fail-fast"]).current_dir(cargo::root());
    let status = cargo::watch(&mut test, |line| {
        if let Some(tally) = Tally::from_test_result(line) {
            sum += tally;
        }
    })?;
    // A test binary that does not build, or dies early, prints no result line.
    if !status.success() && sum.failed == 0 {
        sum.failed = 1;
    }
    Ok(sum)
}
