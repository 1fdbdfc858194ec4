//! `/health` and `/ready`.

use std::time::Duration;

use crate::case::{Outcome, contains, ensure, equal, failed};
use crate::harness::Lab;
use crate::harness::home::Home;
use crate::harness::http::Client;
use crate::harness::node::Node;

/// `/health` is 200 while the process lives, and names the node.
pub(super) fn health(lab: &Lab) -> Outcome {
    let answer = Client::new(lab.base()?).get("/health")?.is(200)?;
    contains("the content type", answer.header("content-type")?, "application/json")?;
    let body = answer.json()?;
    equal("status", body["status"].as_str(), Some("ok"))?;
    ensure(body["node_id"].as_str().is_some_and(is_node_id), "a node ID of 32 bytes", &body)?;
    ensure(body["version"].as_str().is_some_and(|text| !text.is_empty()), "a version", &body)
}

fn is_node_id(text: &str) -> bool {
    use base64::Engine as _;
    let decode = |key: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(key).ok();
    text.strip_prefix("ed25519:").and_then(decode).is_some_and(|key| key.len() == 32)
}

/// `/ready` is 200 without reasons, or 503 with reasons.
pub(super) fn ready_gives_reasons(lab: &Lab) -> Outcome {
    let answer = Client::new(lab.base()?).get("/ready")?;
    let body = answer.json()?;
    let reasons = body["reasons"].as_array().map(Vec::len);
    let (capabilities, peers) = (body["capabilities"].as_u64(), body["peers"].as_u64());
    match answer.status {
        200 => {
            equal("ready", body["ready"].as_bool(), Some(true))?;
            let has_peers = peers >= Some(1) || body["expects_peers"] == false;
            ensure(capabilities >= Some(1) && has_peers, "a capability, and a peer or a node alone", &body)
        }
        503 => {
            equal("ready", body["ready"].as_bool(), Some(false))?;
            ensure(reasons >= Some(1), "at least one reason", &body)?;
            ensure(capabilities.is_some() && peers.is_some(), "how many capabilities and peers", &body)
        }
        other => Err(failed("status 200 or 503", other.to_string())).map_err(|stop| answer.shown(stop)),
    }
}

/// A node alone is not ready. A node with a peer that answers is ready.
pub(super) fn ready_needs_a_peer(lab: &Lab) -> Outcome {
    let other = Node::start(Home::initialised(lab)?)?;
    let answer = other.client().get("/ready")?.is(503)?;
    let body = answer.json()?;
    equal("peers", body["peers"].as_u64(), Some(0))?;
    contains("the reasons", &body["reasons"].to_string(), "peer")?;

    let home = Home::initialised(lab)?;
    home.configure("discovery", "static_peers", vec![other.base().to_owned()])?;
    let node = Node::start(home)?;
    let ready = || node.client().get("/ready").is_ok_and(|answer| answer.status == 200);
    crate::harness::wait::until(Duration::from_secs(10), ready);
    let body = node.client().get("/ready")?.is(200)?.json()?;
    equal("peers", body["peers"].as_u64(), Some(1))
}

/// Any other path is 404.
pub(super) fn unknown_path(lab: &Lab) -> Outcome {
    Client::new(lab.base()?).get("/no/such/path")?.is(404).map(drop)
}
