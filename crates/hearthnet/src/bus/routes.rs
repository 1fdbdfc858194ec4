//! Routes that other nodes call.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};

use super::state::Bus;
use super::{call, manifest};
use crate::wire::error::Code;

/// Returns the routes for calls and for the manifest, with an error of the bus for every other request.
pub(crate) fn routes(bus: Arc<Bus>) -> Router {
    Router::new()
        .route("/bus/v1/call", post(call::handle))
        .route("/manifest", get(manifest::serve))
        // axum's own answers for these two have no body, and callers expect an error of the bus.
        .fallback(|| async { Code::NOT_FOUND.because("no such route") })
        .method_not_allowed_fallback(|| async {
            let refused = Code::BAD_REQUEST.because("the route does not allow this method");
            refused.with_status(StatusCode::METHOD_NOT_ALLOWED)
        })
        .with_state(bus)
}
