//! Routes that change something.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::de::DeserializeOwned;

use super::queries::{self, Id};
use crate::api::Mute;
use crate::refused::Refused;
use crate::server::console::Console;

/// Longest body, in bytes.
const LONGEST_BODY: usize = 4 << 10;

/// Longest wait for a body.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

pub(super) async fn run_doctor(
    State(console): State<Arc<Console>>,
    request: Request,
) -> Result<Response, Refused> {
    let request = request.into_parts().0;
    queries::none(&request.uri)?;
    console.answer(&console.slow_calls, &request, |source| source.doctor(true)).await
}

pub(super) async fn mute(
    State(console): State<Arc<Console>>,
    Id(problem): Id,
    request: Request,
) -> Result<Response, Refused> {
    let (request, body) = request.into_parts();
    queries::none(&request.uri)?;
    let Mute { until } = read(body).await?;
    let source = console.source.clone();
    console.calls.run(move || source.mute(&problem, until)).await??;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Reads a short body of JSON.
pub(super) async fn read<T: DeserializeOwned>(body: Body) -> Result<T, Refused> {
    let read = tokio::time::timeout(LONGEST_WAIT, axum::body::to_bytes(body, LONGEST_BODY));
    let Ok(Ok(bytes)) = read.await else {
        return Err(Refused::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body has more than {LONGEST_BODY} bytes, or it did not come in time"),
        ));
    };
    // The parser's message can repeat text of the body, so that it is not passed on.
    serde_json::from_slice(&bytes).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Refused::bad_request(format!(
            "the body is not the JSON of this request (line {line}, column {column})"
        ))
    })
}
