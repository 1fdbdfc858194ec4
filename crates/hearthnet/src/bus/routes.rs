//! Routes that other nodes call.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};

use super::state::Bus;
use super::{call, callers, failure, manifest};
use crate::wire::caller::Caller;
use crate::wire::error::{CallError, Code};

/// Returns the routes for calls and for the manifest, with an error of the bus for every other request.
pub(crate) fn routes(bus: Arc<Bus>) -> Router {
    Router::new()
        .route("/bus/v1/call", post(call::handle))
        .route("/manifest", get(manifest::serve))
        // axum's own answers for these two have no body, and callers expect an error of the bus.
        .fallback(async |request: Request| no_such_route(&request.into_parts().0))
        .method_not_allowed_fallback(|request: Request| async {
            let error = Code::BAD_REQUEST.because("the route does not allow this method");
            refused(&request.into_parts().0, error.with_status(StatusCode::METHOD_NOT_ALLOWED))
        })
        .with_state(bus)
}

/// Returns the routes for callers on this machine. The caller hides them from others.
pub(crate) fn local_routes(bus: &Bus) -> Router {
    callers::routes(bus.callers.clone())
}

/// Returns the answer to a request for a path that this node does not serve.
pub(crate) fn no_such_route(request: &Parts) -> Response {
    refused(request, Code::NOT_FOUND.because("no such route")).into_response()
}

/// Refuses a request that may name a capability, which makes it a call.
fn refused(request: &Parts, error: CallError) -> CallError {
    // The transport server puts the address there.
    if let Some(ConnectInfo(remote)) = request.extensions.get::<ConnectInfo<SocketAddr>>() {
        let caller = Caller::of(&request.headers, remote.ip());
        caller.name_on_done_line();
        failure::record("unknown", &error, &caller);
    }
    error
}
