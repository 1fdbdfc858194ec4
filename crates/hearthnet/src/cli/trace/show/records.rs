//! Records of a trace on one node.

use std::time::Duration;

use obs_facade::trace::IdPattern;
use serde_json::Value;

use crate::cli::ask::{self, Bounds};
use crate::cli::node_url::NodeUrl;
use crate::failure::Failure;
use crate::trace::part::{MAX_BYTES, MAX_RECORDS};

/// Asks `node` for the completed traces whose ID has the form `id`.
pub(super) fn ask(node: &NodeUrl, id: &IdPattern, time: Duration) -> Result<Vec<Value>, Failure> {
    let bounds = Bounds { time, bytes: MAX_BYTES };
    let (n, id) = (MAX_RECORDS.to_string(), id.to_string());
    let route = |query: &[(&str, &str)]| node.route("/trace/recent", query);
    let with_ids = route(&[("n", &n), ("id", &id), ("span_ids", "true")]);
    let (answer, _) = ask::json::<Value>(node, &with_ids, bounds).or_else(|failure| {
        // A node of an earlier version refuses the parameter. Its parts cannot be joined, but shown.
        match failure.to_string().contains("unknown parameter") {
            true => ask::json(node, &route(&[("n", &n), ("id", &id)]), bounds),
            false => Err(failure),
        }
    })?;
    records(answer).ok_or_else(|| Failure::not_running(format!("the server on {node} is no HearthNet node")))
}

/// Asks `node` for the traces that run and whose ID has the form `id`.
pub(super) fn ask_running(node: &NodeUrl, id: &IdPattern, time: Duration) -> Vec<Value> {
    let bounds = Bounds { time, bytes: MAX_BYTES };
    let answer = ask::json::<Value>(node, &node.route("/trace/active", &[]), bounds);
    let mut running = answer.ok().and_then(|(answer, _)| records(answer)).unwrap_or_default();
    running.retain(|record| {
        let found = record["trace_id"].as_str().and_then(|text| text.parse().ok());
        found.is_some_and(|found| id.matches(found))
    });
    running
}

fn records(mut answer: Value) -> Option<Vec<Value>> {
    answer["traces"].as_array_mut().map(std::mem::take)
}
