//! `GET /metrics/community`, and `POST /metrics/community/share`, by which the collecting node asks for a share.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use serde_json::json;

use super::document;
use super::federation::Federation;
use super::names::{FIGURES, SHARE};
use crate::bus::Signer;
use crate::wire;
use crate::wire::body;
use crate::wire::caller::Caller;

/// Returns the routes.
pub(crate) fn routes(federation: Arc<Federation>) -> Router {
    Router::new().route(FIGURES, get(figures)).route(SHARE, post(share)).with_state(federation)
}

/// Answers with the figures of the last tick. No request makes new ones, so asking often tells nothing more.
async fn figures(State(federation): State<Arc<Federation>>) -> Response {
    if !federation.is_enabled() {
        return not_enabled();
    }
    if !federation.collects() {
        let message = format!("this node does not collect; ask the node {}", federation.collector());
        return refusal(StatusCode::NOT_FOUND, "not_found", &message);
    }
    match federation.page() {
        Some(page) => {
            ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], page).into_response()
        }
        None => refusal(
            StatusCode::SERVICE_UNAVAILABLE,
            "aggregation_too_few_nodes",
            "too few nodes had calls in the last tick; no figure is shown of fewer than `aggregation_min_nodes`",
        ),
    }
}

/// Gives the share of this node to the node that its owner has named, and to no other.
async fn share(
    State(federation): State<Arc<Federation>>,
    ConnectInfo(remote): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if !federation.is_enabled() {
        body::discard(body).await;
        return not_enabled();
    }
    let caller = Caller::of(&headers, remote.ip());
    let signer = match federation.bus.prove_request(&headers, &caller, SHARE, body).await {
        Ok((Signer::Peer(id) | Signer::Stranger(id), _)) => id,
        Err(error) => return error.into_response(),
    };
    if signer != federation.collector() || !federation.shares() {
        let message = "the owner of this node does not share metrics with the signer of the request";
        return refusal(StatusCode::FORBIDDEN, "consent_denied", message);
    }
    match federation.own() {
        Some((period, share)) => wire::json(&document::own(&federation, period, &share)),
        None => refusal(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "no tick has passed yet"),
    }
}

fn not_enabled() -> Response {
    let message = "this node takes no part in the metrics of its community; see `[observability.federated]`";
    refusal(StatusCode::NOT_FOUND, "not_found", message)
}

fn refusal(status: StatusCode, error: &str, message: &str) -> Response {
    (status, wire::json(&json!({ "error": error, "message": message }))).into_response()
}
