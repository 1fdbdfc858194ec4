//! Routes of sessions.

use std::sync::Arc;

use axum::extract::{Extension, Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use super::queries::{self, Id};
use super::writes;
use crate::access::{Caller, Viewer};
use crate::api::{Login, Sessions};
use crate::refused::Refused;
use crate::server::answer::{Json, with_cookie};
use crate::server::console::Console;

pub(super) async fn open_session(
    State(console): State<Arc<Console>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Refused> {
    let (request, body) = request.into_parts();
    queries::none(&request.uri)?;
    let Login { token } = writes::read(body).await?;
    let on_thread = console.clone();
    let opened = console.look_ups.run(move || on_thread.gate.log_in(&caller, token.trim())).await??;
    Ok(with_cookie(Json::of(&opened.session, false)?.into_response(), &opened.cookie))
}

pub(super) async fn sessions(
    State(console): State<Arc<Console>>,
    Extension(viewer): Extension<Viewer>,
    request: Request,
) -> Result<Json, Refused> {
    queries::none(request.uri())?;
    Json::of(&Sessions { sessions: console.gate.sessions(viewer) }, false)
}

pub(super) async fn end_session(
    State(console): State<Arc<Console>>,
    Extension(viewer): Extension<Viewer>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
    request: Request,
) -> Result<Response, Refused> {
    queries::none(request.uri())?;
    let id = id.parse().map_err(|_| Refused::bad_request("the ID of a session is a number"))?;
    let cookie = console.gate.end(id, viewer, caller.host())?;
    let response = StatusCode::NO_CONTENT.into_response();
    Ok(match cookie {
        Some(cookie) => with_cookie(response, &cookie),
        None => response,
    })
}
