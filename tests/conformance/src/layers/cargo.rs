//! Cargo's data on the workspace.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::case::{Outcome, failed};
use crate::harness::Lab;
use crate::harness::process::{self, Ran};

/// Target of the trees, so that they are the same on every machine.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Crates that a module may depend on alone.
pub(super) const SUB_CRATES: [&str; 4] = ["obs-doctor", "obs-log", "obs-metrics", "obs-trace"];

/// Runs cargo in the workspace's root.
pub(super) fn cargo(lab: &Lab, args: &[&str], deadline: Duration) -> Outcome<Ran> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    process::run(command.args(args).current_dir(lab.root()), b"", deadline)
}

/// Returns the workspace's packages from `cargo metadata`.
pub(super) fn packages(lab: &Lab) -> Outcome<Vec<Value>> {
    let ran =
        cargo(lab, &["metadata", "--format-version", "1", "--no-deps"], Duration::from_secs(60))?.exits(0)?;
    let metadata: Value = serde_json::from_str(&ran.stdout)?;
    metadata["packages"].as_array().cloned().ok_or_else(|| failed("a list of packages", metadata.to_string()))
}

/// Returns every package in a package's tree as `name version`, itself included.
pub(super) fn tree(lab: &Lab, package: &str, features: &[&str]) -> Outcome<BTreeSet<String>> {
    let mut args =
        vec!["tree", "--package", package, "--edges", "normal", "--prefix", "none", "--target", TARGET];
    args.extend_from_slice(features);
    let ran = cargo(lab, &args, Duration::from_secs(60))?.exits(0)?;
    // Cargo prints `serde v1.0.0 (proc-macro) (*)`. Only name and version count.
    let package = |line: &str| line.split(" (").next().unwrap_or_default().replacen(" v", " ", 1);
    Ok(ran.stdout.lines().filter(|line| !line.is_empty()).map(package).collect())
}
