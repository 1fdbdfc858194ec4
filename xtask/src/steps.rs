//! Steps of a task: each is a command or a few, and how it ended is told at the end.

use std::process::{Command, Stdio};
use std::time::Instant;

use crate::{cargo, say};

/// A step by its name.
pub(crate) type Step = (&'static str, fn() -> Verdict);

/// How a step ended. What could not be checked is told apart from what was, and is always printed.
pub(crate) enum Verdict {
    Passed,
    /// The part that ran passed; what could not run, and why.
    PassedBut(String),
    /// What failed.
    Failed(String),
    /// Nothing ran: a tool is missing.
    ToolMissing(String),
}

/// Runs the steps to their end, whichever fail, and sums them up. A missing tool is a failure if `require_tools`.
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

/// Runs a command of cargo in the workspace's root.
pub(crate) fn passes(command: &mut Command) -> Verdict {
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

/// Whether a command that only says its version does so.
pub(crate) fn there_is(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}
