//! Dependencies of the consumers.

use std::collections::BTreeSet;

use super::cargo::tree;
use crate::case::{Outcome, ensure, failed};
use crate::harness::Lab;

const CONSUMERS: [&str; 6] =
    ["bus-module", "doctor-only", "log-only", "metrics-only", "trace-only", "tracing-user"];

/// Each consumer's tree of dependencies equals the list beside it, `tree.txt`.
pub(super) fn pinned(lab: &Lab) -> Outcome {
    for consumer in CONSUMERS {
        let file = lab.root().join("tests/consumers").join(consumer).join("tree.txt");
        let found = tree(lab, consumer, &[])?;
        if lab.blesses() {
            std::fs::write(&file, found.iter().map(|line| format!("{line}\n")).collect::<String>())?;
            continue;
        }
        let pinned: BTreeSet<String> = std::fs::read_to_string(&file)?.lines().map(str::to_owned).collect();
        let marked = |mark: char, lines: Vec<&String>| {
            lines.into_iter().map(|line| format!("{mark} {line}\n")).collect::<String>()
        };
        let difference = marked('+', found.difference(&pinned).collect())
            + &marked('-', pinned.difference(&found).collect());
        if !difference.is_empty() {
            let stop = failed(format!("the tree of {consumer} as in {}", file.display()), difference);
            return Err(
                stop.by_hand("cargo xtask conformance --case layers/consumer_trees_are_pinned --bless")
            );
        }
    }
    Ok(())
}

const SERVERS: [&str; 8] = ["axum", "hyper", "hyper-util", "tower", "actix-web", "warp", "tiny_http", "h2"];
const CLIENTS: [&str; 5] = ["reqwest", "ureq", "http", "http-body", "isahc"];
const RUNTIMES: [&str; 5] = ["tokio", "async-std", "smol", "async-io", "mio"];
/// Heavy packages, and the crate that may use each.
const LOG: [&str; 1] = ["fern"];
const METRICS: [&str; 2] = ["metrics", "metrics-exporter-prometheus"];
const DOCTOR: [&str; 3] = ["rusqlite", "libsqlite3-sys", "ed25519-dalek"];

/// A consumer of one sub-crate gets no other sub-crate and no heavy package of another one.
pub(super) fn nothing_heavy(lab: &Lab) -> Outcome {
    let forbidden: [(&str, &[&[&str]]); 5] = [
        ("log-only", &[&SERVERS, &CLIENTS, &RUNTIMES, &METRICS, &DOCTOR, &["ulid", "sysinfo"]]),
        ("metrics-only", &[&SERVERS, &LOG, &DOCTOR, &["ulid"]]),
        ("trace-only", &[&SERVERS, &CLIENTS, &LOG, &METRICS, &DOCTOR]),
        ("doctor-only", &[&["axum", "tower"], &LOG, &METRICS]),
        ("bus-module", &[&SERVERS]),
    ];
    for (consumer, lists) in forbidden {
        let tree = tree(lab, consumer, &[])?;
        let names: BTreeSet<_> = tree.iter().filter_map(|package| package.split(' ').next()).collect();
        let found: Vec<_> =
            lists.iter().flat_map(|list| list.iter()).filter(|name| names.contains(**name)).collect();
        ensure(found.is_empty(), &format!("nothing heavy under {consumer}"), found)
            .map_err(|stop| stop.by_hand(format!("cargo tree --package {consumer} --edges normal")))?;
    }
    Ok(())
}

/// Maximum number of packages in each consumer's tree, itself included.
const BUDGETS: [(&str, &[&str], usize); 5] = [
    ("obs-log", &[], 31),
    ("obs-trace", &[], 25),
    ("obs-metrics", &[], 45),
    // Those of obs-log and obs-trace, itself, and tracing-core.
    ("obs-tracing", &[], 44),
    // The present number. The goal is 110. `ConnectInfo` needs axum's feature `tokio`, which brings hyper, hyper-util and
    // mio; every node that serves axum has them anyway. Upgrades need hyper's feature `http1`, as axum's `http1` does.
    // Symbols of backtraces take eight packages in obs-log.
    ("obs-facade", &["--features", "http"], 135),
];

pub(super) fn small(lab: &Lab) -> Outcome {
    for (package, features, most) in BUDGETS {
        let size = tree(lab, package, features)?.len();
        ensure(size <= most, &format!("at most {most} packages under {package}"), size).map_err(|stop| {
            stop.by_hand(format!("cargo tree --package {package} --edges normal {}", features.join(" ")))
        })?;
    }
    Ok(())
}
