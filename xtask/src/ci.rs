//! `cargo xtask ci`: the steps of CI besides the tests of `cargo xtask test`.

use std::process::Command;

use lexopt::prelude::*;

use crate::steps::{self, Step, Verdict, both, passes, there_is};
use crate::{Done, api, bench, cargo, features, page, sanitize, say};

/// Steps by name, in the order in which they run. Quick ones come first.
const STEPS: [Step; 11] = [
    ("format", format),
    ("deny", deny),
    page::PAGE,
    ("clippy", clippy),
    bench::BENCH,
    ("docs", docs),
    api::API,
    sanitize::MODELS,
    sanitize::ADDRESS,
    ("features", combinations),
    page::BROWSER,
];

pub(crate) struct Options {
    only: Vec<String>,
    require_tools: bool,
}

impl Options {
    pub(crate) fn parse(mut args: lexopt::Parser) -> Result<Self, lexopt::Error> {
        let mut options = Self { only: Vec::new(), require_tools: false };
        while let Some(arg) = args.next()? {
            match arg {
                Long("step") => options.only.push(step_name(args.value()?.string()?)?),
                Long("require-tools") => options.require_tools = true,
                other => return Err(other.unexpected()),
            }
        }
        Ok(options)
    }
}

fn step_name(name: String) -> Result<String, lexopt::Error> {
    let known = STEPS.map(|(known, _)| known);
    if known.contains(&name.as_str()) {
        return Ok(name);
    }
    Err(format!("there is no step {name:?}: choose one of {}", known.join(", ")).into())
}

pub(crate) fn run(options: &Options) -> Done {
    let wanted = |name: &str| options.only.is_empty() || options.only.iter().any(|only| only == name);
    Ok(steps::run(STEPS.into_iter().filter(|(name, _)| wanted(name)), options.require_tools))
}

fn format() -> Verdict {
    if !there_is(Command::new("rustfmt").arg("--version")) {
        return Verdict::ToolMissing("rustfmt is not installed (rustup component add rustfmt)".into());
    }
    both(passes(cargo::command().args(["fmt", "--all", "--check"])), || {
        passes(cargo::command().args(["fmt", "--check", "--manifest-path"]).arg(bench::manifest()))
    })
}

fn clippy() -> Verdict {
    if !there_is(cargo::command().args(["clippy", "--version"])) {
        return Verdict::ToolMissing("clippy is not installed (rustup component add clippy)".into());
    }
    let clippy = |features: &[&str]| {
        let mut command = cargo::command();
        command
            .args(["clippy", "--workspace", "--all-targets"])
            .args(features)
            .args(["--", "-D", "warnings"]);
        passes(&mut command)
    };
    both(clippy(&[]), || clippy(&["--all-features"]))
}

fn docs() -> Verdict {
    let mut command = cargo::command();
    command.args(["doc", "--workspace", "--no-deps", "--all-features"]).env("RUSTDOCFLAGS", "-Dwarnings");
    passes(&mut command)
}

/// Builds each crate alone in each combination of its features. Development dependencies are left out of the build,
/// because their features would hide a missing one. The tests run without features here, and with every feature in
/// `cargo xtask test`: a feature adds something and changes nothing, so what a part of them does is between the two.
fn combinations() -> Verdict {
    let metadata = match cargo::metadata() {
        Ok(metadata) => metadata,
        Err(err) => return Verdict::Failed(err),
    };
    let mut failed = Vec::new();
    for combination in features::combinations(&metadata) {
        let (package, label) = (&combination.package, &combination.label);
        say(&format!("\n── {package} with features: {label}"));
        let mut build = cargo::command();
        build.arg("clippy").args(combination.args()).args(["--", "-D", "warnings"]);
        let tests = || {
            if combination.is_bare {
                passes(cargo::command().arg("test").args(combination.args()))
            } else {
                Verdict::Passed
            }
        };
        if let Verdict::Failed(what) = both(passes(&mut build), tests) {
            failed.push(what);
        }
    }
    if failed.is_empty() { Verdict::Passed } else { Verdict::Failed(failed.join("; ")) }
}

/// Checks dependencies. Bans, licences and sources need no network. Advisories need their database.
fn deny() -> Verdict {
    let deny = |args: &[&str]| {
        let mut command = cargo::command();
        command.arg("deny").args(args);
        command
    };
    if !there_is(&mut deny(&["--version"])) {
        return Verdict::ToolMissing(
            "cargo-deny is not installed (cargo install cargo-deny --locked)".into(),
        );
    }
    let ours = passes(&mut deny(&["check", "--hide-inclusion-graph", "bans", "licenses", "sources"]));
    both(ours, || match passes(&mut deny(&["fetch", "db"])) {
        Verdict::Passed => passes(&mut deny(&["check", "--disable-fetch", "advisories"])),
        _ => Verdict::PassedBut("advisories: the database could not be fetched".into()),
    })
}
