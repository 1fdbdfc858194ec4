//! Guards before the routes.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::console::Console;
use crate::access::{Caller, Viewer};
use crate::refused::Refused;

/// Lets a request for the page through that may have it.
pub(super) async fn page(State(console): State<Arc<Console>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    match console.gate.admit_to_page(&parts) {
        Ok(_) => next.run(Request::from_parts(parts, body)).await,
        Err(refused) => refused.into_response(),
    }
}

/// Lets a request of the API through that says where it comes from, with its [`Caller`] as an extension.
pub(super) async fn api(State(console): State<Arc<Console>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    match console.gate.examine(&parts) {
        Ok(caller) => {
            parts.extensions.insert(caller);
            next.run(Request::from_parts(parts, body)).await
        }
        Err(refused) => refused.into_response(),
    }
}

/// Lets a caller through who may see the node, with its [`Viewer`] as an extension.
pub(super) async fn viewer(
    State(console): State<Arc<Console>>,
    mut request: Request,
    next: Next,
) -> Response {
    let caller = request.extensions().get::<Caller>().cloned();
    let admitted = match caller {
        Some(caller) => admit(&console, caller).await,
        None => Err(Refused::forbidden("the request was not examined")),
    };
    match admitted {
        Ok(viewer) => {
            request.extensions_mut().insert(viewer);
            next.run(request).await
        }
        Err(refused) => refused.into_response(),
    }
}

async fn admit(console: &Arc<Console>, caller: Caller) -> Result<Viewer, Refused> {
    if !caller.is_looked_up() {
        return console.gate.admit(&caller);
    }
    let on_thread = console.clone();
    console.look_ups.run(move || on_thread.gate.admit(&caller)).await?
}
