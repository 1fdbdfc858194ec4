//! Builds and runs the consumers as their users do.

use std::time::Duration;

use super::cargo::cargo;
use crate::case::Outcome;
use crate::harness::Lab;

/// Each consumer uses the crate that it depends on, and ends with exit code 0 when the result is right.
pub(super) fn run(lab: &Lab) -> Outcome {
    for consumer in ["log-only", "metrics-only", "trace-only", "doctor-only", "bus-module", "tracing-user"] {
        cargo(lab, &["run", "--quiet", "--package", consumer], Duration::from_secs(600))?.exits(0)?;
    }
    // In workspaces of their own: one for the sake of a feature, one to keep actix-web out of the lock file of the others. Their
    // packages are built beside those of the others.
    for consumer in ["tracing-log-always", "actix-user"] {
        let manifest = format!("tests/consumers/{consumer}/Cargo.toml");
        let run = ["run", "--quiet", "--locked", "--target-dir", "target", "--manifest-path", &manifest];
        cargo(lab, &run, Duration::from_secs(600))?.exits(0)?;
    }
    Ok(())
}
