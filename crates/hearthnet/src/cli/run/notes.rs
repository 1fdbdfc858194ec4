//! Notes on the configuration for the owner of a node. The node runs in spite of them.

use std::path::Path;

use obs_facade::{Logger, info, warn};

use crate::config::{Config, Notes};
use crate::failure::Failure;

static LOG: Logger = Logger::new("hearthnet::run");

/// Refuses a configuration that names an environment variable which the node needs and does not have.
pub(super) fn require_variables(config: &Config, file: &Path) -> Result<(), Failure> {
    match config.notes.unset.iter().find(|unset| unset.is_needed) {
        Some(unset) => Err(Failure::error(format!("{}:{}", file.display(), unset.mistake))),
        None => Ok(()),
    }
}

/// Logs the settings that this version does not use, in one line, and each variable that a language model lacks.
pub(super) fn log(notes: &Notes) {
    if !notes.unused.is_empty() {
        info!(logger: LOG, settings = listed(&notes.unused); "settings that this version does not use");
    }
    for unset in &notes.unset {
        let mistake = &unset.mistake;
        warn!(
            logger: LOG, field = mistake.field, line = mistake.line, problem = mistake.problem,
            advice = mistake.advice; "a key is missing"
        );
    }
}

/// Returns the unused settings of a reloaded configuration that `before` had not.
pub(super) fn newly_unused(before: &[String], now: &Notes) -> String {
    let new: Vec<_> = now.unused.iter().filter(|name| !before.contains(name)).cloned().collect();
    listed(&new)
}

fn listed(names: &[String]) -> String {
    names.join(", ")
}
