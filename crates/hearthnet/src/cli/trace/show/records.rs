//! Records of a trace on one node.

use std::time::Duration;

use obs_facade::trace::IdPattern;
use serde_json::Value;

use super::part::Part;
use crate::cli::ask::{self, Bounds};
use crate::cli::node_url::NodeUrl;
use crate::cli::trace::record::Trace;
use crate::failure::Failure;

/// Maximum number of records that are asked for. Calls that share an ID are rare: a client that retries.
pub(super) const MAX_RECORDS: usize = 32;
/// Maximum size of an answer: records of 128 spans with all their fields.
const MAX_BYTES: usize = 4 << 20;

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

/// Returns the parts that these records are. A record of another form is left out.
pub(super) fn parts(records: Vec<Value>, is_running: bool, node: &str) -> Vec<Part> {
    let part = |raw: Value| {
        let trace: Trace = serde_json::from_value(raw.clone()).ok()?;
        let trace = if is_running { trace.runs() } else { trace };
        Some(Part { node: node.to_owned(), is_running, trace: trace.bounded(), raw })
    };
    records.into_iter().filter_map(part).collect()
}
