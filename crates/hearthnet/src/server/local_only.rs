//! Routes that only callers on this machine see.

use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::Response;
use obs_facade::http::is_local_caller;

use crate::bus;

/// Hides `routes` from callers on other machines and from pages of other sites: they get the answer to a path that this
/// node does not serve, whatever the method is.
pub(crate) fn guard(routes: Router) -> Router {
    routes.layer(middleware::from_fn(only_local))
}

async fn only_local(request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    match is_local_caller(&head) {
        true => next.run(Request::from_parts(head, body)).await,
        false => bus::no_such_route(&head),
    }
}
