//! `cargo xtask ci`: what CI runs besides the tests of `cargo xtask test`.

use std::process::{Command, Stdio};
use std::time::Instant;

use lexopt::prelude::*;

use crate::{Done, cargo, features, say};

type Step = fn() -> Verdict;

/// The steps by name, in the order in which they run: the quick ones first.
const STEPS: [(&str, Step); 5] =
    [("format", format), ("deny", deny), ("clippy", clippy), ("docs", docs), ("features", combinations)];

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
    Err(format!("no step is called {name:?}; the steps are {}", known.join(", ")).into())
}

/// How a step ended. What could not be checked is told apart from what was, and is always printed.
enum Verdict {
    Passed,
    /// The part that ran passed; what could not run, and why.
    PassedBut(String),
    /// What failed.
    Failed(String),
    /// Nothing ran: a tool is missing.
    ToolMissing(String),
}

pub(crate) fn run(options: &Options) -> Done {
    let wanted = |name: &str| options.only.is_empty() || options.only.iter().any(|only| only == name);
    let mut summary = Vec::new();
    let mut ok = true;
    for (name, step) in STEPS.into_iter().filter(|(name, _)| wanted(name)) {
        say(&format!("\n── {name}"));
        let start = Instant::now();
        let verdict = step();
        ok &= match &verdict {
            Verdict::Passed | Verdict::PassedBut(_) => true,
            Verdict::Failed(_) => false,
            Verdict::ToolMissing(_) => !options.require_tools,
        };
        let told = match verdict {
            Verdict::Passed => "passed".to_owned(),
            Verdict::PassedBut(what) => format!("passed; NOT CHECKED: {what}"),
            Verdict::Failed(what) => format!("FAILED: {what}"),
            Verdict::ToolMissing(what) => format!("NOT RUN: {what}"),
        };
        summary.push(format!("{name:<9} {:>6.1} s  {told}", start.elapsed().as_secs_f64()));
    }
    say("\n── summary");
    summary.iter().for_each(|line| say(line));
    Ok(ok)
}

fn format() -> Verdict {
    if !there_is(Command::new("rustfmt").arg("--version")) {
        return Verdict::ToolMissing("rustfmt is not installed (rustup component add rustfmt)".into());
    }
    passes(cargo::command().args(["fmt", "--all", "--check"]))
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

/// Each crate alone, in each combination of its features: built as its users build it (no
/// development dependencies, whose features would hide a missing one), and tested.
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
        let mut test = cargo::command();
        test.arg("test").args(combination.args());
        if let Verdict::Failed(what) = both(passes(&mut build), || passes(&mut test)) {
            failed.push(what);
        }
    }
    if failed.is_empty() { Verdict::Passed } else { Verdict::Failed(failed.join("; ")) }
}

/// Bans, licences and sources need nothing from outside; advisories need their database.
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
        _ => Verdict::PassedBut("advisories: their database could not be fetched from here".into()),
    })
}

fn both(first: Verdict, second: impl FnOnce() -> Verdict) -> Verdict {
    match first {
        Verdict::Passed => second(),
        other => other,
    }
}

fn passes(command: &mut Command) -> Verdict {
    match cargo::status(command.current_dir(cargo::root())) {
        Ok(true) => Verdict::Passed,
        Ok(false) => Verdict::Failed(shown(command)),
        Err(err) => Verdict::Failed(format!("{}: {err}", shown(command))),
    }
}

/// A command as somebody would type it.
fn shown(command: &Command) -> String {
    let args: Vec<_> = command.get_args().map(|arg| arg.to_string_lossy()).collect();
    format!("cargo {}", args.join(" "))
}

fn there_is(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}
