//! Steps of a task. Each runs one or more commands, and its outcome is printed at the end.

use std::process::{Command, Stdio};
use std::time::Instant;

use crate::{cargo, say};

/// Step with its name.
pub(crate) type Step = (&'static str, fn() -> Verdict);

/// Outcome of a step. A part that could not be checked is always printed.
pub(crate) enum Verdict {
    Passed,
    /// The rest passed. Holds the part that could not run, and the reason.
    PassedBut(String),
    /// Holds the failure.
    Failed(String),
    /// Nothing ran, because a tool is missing.
    ToolMissing(String),
}

/// Runs all steps, even after a failure, and prints a summary. A missing tool is a failure if `require_tools`.
pub(crate) fn run(steps: impl Iterator<Item = Step>, require_tools: bool) -> bool {
    let mut summary = Vec::new();
    let mut ok = true;
    for (name, step) in steps {
        say(&format!("\n── {name}"));
        let start = Instant::now();
        let verdict = step();
        ok &= match &verdict {
            Verdict::Passed | Verdict::PassedBut(_) => true,
            Verdict::Failed(_) => false,
            Verdict::ToolMissing(_) => !require_tools,
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
    ok
}

pub(crate) fn both(first: Verdict, second: impl FnOnce() -> Verdict) -> Verdict {
    match first {
        Verdict::Passed => second(),
        other => other,
    }
}

/// Runs a cargo command in the root of the workspace.
pub(crate) fn passes(command: &mut Command) -> Verdict {
    match cargo::status(command.current_dir(cargo::root())) {
        Ok(true) => Verdict::Passed,
        Ok(false) => Verdict::Failed(shown(command)),
        Err(err) => Verdict::Failed(format!("{}: {err}", shown(command))),
    }
}

/// Returns the command as it is typed in a shell.
fn shown(command: &Command) -> String {
    let args: Vec<_> = command.get_args().map(|arg| arg.to_string_lossy()).collect();
    format!("cargo {}", args.join(" "))
}

/// Returns whether the command runs. It should only print its version.
pub(crate) fn there_is(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}
