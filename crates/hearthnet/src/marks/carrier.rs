//! Requests with marks to the configured peers.

use std::sync::Arc;
use std::time::Duration;

use axum::http::header;
use axum::http::{HeaderMap, HeaderValue};
use obs_facade::http::keep::Carrier;
use obs_facade::trace::TraceId;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::names::PATH;
use crate::bus::Bus;
use crate::wire::client;

/// Maximum time for the answer of a peer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Maximum size of an answer: all IDs of a request, and room for what a later version adds.
const MAX_ANSWER_BYTES: usize = 32 << 10;

/// Transport to the configured peers.
pub(super) struct ToPeers {
    bus: Arc<Bus>,
}

impl ToPeers {
    pub(super) fn new(bus: Arc<Bus>) -> ToPeers {
        ToPeers { bus }
    }
}

impl Carrier for ToPeers {
    /// Position of its address in the configuration.
    type Peer = usize;
    type Error = String;

    fn peer_at(&self, host: &str, port: u16) -> Option<usize> {
        self.bus.peer_at(host, port)
    }

    async fn carry(&self, peer: usize, ids: &[TraceId]) -> Result<Vec<TraceId>, String> {
        let url = self.bus.peer_url(peer).ok_or("the peer is not configured any more")?;
        let body = json!({ "ids": ids });
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.bus.sign_request(&mut headers, PATH, &body).map_err(|error| error.message)?;
        let request = self.bus.http().post(client::join(url, PATH)).headers(headers).timeout(PATIENCE);
        let response = request.body(body.to_string()).send().await.map_err(|error| client::reason(&error))?;
        match response.status() {
            StatusCode::OK => {}
            // A node of an earlier version, which keeps no trace for others.
            StatusCode::NOT_FOUND => return Ok(ids.to_vec()),
            status => return Err(format!("HTTP {}", status.as_u16())),
        }
        let answer =
            client::read(response, MAX_ANSWER_BYTES, PATIENCE).await.map_err(|error| error.cause())?;
        left(&answer, ids).ok_or_else(|| "the answer is not that of a node".to_owned())
    }
}

/// Returns the IDs that the peer did not keep by its answer. `None` if it is no answer.
fn left(answer: &[u8], sent: &[TraceId]) -> Option<Vec<TraceId>> {
    let answer: Value = serde_json::from_slice(answer).ok()?;
    let named: Vec<TraceId> =
        answer["left"].as_array()?.iter().filter_map(|id| id.as_str()?.parse().ok()).collect();
    // A peer may name anything.
    Some(sent.iter().filter(|id| named.contains(id)).copied().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_of_a_peer_is_read_with_distrust() {
        let sent = [TraceId::generate(), TraceId::generate()];
        let of = |answer: &Value| left(answer.to_string().as_bytes(), &sent);
        assert_eq!(of(&json!({ "left": [] })), Some(vec![]));
        assert_eq!(
            of(&json!({ "left": [sent[1], sent[1], TraceId::generate(), 7, "x"] })),
            Some(vec![sent[1]])
        );
        for malformed in [json!({}), json!([]), json!({ "left": "all" }), json!(null)] {
            assert_eq!(of(&malformed), None, "{malformed}");
        }
        assert_eq!(left(b"\xff", &sent), None);
    }
}
