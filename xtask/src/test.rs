//! `cargo xtask test`: runs every test, and prints one line with their sum.

use lexopt::prelude::*;

use crate::tally::Tally;
use crate::{Done, cargo, conformance, say, second_try};

pub(crate) struct Options {
    require_oracles: bool,
    second_try: bool,
}

impl Options {
    pub(crate) fn parse(mut args: lexopt::Parser) -> Result<Self, lexopt::Error> {
        let mut options = Self { require_oracles: false, second_try: false };
        while let Some(arg) = args.next()? {
            match arg {
                Long("require-oracles") => options.require_oracles = true,
                Long("second-try") => options.second_try = true,
                other => return Err(other.unexpected()),
            }
        }
        Ok(options)
    }
}

/// Runs the tests of the workspace and then the conformance suites, even if the first ones fail.
pub(crate) fn run(options: &Options) -> Done {
    say("── tests of the workspace, with all features and doc tests");
    let (mut workspace, mut failed) = workspace_tests()?;
    let mut unsteady = Vec::new();
    if options.second_try {
        unsteady = second_try::of_tests(&failed)?;
        workspace.passes_later(unsteady.len());
    }
    failed.retain(|name| !unsteady.contains(name));
    say("\n── conformance");
    let conformance = conformance::tally(&conformance::Options::all(options.require_oracles));
    let conformance = conformance.and_then(|ran| ran.ok_or_else(|| "the reason is above".into()));
    let conformance = conformance.map(|mut ran| {
        if options.second_try {
            let passed = second_try::of_cases(&ran.failed, options.require_oracles);
            ran.tally.passes_later(passed.len());
            ran.failed.retain(|case| !passed.contains(&case.name));
            unsteady.extend(passed);
        }
        failed.extend(ran.failed.iter().map(ToString::to_string));
        ran.tally
    });

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
    for name in &unsteady {
        say(&format!("UNSTEADY, failed once     {name}"));
    }
    // Again at the end, because the reports before are long.
    for name in &failed {
        say(&format!("FAILED                   {name}"));
    }

    let mut sum = workspace;
    sum += conformance;
    say(&format!("\n{sum}"));
    Ok(sum.failed == 0 && sum.passed > 0)
}

/// Runs `cargo test` on the workspace with all features, which gives the most tests, and returns the names of the failed
/// ones too. `cargo xtask ci` tests the combinations.
fn workspace_tests() -> std::io::Result<(Tally, Vec<String>)> {
    let (mut sum, mut failed) = (Tally::default(), Vec::new());
    let status = cargo::watch(&mut cargo::workspace_test(), |line| {
        failed.extend(second_try::failed_test(line).map(str::to_owned));
        if let Some(tally) = Tally::from_test_result(line) {
            sum += tally;
        }
    })?;
    // A test binary that does not build, or dies early, prints no result line.
    if !status.success() && sum.failed == 0 {
        sum.failed = 1;
        failed.clear();
    }
    Ok((sum, failed))
}
