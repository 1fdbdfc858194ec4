//! `GET` and `PUT /log/level`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, put};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::change::{Change, DEFAULT_PERIOD, Refusal, RefusalKind};
use super::live::LiveLevels;
use crate::server::{caller_name, own_user};
use crate::wire;

/// Maximum size of a body. The text of the levels is a quarter of it at most.
const MAX_BODY_BYTES: usize = 4096;
/// Maximum time for the body. A caller that stops in between would hold the connection otherwise.
const BODY_PATIENCE: Duration = Duration::from_secs(5);

/// Returns the route of a node with this port. A change answers its own user and root, because it can hide lines from them. The
/// caller hides the route from other machines.
pub(crate) fn routes(port: u16) -> Router {
    let levels = Arc::<LiveLevels>::default();
    let changes = Router::new().route("/log/level", put(change)).with_state(Arc::clone(&levels));
    let shown = Router::new().route("/log/level", get(show)).with_state(levels);
    shown.merge(own_user::guard(changes, port, "use that user or root"))
}

async fn show(State(levels): State<Arc<LiveLevels>>) -> Response {
    answer(StatusCode::OK, &levels.report())
}

/// Body of the request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    level: Option<String>,
    for_seconds: Option<u64>,
    #[serde(default)]
    reset: bool,
}

async fn change(
    State(levels): State<Arc<LiveLevels>>,
    ConnectInfo(remote): ConnectInfo<SocketAddr>,
    body: Body,
) -> Response {
    let wish = match read(body).await {
        Ok(wish) => wish,
        Err(refusal) => return refused(&refusal),
    };
    // The name comes from files, and a disk may be slow.
    let by = tokio::task::spawn_blocking(move || caller_name::describe(remote)).await;
    let by = by.unwrap_or_else(|_| remote.to_string());
    match wish {
        Some(change) => levels.change(&change, &by),
        None => levels.reset(&by),
    }
    answer(StatusCode::OK, &levels.report())
}

/// Reads the wish: a change, or none for a reset.
async fn read(body: Body) -> Result<Option<Change>, Refusal> {
    let allowed = "send {\"level\": \"hearthnet.bus=debug\", \"for_seconds\": 600} or {\"reset\": true}";
    let bad = |problem: String| Refusal::new(RefusalKind::BadRequest, problem, allowed);
    let bytes = timeout(BODY_PATIENCE, to_bytes(body, MAX_BODY_BYTES)).await;
    let bytes = bytes
        .map_err(|_| bad("the body did not arrive in time".to_owned()))?
        .map_err(|_| bad(format!("the body is broken or larger than {MAX_BODY_BYTES} bytes")))?;
    // The text of serde names fields of the body, which is the caller's own.
    let wish: Wish =
        serde_json::from_slice(&bytes).map_err(|error| bad(format!("the body is wrong: {error}")))?;
    match wish {
        Wish { level: None, for_seconds: None, reset: true } => Ok(None),
        Wish { level: Some(level), for_seconds, reset: false } => {
            Change::new(&level, for_seconds.map_or(DEFAULT_PERIOD, Duration::from_secs)).map(Some)
        }
        _ => Err(bad("the body has neither `level` nor `reset`, or both".to_owned())),
    }
}

fn refused(refusal: &Refusal) -> Response {
    let body = json!({
        "error": "bad_request", "message": refusal.to_string(), "kind": refusal.kind.as_str(),
        "problem": refusal.problem, "advice": refusal.advice, "did_you_mean": refusal.meant,
    });
    answer(StatusCode::BAD_REQUEST, &body)
}

fn answer(status: StatusCode, body: &Value) -> Response {
    let mut response = (status, wire::json(body)).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
