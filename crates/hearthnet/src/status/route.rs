//! `GET /status`.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use axum::routing::get;

use super::document;
use super::sources::Status;
use crate::wire;

/// Returns the route. The caller hides it from other machines.
pub(crate) fn routes(status: Arc<Status>) -> Router {
    Router::new().route("/status", get(serve)).with_state(status)
}

async fn serve(State(status): State<Arc<Status>>) -> Response {
    let mut response = wire::json(&document::of(&status).await);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
