//! Builds and runs the consumers as their users do.

use std::time::Duration;

use super::cargo::cargo;
use crate::case::Outcome;
use crate::harness::Lab;

/// Each consumer uses the crate that it depends on, and ends with exit code 0 when the result is right.
pub(super) fn run(lab: &Lab) -> Outcome {
    for consumer in ["log-only", "metrics-only", "trace-only", "doctor-only", "bus-module"] {
        cargo(lab, &["run", "--quiet", "--package", consumer], Duration::from_secs(600))?.exits(0)?;
    }
    Ok(())
}
