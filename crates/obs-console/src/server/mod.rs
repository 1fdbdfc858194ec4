//! Routes of the console.

mod answer;
mod console;
mod guard;
mod headers;
mod page;
mod parameters;
mod routes;
mod stream;
mod work;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::LOCATION;
use http::{HeaderValue, StatusCode};

use self::console::Console;
use crate::access::{Mode, Settings};
use crate::refused::Refused;
use crate::source::Source;

/// Returns the routes of the console: `/console`, its page and its API. There are none if the mode is [`Mode::Off`].
///
/// The server must put the caller's address into each request as
/// [`ConnectInfo<SocketAddr>`](axum::extract::ConnectInfo), and may put a [`ConnectionUser`](crate::ConnectionUser) beside it.
/// The routes need a runtime of tokio with timers.
///
/// ```
/// use std::sync::Arc;
///
/// use obs_console::{Mode, Settings, Source, router};
///
/// fn routes(source: Arc<dyn Source>) -> axum::Router {
///     router(source, Settings::new(Mode::Local, |_| false).port(7080))
/// }
/// ```
pub fn router(source: Arc<dyn Source>, settings: Settings) -> Router {
    if settings.mode == Mode::Off {
        return Router::new();
    }
    let console = Arc::new(Console::new(source, settings));
    Router::new()
        .merge(pages(&console))
        .merge(routes::api(&console))
        .layer(map_response(headers::add))
        .with_state(console)
}

fn pages(console: &Arc<Console>) -> Router<Arc<Console>> {
    Router::new()
        .route("/console", get(to_page))
        .route("/console/", get(file))
        .route("/console/{*path}", get(file))
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn_with_state(console.clone(), guard::page))
}

/// Redirects to the page. The address is relative to the host, whose name comes from the caller.
async fn to_page() -> Response {
    let mut response = StatusCode::PERMANENT_REDIRECT.into_response();
    response.headers_mut().insert(LOCATION, HeaderValue::from_static("/console/"));
    response
}

async fn file(State(_): State<Arc<Console>>, request: Request) -> Response {
    let path = request.uri().path();
    page::response(path.strip_prefix("/console/").unwrap_or_default(), request.headers())
}

async fn method_not_allowed() -> Refused {
    Refused::new(StatusCode::METHOD_NOT_ALLOWED, "the address has no such method")
}
