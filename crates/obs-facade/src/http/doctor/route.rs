//! `GET /doctor`.

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::AGE;
use http::{HeaderValue, StatusCode};
use obs_doctor::render;

use super::latest::LatestReport;
use crate::http::json_response::{json_error, json_response};
use crate::http::local_only::require_local_caller;

#[derive(Clone)]
struct Served {
    latest: LatestReport,
    remote: bool,
}

/// Returns the router with the one route. With `remote` it answers callers on other machines too.
pub(super) fn router(latest: LatestReport, remote: bool) -> Router {
    Router::new().route("/doctor", get(serve)).with_state(Served { latest, remote })
}

async fn serve(State(served): State<Served>, request: Request) -> Response {
    if !served.remote
        && let Err(reason) = require_local_caller(&request.into_parts().0)
    {
        let message = format!("{reason}; `[observability] doctor_remote = true` opens it to all");
        return json_error(StatusCode::FORBIDDEN, "forbidden", &message);
    }
    let Some(last) = served.latest.get().await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let mut response = json_response(StatusCode::OK, render::json(&last.report));
    response.headers_mut().insert(AGE, HeaderValue::from(last.at.elapsed().as_secs()));
    response
}
