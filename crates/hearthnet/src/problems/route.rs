//! `GET /problems` and `PUT /problems/{id}`.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Path, RawQuery};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, put};
use chrono::Utc;
use obs_facade::history::problems::ProblemId;
use obs_facade::{Logger, info, problems};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::document;
use super::silence::Wish;
use crate::server::{caller_name, own_user};
use crate::wire;

static LOG: Logger = Logger::new("hearthnet::problems");

/// Maximum size of a body, which has one number or one time.
const MAX_BODY_BYTES: usize = 1024;
/// Maximum time for the body. A caller that stops in between would hold the connection otherwise.
const BODY_PATIENCE: Duration = Duration::from_secs(5);

/// Returns the routes of a node with this port. They answer its own user and root, because problems have texts of the log. The
/// caller hides them from other machines.
pub(crate) fn routes(port: u16) -> Router {
    let routes = Router::new().route("/problems", get(show)).route("/problems/{id}", put(change));
    own_user::guard(routes, port, "use that user, or the console with its token")
}

async fn show(RawQuery(query): RawQuery) -> Response {
    if query.is_some_and(|query| !query.is_empty()) {
        return refused(
            StatusCode::BAD_REQUEST,
            "/problems takes no parameters; leave out what follows the `?`",
        );
    }
    answer(StatusCode::OK, &list())
}

fn list() -> Value {
    let problems = problems();
    // A silence may be over since the last look of the node.
    problems.tick(u64::try_from(Utc::now().timestamp_millis()).unwrap_or_default());
    document::of(&problems.list(), None)
}

async fn change(
    Path(id): Path<String>,
    ConnectInfo(remote): ConnectInfo<SocketAddr>,
    body: Body,
) -> Response {
    let id: ProblemId = match id.parse() {
        Ok(id) => id,
        Err(error) => return refused(StatusCode::BAD_REQUEST, &format!("{error}")),
    };
    let until = match read(body).await.and_then(|wish| wish.until(Utc::now())) {
        Ok(until) => until,
        Err(problem) => return refused(StatusCode::BAD_REQUEST, &problem),
    };
    let is_known = match until {
        Some(until) => problems().mute(id, u64::try_from(until.timestamp_millis()).unwrap_or_default()),
        None => problems().unmute(id),
    };
    if !is_known {
        let message = format!("there is no problem {id}; `hearthnet problems --all` lists them");
        return refused(StatusCode::NOT_FOUND, &message);
    }
    // The name comes from files, and a disk may be slow.
    let by = tokio::task::spawn_blocking(move || caller_name::describe(remote)).await;
    let by = by.unwrap_or_else(|_| remote.to_string());
    match until {
        Some(until) => {
            let until = wire::clock::text(until);
            info!(logger: LOG, problem:% = id, until = until, by = by; "problem muted");
        }
        None => info!(logger: LOG, problem:% = id, by = by; "problem unmuted"),
    }
    answer(StatusCode::OK, &list())
}

async fn read(body: Body) -> Result<Wish, String> {
    let bytes = timeout(BODY_PATIENCE, to_bytes(body, MAX_BODY_BYTES)).await;
    let bytes = bytes
        .map_err(|_| "the body did not arrive in time".to_owned())?
        .map_err(|_| format!("the body is broken or larger than {MAX_BODY_BYTES} bytes"))?;
    // The text of serde names fields of the body, which is the caller's own.
    serde_json::from_slice(&bytes).map_err(|error| format!("the body is wrong: {error}"))
}

fn refused(status: StatusCode, message: &str) -> Response {
    let error = if status == StatusCode::NOT_FOUND { "not_found" } else { "bad_request" };
    answer(status, &json!({ "error": error, "message": message }))
}

fn answer(status: StatusCode, body: &Value) -> Response {
    let mut response = (status, wire::json(body)).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
