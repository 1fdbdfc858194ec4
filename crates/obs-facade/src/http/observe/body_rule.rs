//! Responses whose body is never sent, whatever the handler returned.

use http::{Method, Response, StatusCode, header};

/// Effect of a request's method on the body of its response (RFC 9110, section 6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyRule {
    /// Any response may have a body.
    Usual,
    /// No response to `HEAD` has a body.
    Head,
    /// A successful response to `CONNECT` opens a tunnel and has no body.
    Connect,
}

impl BodyRule {
    pub(super) fn of(method: &Method) -> Self {
        match *method {
            Method::HEAD => Self::Head,
            Method::CONNECT => Self::Connect,
            _ => Self::Usual,
        }
    }

    /// Returns the number of body bytes that a server sends, where the head of the response decides it.
    pub(super) fn length<B>(self, response: &Response<B>) -> Option<u64> {
        if self.has_body(response.status()) { declared_length(response) } else { Some(0) }
    }

    fn has_body(self, status: StatusCode) -> bool {
        let is_allowed = match self {
            Self::Usual => true,
            Self::Head => false,
            Self::Connect => !status.is_success(),
        };
        is_allowed
            && !status.is_informational()
            && !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
    }
}

fn declared_length<B>(response: &Response<B>) -> Option<u64> {
    response.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
