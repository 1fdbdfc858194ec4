//! Error codes of the bus, and the answer that carries one.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use obs_facade::http::ResultCode;
use serde_json::{Value, json};

/// Error code of the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Code {
    text: &'static str,
    status: StatusCode,
}

impl Code {
    pub(crate) const BAD_REQUEST: Code = Code::new("bad_request", StatusCode::BAD_REQUEST);
    pub(crate) const SCHEMA_MISMATCH: Code = Code::new("schema_mismatch", StatusCode::BAD_REQUEST);
    pub(crate) const INVALID_SIGNATURE: Code = Code::new("invalid_signature", StatusCode::UNAUTHORIZED);
    pub(crate) const UNAUTHORIZED: Code = Code::new("unauthorized", StatusCode::UNAUTHORIZED);
    pub(crate) const REVOKED: Code = Code::new("revoked", StatusCode::FORBIDDEN);
    pub(crate) const NOT_FOUND: Code = Code::new("not_found", StatusCode::NOT_FOUND);
    pub(crate) const TIMEOUT: Code = Code::new("timeout", StatusCode::REQUEST_TIMEOUT);
    pub(crate) const EXPIRED: Code = Code::new("expired", StatusCode::GONE);
    pub(crate) const RATE_LIMITED: Code = Code::new("rate_limited", StatusCode::TOO_MANY_REQUESTS);
    pub(crate) const CAPACITY_EXCEEDED: Code = Code::new("capacity_exceeded", StatusCode::TOO_MANY_REQUESTS);
    pub(crate) const INTERNAL_ERROR: Code = Code::new("internal_error", StatusCode::INTERNAL_SERVER_ERROR);
    pub(crate) const NOT_IMPLEMENTED: Code = Code::new("not_implemented", StatusCode::NOT_IMPLEMENTED);
    pub(crate) const PARTITION: Code = Code::new("partition", StatusCode::SERVICE_UNAVAILABLE);

    const ALL: [Code; 13] = [
        Code::BAD_REQUEST,
        Code::SCHEMA_MISMATCH,
        Code::INVALID_SIGNATURE,
        Code::UNAUTHORIZED,
        Code::REVOKED,
        Code::NOT_FOUND,
        Code::TIMEOUT,
        Code::EXPIRED,
        Code::RATE_LIMITED,
        Code::CAPACITY_EXCEEDED,
        Code::INTERNAL_ERROR,
        Code::NOT_IMPLEMENTED,
        Code::PARTITION,
    ];

    const fn new(text: &'static str, status: StatusCode) -> Code {
        Code { text, status }
    }

    /// Returns the code that is written `text`. Codes that a peer invents are not accepted.
    pub(crate) fn parse(text: &str) -> Option<Code> {
        Code::ALL.into_iter().find(|code| code.text == text)
    }

    pub(crate) fn as_str(self) -> &'static str {
        self.text
    }

    pub(crate) fn because(self, message: impl Into<String>) -> CallError {
        CallError { code: self, message: message.into(), status: self.status }
    }
}

/// Failure of a call, with a message for the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CallError {
    pub(crate) code: Code,
    pub(crate) message: String,
    status: StatusCode,
}

impl CallError {
    /// Replaces the HTTP status of the code by a more specific one.
    pub(crate) fn with_status(mut self, status: StatusCode) -> CallError {
        self.status = status;
        self
    }

    pub(crate) fn body(&self) -> Value {
        json!({ "error": self.code.text, "message": self.message })
    }
}

/// Returns the error for the part `what` of a call that is not as `allowed`.
pub(crate) fn mismatch(what: &str, allowed: &str) -> CallError {
    Code::SCHEMA_MISMATCH.because(format!("{what}: expected {allowed}"))
}

impl IntoResponse for CallError {
    fn into_response(self) -> Response {
        let mut response = (self.status, super::json(&self.body())).into_response();
        // The facade's layer records this code instead of one derived from the status.
        response.extensions_mut().insert(ResultCode(self.code.text));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_found_by_its_text_and_has_its_status() {
        for code in Code::ALL {
            assert_eq!(Code::parse(code.as_str()), Some(code));
            assert_eq!(code.because("why").into_response().status(), code.status);
        }
        assert_eq!(Code::parse("ok"), None);
        assert_eq!(Code::parse("cancelled"), None);
    }
}
