//! Formats that nodes exchange: calls, errors, event streams, manifests and signatures, and reading them within limits
//! on size and time.

pub(crate) mod arguments;
pub(crate) mod body;
pub(crate) mod body_budget;
pub(crate) mod caller;
pub(crate) mod client;
pub(crate) mod clock;
pub(crate) mod error;
pub(crate) mod host;
pub(crate) mod manifest;
pub(crate) mod signing;
pub(crate) mod sse;

use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;

/// Version of every built-in capability.
pub(crate) const VERSION: &str = "1.0";

/// Returns a JSON answer.
pub(crate) fn json(value: &Value) -> Response {
    // Not `axum::Json`, which may fail and then answers in plain text.
    ([(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}
