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
    // In a workspace of its own, for the sake of a feature. Its packages are built beside those of the others.
    let manifest = ["--manifest-path", "tests/consumers/tracing-log-always/Cargo.toml"];
    let run = [&["run", "--quiet", "--locked", "--target-dir", "target"][..], &manifest].concat();
    cargo(lab, &run, Duration::from_secs(600))?.exits(0)?;
    Ok(())
}
