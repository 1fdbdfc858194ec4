//! The crate graph, compared in both directions with cargo's.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::cargo::{SUB_CRATES, packages, tree};
use crate::case::{Outcome, ensure, equal, failed};
use crate::harness::Lab;

/// Edges between our own packages: the crates and their consumers.
const GRAPH: [(&str, &[&str]); 17] = [
    ("obs-log", &[]),
    ("obs-metrics", &[]),
    ("obs-otlp", &[]),
    // For its feature `otlp` alone. The other three have no edge to the transport.
    ("obs-trace", &["obs-otlp"]),
    ("obs-doctor", &[]),
    ("obs-tracing", &["obs-log", "obs-trace"]),
    ("obs-history", &["obs-metrics", "obs-trace"]),
    // For the arithmetic of native histograms.
    ("obs-community", &["obs-metrics"]),
    ("obs-console", &[]),
    (
        "obs-facade",
        &[
            "obs-console",
            "obs-doctor",
            "obs-history",
            "obs-log",
            "obs-metrics",
            "obs-otlp",
            "obs-trace",
            "obs-tracing",
        ],
    ),
    ("hearthnet", &["obs-community", "obs-facade"]),
    ("bus-module", &["obs-facade"]),
    ("log-only", &["obs-log"]),
    ("metrics-only", &["obs-metrics"]),
    ("trace-only", &["obs-trace"]),
    ("doctor-only", &["obs-doctor"]),
    ("tracing-user", &["obs-facade"]),
];

/// Tools of the workspace that no user depends on.
const TOOLS: [&str; 3] = ["conformance", "scale", "xtask"];

/// Checks the crate graph. Development dependencies count too.
pub(super) fn crates(lab: &Lab) -> Outcome {
    let packages = packages(lab)?;
    let name = |package: &Value| package["name"].as_str().unwrap_or_default().to_owned();
    let ours: BTreeSet<String> = packages.iter().map(name).collect();
    let edges = |package: &Value| -> BTreeSet<String> {
        package["dependencies"]
            .as_array()
            .into_iter()
            .flatten()
            .map(name)
            .filter(|name| ours.contains(name))
            .collect()
    };
    let is_product = |name: &String| !TOOLS.contains(&name.as_str());
    let found: BTreeMap<_, _> = packages
        .iter()
        .map(|package| (name(package), edges(package)))
        .filter(|(name, _)| is_product(name))
        .collect();
    let expected: BTreeMap<_, _> = GRAPH
        .iter()
        .map(|(name, edges)| ((*name).to_owned(), edges.iter().map(|edge| (*edge).to_owned()).collect()))
        .collect();
    for (name, edges) in &expected {
        equal(&format!("what {name} depends on"), found.get(name), Some(edges))?;
    }
    equal("our packages", found.into_keys().collect::<Vec<_>>(), expected.into_keys().collect::<Vec<_>>())
}

/// Only the console, the facade, the command that merges its router, a consumer with a server, and the simulated nodes depend on
/// axum and tower.
pub(super) fn http_server(lab: &Lab) -> Outcome {
    const ALLOWED: [&str; 5] = ["obs-console", "obs-facade", "hearthnet", "scale", "tracing-user"];
    for package in packages(lab)? {
        let name = package["name"].as_str().unwrap_or_default();
        let dependencies = package["dependencies"].as_array().into_iter().flatten();
        let server = |name: &&str| {
            *name == "axum" || *name == "tower" || name.starts_with("axum-") || name.starts_with("tower-")
        };
        let servers: Vec<_> =
            dependencies.filter_map(|dependency| dependency["name"].as_str()).filter(server).collect();
        ensure(
            servers.is_empty() || ALLOWED.contains(&name),
            &format!("no axum or tower in {name}"),
            servers,
        )?;
    }
    Ok(())
}

/// Packages that must be in use on the shipped path, and the crate that uses each.
const NAMED: [(&str, &str); 10] = [
    ("log", "obs-log"),
    ("fern", "obs-log"),
    ("serde_json", "obs-log"),
    ("chrono", "obs-log"),
    ("metrics", "obs-metrics"),
    ("metrics-exporter-prometheus", "obs-metrics"),
    ("sysinfo", "obs-metrics"),
    ("ulid", "obs-trace"),
    ("tokio", "obs-trace"),
    ("axum", "obs-facade"),
];

/// Each named package is a direct dependency of its crate, is in the command's tree, and is named in the crate's sources.
pub(super) fn named_packages(lab: &Lab) -> Outcome {
    let shipped = tree(lab, "hearthnet", &[])?;
    for (name, user) in NAMED {
        let in_tree = shipped.iter().any(|package| package.split(' ').next() == Some(name));
        ensure(in_tree, &format!("{name} in the tree of hearthnet"), "not there")?;
        let path = format!("{}::", name.replace('-', "_"));
        let used = super::sources::shipped(lab, user)?.iter().any(|source| source.text.contains(&path));
        ensure(used, &format!("{path} in the sources of {user}"), "not there")?;
    }
    Ok(())
}

/// Optional parts are features that are off by default, except for the runtime of task contexts.
pub(super) fn light_defaults(lab: &Lab) -> Outcome {
    let packages = packages(lab)?;
    for name in SUB_CRATES {
        let package = packages
            .iter()
            .find(|package| package["name"] == name)
            .ok_or_else(|| failed(format!("the package {name}"), "none"))?;
        let default = package["features"]["default"].as_array().cloned().unwrap_or_default();
        let expected = if name == "obs-trace" { vec![Value::from("rt")] } else { Vec::new() };
        equal(&format!("the default features of {name}"), default, expected)?;
    }
    Ok(())
}

/// The lock file has one version of `metrics`. Records through a second version would be lost.
pub(super) fn one_version_of_metrics(lab: &Lab) -> Outcome {
    let lock: toml::Table = std::fs::read_to_string(lab.root().join("Cargo.lock"))?.parse()?;
    let packages = lock.get("package").and_then(toml::Value::as_array).into_iter().flatten();
    let text = |package: &toml::Value, key: &str| {
        package.get(key).and_then(toml::Value::as_str).unwrap_or_default().to_owned()
    };
    let versions: Vec<_> = packages
        .filter(|package| text(package, "name") == "metrics")
        .map(|package| text(package, "version"))
        .collect();
    ensure(versions.len() == 1, "one version of metrics in the lock file", versions)
}
