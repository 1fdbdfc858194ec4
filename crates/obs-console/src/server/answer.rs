//! Answers of the API.

use std::io::Write;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER, VARY};
use http::header::{SET_COOKIE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;

use crate::api::Refusal;
use crate::refused::Refused;

/// Shortest body that is compressed, in bytes. A shorter one fits into one packet anyway.
const SHORTEST_COMPRESSED: usize = 1024;

/// Level of compression. JSON of traces shrinks to a tenth at the lowest level, which takes a fifth of the default's time.
const LEVEL: Compression = Compression::new(1);

/// Body of an answer, ready to be sent.
#[derive(Debug)]
pub(super) struct Json {
    bytes: Vec<u8>,
    is_compressed: bool,
}

impl Json {
    /// Writes a value as JSON, compressed if it is long and the caller accepts it.
    pub(super) fn of(value: &impl Serialize, accepts_gzip: bool) -> Result<Self, Refused> {
        let bytes = serde_json::to_vec(value).map_err(|error| {
            Refused::new(StatusCode::INTERNAL_SERVER_ERROR, format!("the answer is not JSON: {error}"))
        })?;
        if !accepts_gzip || bytes.len() < SHORTEST_COMPRESSED {
            return Ok(Json { bytes, is_compressed: false });
        }
        Ok(match gzip(&bytes, LEVEL) {
            Ok(bytes) => Json { bytes, is_compressed: true },
            Err(_) => Json { bytes, is_compressed: false },
        })
    }
}

impl IntoResponse for Json {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.bytes));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
        if self.is_compressed {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let refusal = Refusal { error: self.name().to_owned(), message: self.message.clone().into_owned() };
        let mut response = match Json::of(&refusal, false) {
            Ok(json) => json.into_response(),
            Err(_) => Response::default(),
        };
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            // Browsers show no dialog for a scheme that they do not know.
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("HearthNet-Console"));
        }
        response
    }
}

/// Adds a cookie to a response.
pub(super) fn with_cookie(mut response: Response, cookie: &str) -> Response {
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

/// Compresses bytes.
pub(super) fn gzip(bytes: &[u8], level: Compression) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), level);
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// Returns whether a caller accepts gzip. A weight of zero refuses it.
pub(super) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let all = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, "q=1"));
        let weight = weight.trim().strip_prefix("q=").and_then(|weight| weight.parse::<f32>().ok());
        name.trim().eq_ignore_ascii_case("gzip") && weight.is_some_and(|weight| weight > 0.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_accepted_by_name_and_weight() {
        let accepts = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, value.parse().unwrap());
            accepts_gzip(&headers)
        };
        for value in ["gzip", "GZIP", "deflate, gzip;q=0.5", "br,gzip ; q=1.0"] {
            assert!(accepts(value), "{value}");
        }
        for value in ["", "identity", "gzip;q=0", "gzip;q=0.000", "gzip;q=x", "x-gzipped", "*;q=0"] {
            assert!(!accepts(value), "{value}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
