//! The routes that observability adds to a node's transport server (F1).

mod accept;
mod metrics;
mod query;
mod traces;

use std::sync::Arc;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use obs_doctor::CapabilityBus;
use serde_json::json;

use self::query::Asked;
use self::traces::text;
use super::json_response::json_response;

type Bus = Arc<dyn CapabilityBus>;

/// The router to merge into the transport server.
///
/// | route | answer |
/// |---|---|
/// | `GET /health` | 200 while the process is alive, with the node's ID |
/// | `GET /ready` | 200 with at least one capability and one peer, else 503 and the reasons; the peers by ID |
/// | `GET /metrics` | the Prometheus page, text, OpenMetrics or protobuf by `Accept`, gzip when asked |
/// | `GET /trace/recent?n=&capability=&status=&min_ms=&id=` | completed traces, newest first |
/// | `GET /trace/active` | traces that have begun and not ended |
///
/// `bus` is how the routes see the node. Bad query parameters get 400 and the reason. Large pages of traces get 503 where
/// what others are reading of them takes 64 MiB already.
pub fn router(bus: Arc<dyn CapabilityBus>) -> Router {
    Router::new()
        .route("/health", get(health))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics::page))
        .route("/trace/recent", get(recent))
        .route("/trace/active", get(active))
        .with_state(bus)
}

async fn health(State(bus): State<Bus>) -> Response {
    let health = json!({ "status": "ok", "node_id": bus.node_id(), "version": env!("CARGO_PKG_VERSION") });
    json_response(StatusCode::OK, health.to_string())
}

async fn ready(State(bus): State<Bus>) -> Response {
    let mut reasons = Vec::new();
    let capabilities = names(bus.capabilities(), "no capability is registered", &mut reasons).len();
    let peers = names(bus.peers(), "no peer answers", &mut reasons);
    let ready = reasons.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let readiness = json!({
        "ready": ready, "reasons": reasons,
        "capabilities": capabilities, "peers": peers.len(), "peer_ids": peers,
    });
    json_response(status, readiness.to_string())
}

/// The names that the bus gave; none, or no answer, is a reason not to be ready.
fn names(
    names: Result<Vec<String>, obs_doctor::BusError>,
    when_none: &str,
    reasons: &mut Vec<String>,
) -> Vec<String> {
    match names {
        Ok(names) if names.is_empty() => reasons.push(when_none.to_owned()),
        Ok(names) => return names,
        Err(error) => reasons.push(error.to_string()),
    }
    Vec::new()
}

async fn recent(RawQuery(raw): RawQuery) -> Response {
    match query::parse(raw.as_deref().unwrap_or_default()) {
        Ok(Asked { query, is_large }) => {
            traces::page(is_large, move || text(obs_trace::query(&query).iter().map(Arc::as_ref))).await
        }
        Err(reason) => json_response(
            StatusCode::BAD_REQUEST,
            json!({ "error": "bad_request", "message": reason }).to_string(),
        ),
    }
}

async fn active() -> Response {
    traces::page(false, || text(obs_trace::active().iter())).await
}
