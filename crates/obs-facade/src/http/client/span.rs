//! Client span of one request.

use std::error::Error;
use std::sync::Arc;

use http::{HeaderMap, Method, StatusCode, Uri, header};
use obs_trace::{Span, TraceId};

use super::attempt::Attempt;
use super::failure;
use crate::http::keep;
use crate::http::observe::{Verb, inject_of, inject_traceparent};

/// Span of a request that has been sent. A drop before the outcome marks it as cancelled.
#[derive(Debug)]
pub(super) struct ClientSpan {
    span: Span,
    attempt: Option<Arc<Attempt>>,
    has_outcome: bool,
    /// Whether the server may be a node, which has a part of the trace.
    is_to_node: bool,
}

impl ClientSpan {
    /// Begins the span. `None` without a current trace.
    pub(super) fn begin(method: &Method) -> Option<ClientSpan> {
        let verb = Verb::of(method);
        let span = obs_trace::span(verb.span_name).enter();
        span.trace()?;
        span.set_field("http.request.method", verb.attribute);
        if verb.attribute != method.as_str() {
            // A method of the program's own.
            span.set_field("http.request.method_original", method.as_str());
        }
        Some(ClientSpan { span, attempt: None, has_outcome: false, is_to_node: false })
    }

    pub(super) fn trace_id(&self) -> Option<TraceId> {
        self.span.trace().map(obs_trace::Trace::id)
    }

    /// Names the server by the URI, or by the header `Host` where the URI has no host.
    pub(super) fn set_server(&self, uri: &Uri, headers: &HeaderMap) {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()?.parse().ok());
        if let Some(authority) = uri.authority().or(host.as_ref()) {
            self.set_peer(authority.host(), authority.port_u16().or(default_port(uri.scheme_str())));
        }
    }

    pub(super) fn set_peer(&self, host: &str, port: Option<u16>) {
        // An IPv6 address has brackets in a URI alone.
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        self.span.set_field("server.address", host);
        if let Some(port) = port {
            self.span.set_field("server.port", port);
        }
    }

    pub(super) fn set_attempt(&mut self, attempt: Arc<Attempt>) {
        self.set_resend_count(attempt.number());
        self.attempt = Some(attempt);
    }

    pub(super) fn set_resend_count(&self, count: u32) {
        if count > 0 {
            self.span.set_field("http.request.resend_count", count);
        }
    }

    /// Writes the trace into the headers of the request. Its server becomes a child of this span.
    pub(super) fn inject(&mut self, headers: &mut HeaderMap) {
        self.is_to_node = true;
        inject_of(&self.span, headers);
    }

    /// Writes `traceparent` into the headers of the request.
    pub(super) fn inject_traceparent(&self, headers: &mut HeaderMap) {
        inject_traceparent(&self.span, headers);
    }

    /// Ends the span with the head of the response.
    pub(super) fn end(mut self, status: StatusCode, headers: &HeaderMap) {
        self.has_outcome = true;
        if self.is_to_node {
            keep::note_response(&self.span, headers);
        }
        self.span.set_field("http.response.status_code", status.as_u16());
        if status.is_client_error() || status.is_server_error() {
            self.note_failure(status.as_str());
        }
    }

    /// Ends the span of a request that got no response.
    pub(super) fn end_with_error(mut self, error: &(dyn Error + 'static)) {
        self.has_outcome = true;
        if self.is_to_node {
            keep::mark_unanswered(&self.span);
        }
        self.span.set_field("cause", failure::cause(error));
        self.note_failure(failure::kind(error));
    }

    fn note_failure(&self, code: &str) {
        self.span.fail(code);
        if let Some(attempt) = &self.attempt {
            attempt.note_failure();
        }
    }
}

impl Drop for ClientSpan {
    fn drop(&mut self) {
        // The guard itself marks a span that ends in a panic.
        if !self.has_outcome && !std::thread::panicking() {
            self.note_failure("cancelled");
        }
    }
}

fn default_port(scheme: Option<&str>) -> Option<u16> {
    match scheme? {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    }
}
