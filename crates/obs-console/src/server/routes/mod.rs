//! Routes of the API, version 1.

mod data;
mod download;
mod login;
mod queries;
mod tail;
mod writes;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, delete, get, post};
use http::StatusCode;

use super::console::Console;
use super::guard;
use crate::refused::Refused;

/// Returns the routes of the API with their guards.
pub(super) fn api(console: &Arc<Console>) -> Router<Arc<Console>> {
    let for_viewers = Router::new()
        .route("/console/api/v1/overview", get(data::overview))
        .route("/console/api/v1/series", get(data::series))
        .route("/console/api/v1/traces", get(data::traces))
        .route("/console/api/v1/traces/{id}", get(data::trace))
        .route("/console/api/v1/logs", get(data::logs))
        .route("/console/api/v1/logs/download", get(download::logs))
        .route("/console/api/v1/logs/tail", get(tail::tail))
        .route("/console/api/v1/metrics", get(data::metrics))
        .route("/console/api/v1/doctor", get(data::doctor))
        .route("/console/api/v1/doctor/run", post(writes::run_doctor))
        .route("/console/api/v1/problems", get(data::problems))
        .route("/console/api/v1/problems/{id}/mute", post(writes::mute))
        .route("/console/api/v1/peers", get(data::peers))
        .route("/console/api/v1/sessions", get(login::sessions))
        .route("/console/api/v1/sessions/{id}", delete(login::end_session))
        .method_not_allowed_fallback(method_not_allowed)
        .route("/console/api", any(not_found))
        .route("/console/api/{*path}", any(not_found))
        .layer(from_fn_with_state(console.clone(), guard::viewer));
    let for_all = Router::new()
        .route("/console/api/v1/session", post(login::open_session))
        .method_not_allowed_fallback(method_not_allowed);
    for_viewers.merge(for_all).layer(from_fn_with_state(console.clone(), guard::api))
}

async fn not_found() -> Refused {
    Refused::not_found("the API has no such address; see docs/console-api.md")
}

async fn method_not_allowed() -> Refused {
    Refused::new(StatusCode::METHOD_NOT_ALLOWED, "the address has no such method; see docs/console-api.md")
}
