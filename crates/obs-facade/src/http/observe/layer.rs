//! The request layer: one trace, one `done` line and one count for each bus call.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::extract::ConnectInfo;
use http::{Method, Request, Response};
use obs_trace::Value;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::body::ObservedBody;
use super::body_rule::BodyRule;
use super::call::Call;
use super::headers::{CAPABILITY, REQUEST_ID};
use super::{outcome, propagate};

/// Returns the layer that observes bus calls.
///
/// A request is a bus call when it is a `POST /bus/v1/call` or names a capability in
/// `X-HearthNet-Capability`. Every other request passes unchanged. For a bus call the layer
/// - takes the trace ID from `X-HearthNet-Request-Id`, else the trace ID and the caller's span from the W3C header
///   `traceparent`. When neither header is present exactly once and well-formed, the call gets a fresh ID, which
///   `hearthnet_request_ids_fresh_total` counts; a refused value is never echoed;
/// - runs the handler, and then the response's body, inside the trace's scope;
/// - counts a streamed body in `hearthnet_active_streams` while it is open;
/// - ends the trace at the end of the body, which writes the record into the ring and the `done` line. Then it
///   observes `hearthnet_requests_total` and the request durations inside the trace, so that exemplars carry its ID;
/// - repeats the ID in the response.
///
/// The `done` line has the caller's `address` if the server puts [`ConnectInfo<SocketAddr>`] into the extensions of the
/// request, as axum does with `into_make_service_with_connect_info`.
///
/// A handler or body that is dropped before its end is recorded as `cancelled`, and one that unwinds as `panic`. Each
/// call is recorded exactly once. A call whose response has no body on the wire ends with the response's head: the
/// response to `HEAD`, a 204 or 304, an upgrade, and `Content-Length: 0`.
///
/// ```
/// let app: axum::Router = axum::Router::new()
///     .route("/bus/v1/call", axum::routing::post(|| async { "answer" }))
///     .layer(obs_facade::http::layer());
/// ```
pub fn layer() -> ObserveLayer {
    ObserveLayer { _private: () }
}

/// Layer that observes bus calls; made by [`layer()`].
#[derive(Clone, Debug)]
pub struct ObserveLayer {
    _private: (),
}

impl<S> Layer<S> for ObserveLayer {
    type Service = Observe<S>;

    fn layer(&self, inner: S) -> Observe<S> {
        Observe { inner }
    }
}

/// Service that observes the bus calls of `S`; made by [`layer()`].
#[derive(Clone, Debug)]
pub struct Observe<S> {
    inner: S,
}

impl<S, B, R> Service<Request<B>> for Observe<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: http_body::Body,
{
    type Response = Response<ObservedBody<R>>;
    type Error = S::Error;
    type Future = ObserveFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> ObserveFuture<S::Future> {
        let call = begin(&request);
        // Taken before the handler consumes the request.
        let rule = BodyRule::of(request.method());
        let inner = match &call {
            // Some services do work in `call` already, before their future is polled.
            Some(call) => call.enter(|| self.inner.call(request)),
            None => self.inner.call(request),
        };
        ObserveFuture { inner, call, rule }
    }
}

fn begin<B>(request: &Request<B>) -> Option<Call> {
    let capability = capability(request)?;
    let trace = match propagate::remote(request.headers()) {
        Some(remote) => obs_trace::new_trace_from(remote, capability),
        None => obs_trace::new_trace(capability),
    };
    if let Some(ConnectInfo(address)) = request.extensions().get::<ConnectInfo<SocketAddr>>() {
        // Canonical, because a dual-stack socket shows IPv4 callers as IPv4-mapped IPv6 addresses.
        trace.set_done_field("address", Value::display(address.ip().to_canonical()));
    }
    Some(Call::begin(trace))
}

/// Capability of a call whose header is missing or not text.
const UNNAMED: &str = "unknown";

fn capability<B>(request: &Request<B>) -> Option<&str> {
    let is_call = request.method() == Method::POST && request.uri().path() == "/bus/v1/call";
    match request.headers().get(CAPABILITY) {
        Some(name) => Some(name.to_str().ok().filter(|name| !name.is_empty()).unwrap_or(UNNAMED)),
        None => is_call.then_some(UNNAMED),
    }
}

pin_project! {
    /// Future of [`Observe`], which resolves to the response.
    #[derive(Debug)]
    pub struct ObserveFuture<F> {
        #[pin]
        inner: F,
        call: Option<Call>,
        rule: BodyRule,
    }
}

impl<F, R, E> Future for ObserveFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: http_body::Body,
{
    type Output = Result<Response<ObservedBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = match this.call {
            Some(call) => ready!(call.enter(|| this.inner.poll(cx))),
            None => ready!(this.inner.poll(cx)),
        };
        Poll::Ready(match result {
            Ok(response) => Ok(observe_body(response, this.call.take(), *this.rule)),
            Err(error) => {
                if let Some(call) = this.call.take() {
                    // The service returned an error instead of a response. The server will close the connection or
                    // send a 500.
                    call.trace().fail("internal_error");
                    call.end();
                }
                Err(error)
            }
        })
    }
}

fn observe_body<R: http_body::Body>(
    mut response: Response<R>,
    call: Option<Call>,
    rule: BodyRule,
) -> Response<ObservedBody<R>> {
    let length = rule.length(&response);
    let call = call.map(|mut call| {
        outcome::note_head(call.trace(), &response);
        // Replaces a value that the handler set: the trace's ID is the one in the logs.
        response.headers_mut().insert(REQUEST_ID, propagate::header_value(call.trace().id()));
        // A stream without a body on the wire would never be closed by its end.
        if length != Some(0) && is_event_stream(&response) {
            call.open_stream();
        }
        call
    });
    response.map(|body| ObservedBody::new(body, length, call))
}

fn is_event_stream<R>(response: &Response<R>) -> bool {
    response
        .headers()
        .get(http::header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"))
}
