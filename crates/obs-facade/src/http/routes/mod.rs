//! Routes that observability adds to a node's transport server.

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

use self::query::RecentQuery;
use super::json_response::{json_error, json_response};

type Bus = Arc<dyn CapabilityBus>;

/// Returns the router to merge into the transport server.
///
/// | route | response |
/// |---|---|
/// | `GET /health` | 200 while the process is alive, with the node's ID |
/// | `GET /ready` | 200 with at least one capability and one peer, else 503 and the reasons; the peers by ID. A bus that [expects no peers](CapabilityBus::expects_peers) needs none |
/// | `GET /metrics` | the Prometheus page as text, OpenMetrics or protobuf by `Accept`, with gzip by `Accept-Encoding`; `?histograms=vmrange` for VictoriaMetrics |
/// | `GET /trace/recent?n=&capability=&status=&min_ms=&id=&sort=&span_ids=` | completed traces, newest first |
/// | `GET /trace/active` | traces that have begun and not ended |
///
/// `status` takes a status, or `failed` for every error code and panics. `id` takes a trace ID, its beginning, its end or
/// both (`01HXR3…K0JD`). `sort` is `newest` or `slowest`. With `span_ids=true` each trace has `span_id` and
/// `parent_span_id`, and each span its `span_id`, so that the parts of several nodes can be joined.
///
/// The routes see the node through `bus`. Bad query parameters get 400 and the reason. A large page of traces gets 503
/// while unread pages take 64 MiB together.
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
    let expects_peers = bus.expects_peers();
    // A node that is alone by its configuration would be restarted for ever by a manager that waits for a peer.
    let mut of_peers = Vec::new();
    let peers = names(bus.peers(), "no peer answers", &mut of_peers);
    reasons.extend(of_peers.into_iter().filter(|_| expects_peers));
    // A node that does not run has neither, for one reason.
    reasons.dedup();
    let ready = reasons.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let readiness = json!({
        "ready": ready, "reasons": reasons,
        "capabilities": capabilities, "peers": peers.len(), "peer_ids": peers,
        "expects_peers": expects_peers,
    });
    json_response(status, readiness.to_string())
}

/// Returns the names that the bus gave. An empty list and an error are added to `reasons`.
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
        Ok(RecentQuery { query, is_large, span_ids }) => {
            traces::page(is_large, move || {
                let found = obs_trace::query(&query);
                match span_ids {
                    true => traces::text(found.iter().map(|record| record.with_span_ids())),
                    false => traces::text(found.iter().map(Arc::as_ref)),
                }
            })
            .await
        }
        Err(reason) => json_error(StatusCode::BAD_REQUEST, "bad_request", &reason),
    }
}

async fn active() -> Response {
    traces::page(false, || traces::text(obs_trace::active().iter())).await
}
