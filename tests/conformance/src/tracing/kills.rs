//! Lines at a collector, of a node that is killed.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::case::{Outcome, ensure, equal, failed};
use crate::harness::bodies::Bodies;
use crate::harness::home::Home;
use crate::harness::node::Node;
use crate::harness::{Lab, oracle, wait};

/// Kills, and calls before each.
const KILLS: usize = 3;
const CALLS: usize = 100;

/// Each line of a call reaches the collector, and a kill repeats the lines of one request at most. Before one restart the day
/// file is renamed, as logrotate does.
pub(super) fn lines_of_a_killed_node(lab: &Lab) -> Outcome {
    oracle::opentelemetry_proto_is_there(lab)?;
    let collector = Bodies::start()?;
    let mut home = Home::initialised(lab)?;
    home.without_rate_limit()?;
    home.configure("observability", "otlp_endpoint", collector.address())?;
    home.configure("observability", "otlp_traces", false)?;
    home.configure("observability", "otlp_logs", true)?;
    let echo = json!({"params": {}, "input": {"text": "x"}}).to_string();
    for kill in 0..=KILLS {
        let node = Node::start(home)?;
        let client = node.client();
        let before = collector.kept_at("/v1/logs").len();
        for _ in 0..CALLS {
            client.call("experimental.echo", echo.as_bytes(), &[])?.is(200)?;
        }
        if kill == KILLS {
            node.stop()?;
            break;
        }
        // At once: the node may or may not have read the answer.
        let came = wait::until(Duration::from_secs(30), || collector.kept_at("/v1/logs").len() > before);
        ensure(came, "lines are exported within 30 s", came)?;
        home = Arc::into_inner(node.kill()).ok_or_else(|| failed("a home of its own", "it is shared"))?;
        if kill == 1 {
            for file in home.day_files()? {
                fs::rename(&file, file.with_extension("log.1"))?;
            }
        }
    }

    let (mut times, mut most) = (BTreeMap::<String, usize>::new(), 0);
    for body in collector.kept_at("/v1/logs") {
        let records = oracle::opentelemetry_records(lab, &body)?;
        most = most.max(records.len());
        for record in records.iter().filter(|record| record["body"] == "done") {
            *times.entry(record["trace_id"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
        }
    }
    equal("calls whose line came", times.len(), (KILLS + 1) * CALLS)?;
    let repeated: usize = times.values().map(|times| times - 1).sum();
    ensure(repeated <= KILLS * most, &format!("at most {KILLS} requests of {most} lines again"), repeated)?;
    ensure(times.values().all(|times| *times <= 2), "no line more than twice", times.values().max())
}
