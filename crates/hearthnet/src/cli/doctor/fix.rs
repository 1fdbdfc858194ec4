//! `hearthnet doctor --fix`: the repair that is safe, after a question.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use obs_facade::doctor::{Config, Repair, Report};

use crate::cli::output::say_on_stderr;

/// How a repair is agreed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Consent {
    /// Say what would be done, and do nothing.
    DryRun,
    /// It was given on the command line.
    Given,
    /// Ask, if there is somebody at a terminal.
    Ask,
}

/// Makes the repair that `report` calls for, and says whether one was made. All that is said goes to stderr, so
/// that stdout is the report alone.
pub(super) fn repair(report: &Report, config: &Config, consent: Consent) -> bool {
    if report.get("keys_present").is_none_or(|result| result.ok) {
        say_on_stderr("nothing to repair; --fix mends the mode of the device key alone");
        return false;
    }
    match Repair::find(config) {
        Ok(Some(repair)) => agreed(&repair, consent) && made(repair),
        Ok(None) => {
            say_on_stderr("no repair is safe here: do what the report says");
            false
        }
        Err(error) => {
            say_on_stderr(error);
            false
        }
    }
}

fn agreed(repair: &Repair, consent: Consent) -> bool {
    match consent {
        Consent::DryRun => {
            say_on_stderr(format_args!("would run {repair}"));
            false
        }
        Consent::Given => true,
        Consent::Ask if io::stdin().is_terminal() && io::stderr().is_terminal() => ask(repair),
        Consent::Ask => {
            say_on_stderr(format_args!("not run, with nobody to ask (agree with --yes): {repair}"));
            false
        }
    }
}

/// Whatever is not a clear yes is a no.
fn ask(repair: &Repair) -> bool {
    let mut out = io::stderr().lock();
    let _ = write!(out, "hearthnet: run {repair}? [y/N] ").and_then(|()| out.flush());
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    read.is_ok() && is_yes(&answer)
}

fn is_yes(answer: &str) -> bool {
    ["y", "yes"].iter().any(|yes| answer.trim().eq_ignore_ascii_case(yes))
}

fn made(repair: Repair) -> bool {
    let what = repair.to_string();
    match repair.apply() {
        Ok(()) => {
            say_on_stderr(format_args!("done: {what}; checking again"));
            true
        }
        Err(error) => {
            say_on_stderr(error);
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d5_only_a_clear_yes_is_one() {
        assert!(["y\n", "Y", " yes \n", "YES"].iter().all(|answer| is_yes(answer)));
        assert!(["", "\n", "n", "yeah", "y y", "ok"].iter().all(|answer| !is_yes(answer)));
    }
}
