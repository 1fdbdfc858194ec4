//! Files and folders of the workspace.

use std::collections::BTreeSet;

use super::cargo::packages;
use crate::case::{Outcome, ensure, equal, failed};
use crate::harness::Lab;

/// Entries of the top level, besides the folders of version control and build.
const TOP_LEVEL: [&str; 15] = [
    ".cargo",
    ".ci",
    ".gitignore",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "crates",
    "deny.toml",
    "docs",
    "rustfmt.toml",
    "tests",
];

const CRATES: [&str; 11] = [
    "hearthnet",
    "obs-community",
    "obs-console",
    "obs-doctor",
    "obs-facade",
    "obs-history",
    "obs-log",
    "obs-metrics",
    "obs-otlp",
    "obs-trace",
    "obs-tracing",
];

pub(super) fn top_level(lab: &Lab) -> Outcome {
    let names = |folder: &str| -> Outcome<BTreeSet<String>> {
        let entries = std::fs::read_dir(lab.root().join(folder))?;
        Ok(entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
    };
    let mut found = names("")?;
    found.retain(|name| name != ".git" && name != "target");
    let expected: BTreeSet<String> = TOP_LEVEL.into_iter().chain(["xtask"]).map(str::to_owned).collect();
    equal("the top level", found, expected)?;
    equal("the crates", names("crates")?, CRATES.map(str::to_owned).into())
}

/// The README begins with the command that starts a node and the one that runs every test.
pub(super) fn readme(lab: &Lab) -> Outcome {
    let text = std::fs::read_to_string(lab.root().join("README.md"))?;
    let head: Vec<_> = text.lines().take(60).collect();
    let place = |part: &str| head.iter().position(|line| line.contains("cargo") && line.contains(part));
    let starts = place("hearthnet").filter(|line| head[*line].contains("run"));
    ensure(starts.is_some(), "a command on top that starts a node", &head)?;
    ensure(place("xtask test").is_some(), "a command on top that runs every test", &head)
}

pub(super) fn lints(lab: &Lab) -> Outcome {
    for package in packages(lab)? {
        let path =
            package["manifest_path"].as_str().ok_or_else(|| failed("a manifest", package.to_string()))?;
        let manifest: toml::Table = std::fs::read_to_string(path)?.parse()?;
        let opted_in =
            manifest.get("lints").and_then(|lints| lints.get("workspace")).and_then(toml::Value::as_bool);
        ensure(opted_in == Some(true), "[lints] workspace = true", path)?;
    }
    let root: toml::Table = std::fs::read_to_string(lab.root().join("Cargo.toml"))?.parse()?;
    let lints = root.get("workspace").and_then(|workspace| workspace.get("lints"));
    let has = |tool: &str, lint: &str| {
        lints.and_then(|lints| lints.get(tool)).is_some_and(|lints| lints.get(lint).is_some())
    };
    let wanted = [
        ("rust", "unsafe_code"),
        ("rust", "missing_docs"),
        ("rust", "unreachable_pub"),
        ("rust", "missing_debug_implementations"),
        ("clippy", "dbg_macro"),
        ("clippy", "todo"),
        ("clippy", "print_stdout"),
        ("clippy", "print_stderr"),
    ];
    let missing: Vec<_> = wanted.into_iter().filter(|(tool, lint)| !has(tool, lint)).collect();
    ensure(missing.is_empty(), "every lint that the workspace counts on", missing)
}
