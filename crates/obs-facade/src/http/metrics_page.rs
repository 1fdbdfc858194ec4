//! `GET /metrics`: rendered off the runtime, one render at a time (M5, M11).

use std::io::Write;
use std::sync::{Arc, LazyLock};

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};
use obs_metrics::Format;
use tokio::sync::Semaphore;

use super::accept::accepts_encoding;

/// A page costs a thread of the blocking pool while it is rendered; scrapers that come meanwhile wait
/// for their turn instead of taking one each.
static TURN: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(1)));

pub(super) async fn page(headers: HeaderMap) -> Response {
    let format = Format::negotiate(joined(&headers, ACCEPT).as_deref());
    let gzip = accepts_encoding(joined(&headers, ACCEPT_ENCODING).as_deref(), "gzip");
    let Ok(turn) = TURN.clone().acquire_owned().await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let rendered = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        render(format, gzip)
    });
    match rendered.await {
        Ok((body, encoded)) => respond(format, body, encoded),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// The page and whether it is compressed.
fn render(format: Format, gzip: bool) -> (Bytes, bool) {
    let text = obs_metrics::render(format);
    if !gzip {
        return (text.into(), false);
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(text.len() / 8), Compression::fast());
    match encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish()) {
        Ok(compressed) => (compressed.into(), true),
        // Writing to memory does not fail; were it to, the plain page is still an answer.
        Err(_) => (text.into(), false),
    }
}

fn respond(format: Format, body: Bytes, gzip: bool) -> Response {
    let mut response = Response::new(body.into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    headers.insert(VARY, HeaderValue::from_static("Accept, Accept-Encoding"));
    if gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// A list header may come as several lines; they read as one list (RFC 9110 §5.3).
fn joined(headers: &HeaderMap, name: http::HeaderName) -> Option<String> {
    let values: Vec<&str> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    (!values.is_empty()).then(|| values.join(","))
}
