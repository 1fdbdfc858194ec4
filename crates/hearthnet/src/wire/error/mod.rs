//! Error codes of the bus, the answer that carries one, and the cause for the owner of the node.

pub(crate) mod cause;
mod code_text;
pub(crate) mod redaction;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use obs_facade::http::ResultCode;
use reqwest::Url;
use serde_json::{Value, json};

use self::cause::Cause;
use self::code_text::CodeText;

/// Error code of the bus: one of those that this version defines, or a later one that a peer has sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Code {
    text: CodeText,
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
    pub(crate) const AGGREGATION_TOO_FEW_NODES: Code =
        Code::new("aggregation_too_few_nodes", StatusCode::SERVICE_UNAVAILABLE);

    const ALL: [Code; 14] = [
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
        Code::AGGREGATION_TOO_FEW_NODES,
    ];

    const fn new(text: &'static str, status: StatusCode) -> Code {
        Code { text: CodeText::Own(text), status }
    }

    /// Returns the code that is written `text`, if this version defines it.
    pub(crate) fn parse(text: &str) -> Option<Code> {
        Code::ALL.into_iter().find(|code| code.as_str() == text)
    }

    /// Returns the code that a peer has sent with this HTTP status. A well-formed code that this version does not define is
    /// kept with its status, so that a caller of a later version still reads it. Returns `None` for a malformed code.
    pub(crate) fn of_peer(text: &str, status: StatusCode) -> Option<Code> {
        let unknown = || {
            let text = CodeText::of_peer(text)?;
            let is_error = status.is_client_error() || status.is_server_error();
            Some(Code { text, status: if is_error { status } else { StatusCode::INTERNAL_SERVER_ERROR } })
        };
        Code::parse(text).or_else(unknown)
    }

    pub(crate) fn as_str(&self) -> &str {
        self.text.as_str()
    }

    /// Returns the texts of the codes that this version defines.
    pub(crate) fn defined() -> impl Iterator<Item = &'static str> {
        Code::ALL.into_iter().filter_map(|code| match code.text {
            CodeText::Own(text) => Some(text),
            CodeText::Peers { .. } => None,
        })
    }

    /// Returns whether the caller has to call differently, so that the owner of the node has nothing to mend.
    pub(crate) fn is_callers_mistake(self) -> bool {
        match self {
            // The node or a server behind it was too slow or too busy.
            Code::TIMEOUT | Code::CAPACITY_EXCEEDED => false,
            Code::NOT_IMPLEMENTED | Code::AGGREGATION_TOO_FEW_NODES => true,
            _ => self.status.is_client_error(),
        }
    }

    /// Returns whether this version defines the code.
    pub(crate) fn is_defined(&self) -> bool {
        matches!(self.text, CodeText::Own(_))
    }

    pub(crate) fn because(self, message: impl Into<String>) -> CallError {
        CallError { code: self, message: message.into(), status: self.status, cause: Box::default() }
    }
}

/// Failure of a call, with a message for the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CallError {
    pub(crate) code: Code,
    pub(crate) message: String,
    status: StatusCode,
    // Boxed, because results with this error are returned by most functions of the bus.
    cause: Box<Cause>,
}

impl CallError {
    /// Replaces the HTTP status of the code by a more specific one.
    pub(crate) fn with_status(mut self, status: StatusCode) -> CallError {
        self.status = status;
        self
    }

    /// Adds what came back from another server, or what went wrong here, for the owner of this node. The caller does not
    /// get it.
    pub(crate) fn caused_by(mut self, text: impl Into<String>) -> CallError {
        self.cause.came_back(text.into());
        self
    }

    /// Adds the request to another server that led to the failure.
    pub(crate) fn asked(mut self, method: &str, url: &Url) -> CallError {
        self.cause.ask(method, url);
        self
    }

    /// Adds advice for the owner of this node.
    pub(crate) fn advise(mut self, advice: &'static str) -> CallError {
        self.cause.advice = Some(advice);
        self
    }

    /// Removes `secret` from the cause.
    pub(crate) fn hiding(mut self, secret: &str) -> CallError {
        self.cause.hide(secret);
        self
    }

    /// Notes that a span has the cause.
    pub(crate) fn noted(mut self) -> CallError {
        self.cause.is_on_span = true;
        self
    }

    /// Returns whether a span has the cause.
    pub(crate) fn is_noted(&self) -> bool {
        self.cause.is_on_span
    }

    /// Returns the cause in one line, for the log and for traces: bounded, and without secrets and control characters.
    pub(crate) fn cause(&self) -> String {
        self.cause.line(&self.message)
    }

    /// Returns the scheme, host and port of the server that was asked.
    pub(crate) fn target(&self) -> Option<&str> {
        self.cause.target()
    }

    pub(crate) fn advice(&self) -> Option<&'static str> {
        self.cause.advice
    }

    pub(crate) fn body(&self) -> Value {
        json!({ "error": self.code.as_str(), "message": self.message })
    }
}

/// Returns the error for the part `what` of a call that is not as `allowed`.
pub(crate) fn mismatch(what: &str, allowed: &str) -> CallError {
    Code::SCHEMA_MISMATCH.because(format!("{what}: expected {allowed}"))
}

/// Seconds after which a caller that was refused as too many may try again. The budgets of callers are refilled every
/// second.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("1");

impl IntoResponse for CallError {
    fn into_response(self) -> Response {
        let mut response = (self.status, super::json(&self.body())).into_response();
        // The facade's layer records this code instead of one derived from the status. A peer's own code is on the trace
        // already, and the first code counts there.
        if let CodeText::Own(text) = self.code.text {
            response.extensions_mut().insert(ResultCode(text));
        }
        if self.status == StatusCode::TOO_MANY_REQUESTS {
            response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER_SECONDS);
        }
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
            let response = code.because("why").into_response();
            assert_eq!(response.status(), code.status);
            let is_too_many = response.status() == StatusCode::TOO_MANY_REQUESTS;
            assert_eq!(response.headers().contains_key(header::RETRY_AFTER), is_too_many);
        }
        assert_eq!(Code::parse("ok"), None);
        assert_eq!(Code::parse("cancelled"), None);
    }

    #[test]
    fn a_later_code_of_a_peer_keeps_its_text_and_its_status() {
        let of_peer = |text: &str, status: u16| Code::of_peer(text, StatusCode::from_u16(status).unwrap());
        let later = of_peer("dht_lookup_failed", 502).unwrap();
        assert!(!later.is_defined());
        let error = later.because("no node knows it");
        assert_eq!(error.body()["error"], "dht_lookup_failed");
        assert_eq!(error.into_response().status(), StatusCode::BAD_GATEWAY);
        // In a stream the status is 200.
        let response = of_peer("foo_bar", 200).unwrap().because("why").into_response();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(of_peer("timeout", 500), Some(Code::TIMEOUT));
        for malformed in ["", "Foo", "ok", "__overflow__", &"a".repeat(41)] {
            assert_eq!(of_peer(malformed, 500), None, "{malformed}");
        }
    }
}
