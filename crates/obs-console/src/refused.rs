//! Refusal of a request.

use std::borrow::Cow;

use http::StatusCode;

use crate::source::Failure;

/// Longest message, in bytes. A source may put text from outside into it.
const LONGEST_MESSAGE: usize = 1000;

/// Refusal of a request, with the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) status: StatusCode,
    pub(crate) message: Cow<'static, str>,
    /// Seconds after which another attempt makes sense.
    pub(crate) retry_after: Option<u64>,
}

impl Refused {
    pub(crate) fn new(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        Refused { status, message: message.into(), retry_after: None }
    }

    /// A malformed request.
    pub(crate) fn bad_request(message: impl Into<Cow<'static, str>>) -> Self {
        Refused::new(StatusCode::BAD_REQUEST, message)
    }

    /// A caller that may not do this, with or without a token.
    pub(crate) fn forbidden(message: impl Into<Cow<'static, str>>) -> Self {
        Refused::new(StatusCode::FORBIDDEN, message)
    }

    /// Data that is not there.
    pub(crate) fn not_found(message: impl Into<Cow<'static, str>>) -> Self {
        Refused::new(StatusCode::NOT_FOUND, message)
    }

    /// A console that is busy.
    pub(crate) fn busy(message: impl Into<Cow<'static, str>>) -> Self {
        Refused { retry_after: Some(1), ..Refused::new(StatusCode::SERVICE_UNAVAILABLE, message) }
    }

    /// Name of the kind of refusal, for programs.
    pub(crate) fn name(&self) -> &'static str {
        match self.status {
            StatusCode::BAD_REQUEST => "bad_request",
            StatusCode::UNAUTHORIZED => "unauthorized",
            StatusCode::FORBIDDEN => "forbidden",
            StatusCode::NOT_FOUND => "not_found",
            StatusCode::METHOD_NOT_ALLOWED => "method_not_allowed",
            StatusCode::PAYLOAD_TOO_LARGE => "payload_too_large",
            StatusCode::TOO_MANY_REQUESTS => "too_many_requests",
            StatusCode::SERVICE_UNAVAILABLE => "unavailable",
            _ => "internal",
        }
    }
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        let (status, mut message) = match failure {
            Failure::BadQuery(message) => (StatusCode::BAD_REQUEST, message),
            Failure::NotFound(message) => (StatusCode::NOT_FOUND, message),
            Failure::Unavailable(message) => (StatusCode::SERVICE_UNAVAILABLE, message),
        };
        message.truncate(message.floor_char_boundary(LONGEST_MESSAGE));
        Refused::new(status, message)
    }
}
