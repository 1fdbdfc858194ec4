//! `hearthnet doctor --fix`: the one safe repair, after confirmation.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use obs_facade::doctor::{Config, Repair, Report};

use crate::cli::output::say_on_stderr;
use crate::cli::visible::visible;

/// Confirmation of a repair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Consent {
    /// Print the repair and do nothing.
    DryRun,
    /// Confirmed on the command line.
    Given,
    /// Ask, if stdin and stderr are terminals.
    Ask,
}

/// Makes the repair for `report`, and returns whether it was made. Messages go to stderr, so that stdout holds the
/// report alone.
pub(super) fn repair(report: &Report, config: &Config, consent: Consent) -> bool {
    // Only a problem that this run has seen is repaired.
    if report.get("keys_present").is_none_or(|result| result.ok) {
        say_on_stderr("nothing to repair: --fix repairs the mode of the device key only");
        return false;
    }
    match Repair::find(config) {
        Ok(Some(repair)) => agreed(&repair, consent) && made(repair),
        Ok(None) => {
            say_on_stderr("no safe repair exists: follow the advice in the report");
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
        // The question goes to stderr. A person who cannot see it cannot answer it.
        Consent::Ask if io::stdin().is_terminal() && io::stderr().is_terminal() => ask(repair),
        Consent::Ask => {
            say_on_stderr(format_args!(
                "not run, because there is no terminal to ask on (confirm with --yes): {repair}"
            ));
            false
        }
    }
}

/// Asks for confirmation. Any answer other than yes is no.
fn ask(repair: &Repair) -> bool {
    let mut out = io::stderr().lock();
    let _ = write!(out, "hearthnet: run {}? [y/N] ", visible(&repair.to_string())).and_then(|()| out.flush());
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    // The end of the input is an empty answer, which is no.
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
    fn only_yes_confirms() {
        assert!(["y\n", "Y", " yes \n", "YES"].iter().all(|answer| is_yes(answer)));
        assert!(["", "\n", "n", "yeah", "y y", "ok"].iter().all(|answer| !is_yes(answer)));
    }
}
