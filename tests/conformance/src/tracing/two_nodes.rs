//! Two nodes that are peers of each other.

use std::time::Duration;

use serde_json::json;
use ulid::Ulid;

use super::traces;
use crate::case::{Outcome, equal, failed};
use crate::harness::free_port;
use crate::harness::home::Home;
use crate::harness::http::REQUEST_ID;
use crate::harness::node::Node;
use crate::harness::{Lab, fake_llm, wait};

/// Starts a node and a second one that offers `llm.chat`, each with the other as its peer.
fn pair(lab: &Lab) -> Outcome<(Node, Node)> {
    pair_of(Home::initialised(lab)?, Home::initialised(lab)?)
}

/// Starts the two nodes in these homes.
pub(super) fn pair_of(near: Home, far: Home) -> Outcome<(Node, Node)> {
    let (near_port, far_port) = (free_port(), free_port());
    near.configure("discovery", "static_peers", vec![format!("http://127.0.0.1:{far_port}")])?;
    far.configure("discovery", "static_peers", vec![format!("http://127.0.0.1:{near_port}")])?;
    fake_llm::configure(&far)?;
    let nodes = (Node::start_on(near, near_port)?, Node::start_on(far, far_port)?);

    // A node queries its peers every five seconds.
    let ready = |node: &Node| node.client().get("/ready").is_ok_and(|answer| answer.status == 200);
    if wait::until(Duration::from_secs(12), || ready(&nodes.0) && ready(&nodes.1)) {
        return Ok(nodes);
    }
    Err(failed("both nodes ready within 12 s", format!("{}\n{}", nodes.0.output(), nodes.1.output())))
}

/// A call through both nodes has one trace ID in both logs, in both traces and in the answer.
pub(super) fn one_id(lab: &Lab) -> Outcome {
    let (near, far) = pair(lab)?;
    let id = Ulid::generate().to_string();
    let chat = json!({"params": {"model": "tiny"}, "input": {"messages": [{"role": "user", "content": "hello"}], "stream": false}});
    let answer =
        near.client().call("llm.chat", chat.to_string().as_bytes(), &[(REQUEST_ID, &id)])?.is(200)?;
    equal(REQUEST_ID, answer.header(REQUEST_ID)?, id.as_str())?;
    let streamed_id = Ulid::generate().to_string();
    let chat =
        json!({"params": {"model": "tiny"}, "input": {"messages": [{"role": "user", "content": "hello"}]}});
    let streamed = near
        .client()
        .call("llm.chat", chat.to_string().as_bytes(), &[(REQUEST_ID, &streamed_id)])?
        .is(200)?;
    let last = streamed.events().pop().map(|(name, _)| name);
    equal("the last frame through both nodes", last.as_deref(), Some("done"))
        .map_err(|stop| streamed.shown(stop))?;

    for (name, node) in [("the near node", near), ("the far node", far)] {
        for id in [&id, &streamed_id] {
            let of_call = || -> Outcome<Vec<_>> {
                let all = traces(&node.client(), "?n=50")?;
                Ok(all.into_iter().filter(|trace| trace["trace_id"] == id.as_str()).collect())
            };
            wait::until(Duration::from_secs(2), || of_call().is_ok_and(|found| !found.is_empty()));
            let found: Vec<_> = of_call()?
                .iter()
                .map(|trace| (trace["capability"].clone(), trace["status"].clone()))
                .collect();
            equal(&format!("traces of {id} on {name}"), found, vec![(json!("llm.chat"), json!("ok"))])?;
        }
        let lines = node.stop()?.log_lines()?;
        for id in [&id, &streamed_id] {
            let done =
                lines.iter().filter(|line| line.msg() == "done" && line.trace_id() == Some(id)).count();
            equal(&format!("lines done of {id} in the log of {name}"), done, 1)?;
        }
    }
    Ok(())
}

/// A peer that has ended makes the call an error, which is recorded once. Soon it is no peer any more.
pub(super) fn peer_gone(lab: &Lab) -> Outcome {
    let (near, far) = pair(lab)?;
    drop(far);
    let id = Ulid::generate().to_string();
    let chat = json!({"params": {}, "input": {"messages": [{"role": "user", "content": "hello"}]}});
    let answer = near.client().call("llm.chat", chat.to_string().as_bytes(), &[(REQUEST_ID, &id)])?;
    equal("status of a call to a peer that is gone", answer.status, 503)
        .map_err(|stop| answer.shown(stop))?;
    let answer = answer.refuses(503, "partition")?;
    equal(REQUEST_ID, answer.header(REQUEST_ID)?, id.as_str())?;
    let found: Vec<_> = traces(&near.client(), "?n=50")?
        .into_iter()
        .filter(|trace| trace["trace_id"] == id.as_str())
        .collect();
    equal(
        "status of its trace",
        found.first().map(|trace| trace["status"].clone()),
        Some(json!("partition")),
    )?;
    let alone = || near.client().get("/ready").is_ok_and(|answer| answer.status == 503);
    if wait::until(Duration::from_secs(12), alone) {
        Ok(())
    } else {
        Err(failed("503 from /ready", "still 200"))
    }
}
