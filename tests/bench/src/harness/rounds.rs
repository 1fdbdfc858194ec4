//! Runs an area: every task of every contender in turn, in rounds.

use std::io::{IsTerminal, Write, stderr};
use std::time::Instant;

use super::child::Job;
use super::{Area, Results, Scale};
use crate::Failure;

/// Checks the contenders, then measures.
///
/// # Errors
/// A contender did other work than expected, or its process failed.
pub(crate) fn run(area: &Area, rounds: usize, scale: Scale) -> Result<Results, Failure> {
    for contender in &area.contenders {
        Job::check(area, contender.name).run()?;
    }
    let begin = Instant::now();
    let mut results = Results::new(rounds, scale);
    for round in 1..=rounds {
        progress(&format!("{}: round {round} of {rounds}", area.name));
        for task in &area.tasks {
            // The order changes, so that a contender has other neighbours in time.
            let start = round % area.contenders.len();
            for contender in area.contenders[start..].iter().chain(&area.contenders[..start]) {
                for (column, value) in Job::new(area, contender.name, task, scale).run()? {
                    results.add(contender.name, &column, value);
                }
            }
        }
    }
    progress("");
    results.seconds = begin.elapsed().as_secs_f64();
    Ok(results)
}

/// Shows the progress on a terminal.
fn progress(text: &str) {
    if stderr().is_terminal() {
        let _ = write!(stderr(), "\r\x1b[K{text}");
    }
}
