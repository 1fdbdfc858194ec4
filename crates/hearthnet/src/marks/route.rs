//! `POST /trace/keep`: a peer asks to keep traces of which a part failed.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use obs_facade::http::keep;
use obs_facade::trace::{Marker, TraceId};
use serde_json::{Value, json};

use super::names::PATH;
use crate::bus::{Bus, Signer};
use crate::wire;
use crate::wire::caller::Caller;
use crate::wire::error::{CallError, Code};

/// Returns the route.
pub(crate) fn routes(bus: Arc<Bus>) -> Router {
    Router::new().route(PATH, post(take)).with_state(bus)
}

async fn take(
    State(bus): State<Arc<Bus>>,
    ConnectInfo(remote): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match marked(&bus, remote, &headers, body).await {
        Ok(left) => wire::json(&json!({ "left": left })),
        Err(error) => error.into_response(),
    }
}

/// Keeps the traces that the request names. Returns the IDs that it did not keep.
async fn marked(
    bus: &Bus,
    remote: SocketAddr,
    headers: &HeaderMap,
    body: Body,
) -> Result<Vec<TraceId>, CallError> {
    let caller = Caller::of(headers, remote.ip());
    let (signer, body) = bus.prove_request(headers, &caller, PATH, body).await?;
    let ids = ids(&body)?;
    // A look through the ring takes up to a millisecond.
    let kept = tokio::task::spawn_blocking(move || {
        let marker = match &signer {
            Signer::Peer(id) => Marker::peer(id),
            Signer::Stranger(id) => Marker::stranger(id),
        };
        keep::receive(marker, &ids)
    });
    kept.await.map_err(|_| Code::INTERNAL_ERROR.because("the traces cannot be looked up"))
}

fn ids(body: &Value) -> Result<Vec<TraceId>, CallError> {
    let mismatch = || {
        Code::SCHEMA_MISMATCH.because(format!("ids: expected a list of at most {} trace IDs", keep::MAX_IDS))
    };
    let ids = body["ids"].as_array().filter(|ids| ids.len() <= keep::MAX_IDS).ok_or_else(mismatch)?;
    ids.iter().map(|id| id.as_str().and_then(|id| id.parse().ok()).ok_or_else(mismatch)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_names_at_most_256_trace_ids() {
        let of = |count: usize| json!({ "ids": (0..count).map(|_| TraceId::generate()).collect::<Vec<_>>() });
        assert_eq!(ids(&of(0)).unwrap(), []);
        assert_eq!(ids(&of(keep::MAX_IDS)).unwrap().len(), keep::MAX_IDS);
        let malformed =
            [of(keep::MAX_IDS + 1), json!({}), json!([]), json!({ "ids": [7] }), json!({ "ids": ["x"] })];
        for body in malformed {
            assert_eq!(ids(&body).unwrap_err().code, Code::SCHEMA_MISMATCH, "{body}");
        }
    }
}
