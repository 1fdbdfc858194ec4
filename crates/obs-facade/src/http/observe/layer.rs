//! The request layer: one trace, one `done` line and one count for each bus call and, if asked for, each request.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::extract::ConnectInfo;
use http::{Method, Request, Response, Version};
use obs_trace::{Trace, Value};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::body::ObservedBody;
use super::body_rule::BodyRule;
use super::call::{Call, Kind};
use super::headers::{CallHeaders, REQUEST_ID};
use super::route::{Route, Routes, Verb};
use super::{outcome, propagate, upgrade};
use crate::http::keep;

/// Returns the layer that observes bus calls.
///
/// A request is a bus call when it is a `POST /bus/v1/call` or names a capability in
/// `X-HearthNet-Capability`. Every other request passes unchanged, unless [`routes`](ObserveLayer::routes) asks for it. For
/// a bus call the layer
/// - takes the trace ID from `X-HearthNet-Request-Id`, else the trace ID and the caller's span from the W3C header
///   `traceparent`. When neither header is present exactly once and well-formed, the call gets a fresh ID, which
///   `hearthnet_request_ids_fresh_total` counts; a refused value is never echoed;
/// - runs the handler, and then the response's body, inside the trace's scope;
/// - counts a body of the type `text/event-stream`, and a WebSocket, in `hearthnet_active_streams` while it is open;
/// - ends the trace at the end of the body, which writes the record into the ring and the `done` line. Then it
///   observes `hearthnet_requests_total` and the request durations inside the trace, so that exemplars carry its ID;
/// - repeats the ID in the response, and adds [`KEEP`](crate::http::keep::KEEP) if a part of the trace failed so far.
///
/// The `done` line has the caller's `address` if the server puts [`ConnectInfo<SocketAddr>`] into the extensions of the
/// request, as axum does with `into_make_service_with_connect_info`.
///
/// A handler or body that is dropped before its end is recorded as `cancelled`, and one that unwinds as `panic`. Each
/// call is recorded exactly once. A call whose response has no body on the wire ends with the response's head: the
/// response to `HEAD`, a 204 or 304, and `Content-Length: 0`. An upgrade, such as a WebSocket, is an open stream. It ends
/// when the handler drops the upgraded connection; see [`traced`](super::traced) for what the handler records.
///
/// A request that two layers see is observed by the outer one alone.
///
/// ```
/// let app: axum::Router = axum::Router::new()
///     .route("/bus/v1/call", axum::routing::post(|| async { "answer" }))
///     .layer(obs_facade::http::layer());
/// ```
pub fn layer() -> ObserveLayer {
    ObserveLayer { routes: None }
}

/// Layer that observes bus calls; made by [`layer()`].
#[derive(Clone, Debug)]
pub struct ObserveLayer {
    routes: Option<Arc<Routes>>,
}

impl ObserveLayer {
    /// Also observes every other request, as a capability that is named by `prefix`, the method and the template of the
    /// route that matched: `web:GET /items/{id}` for the prefix `web`.
    ///
    /// A request that no route matched is `web:unmatched`. A method that is not one of the nine standard ones reads
    /// `other`. So no text of a client is in a name. The names always have a label value and a place among the kept traces
    /// of their own, as if [`offer`](crate::offer) had declared them. There are at most 1 024 templates; further ones read
    /// `__overflow__`. A name of over 128 bytes is cut and ends in a hash.
    ///
    /// The headers, the trace, the counts and the end are those of a bus call; bus calls keep their names. The result is
    /// `ok` for a status 1xx to 3xx, the protocol's code for 400, 401, 403, 404, 408, 410, 429, 500, 501 and 503, and else
    /// `http_4xx` or `http_5xx`. [`ResultCode`](super::ResultCode) and `Trace::fail` set another one. The `done` line has
    /// the field `http_status`. Path, query and headers of the request are recorded nowhere.
    ///
    /// # Where the template is visible
    ///
    /// axum sets it before it calls the layers of the router that matched. So pass the layer to `Router::layer`, after the
    /// routes, nested routers (`Router::nest`) included, whose templates have the prefix of the nesting. `Router::layer`
    /// covers the fallback and 405 as well; a 405 has the template of its path. `Router::route_layer` sees matched requests
    /// only. A layer around the whole router, such as `layer.layer(router)`, runs before any match, so there every request
    /// is `unmatched`. The same holds outside of a `Router::nest_service`: put the layer into the service.
    ///
    /// Routes that are merged after the layer are not observed. Merge [`router`](crate::http::router) last, to leave
    /// `/metrics` and the others out.
    ///
    /// ```
    /// use axum::routing::get;
    ///
    /// let app: axum::Router = axum::Router::new()
    ///     .route("/items/{id}", get(|| async { "item" }))
    ///     .layer(obs_facade::http::layer().routes("web"));
    /// ```
    #[must_use]
    pub fn routes(self, prefix: &str) -> ObserveLayer {
        ObserveLayer { routes: Some(Arc::new(Routes::new(prefix))) }
    }
}

impl<S> Layer<S> for ObserveLayer {
    type Service = Observe<S>;

    fn layer(&self, inner: S) -> Observe<S> {
        Observe { inner, routes: self.routes.clone() }
    }
}

/// Service that observes the requests of `S`; made by [`layer()`].
#[derive(Clone, Debug)]
pub struct Observe<S> {
    inner: S,
    routes: Option<Arc<Routes>>,
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

    fn call(&mut self, mut request: Request<B>) -> ObserveFuture<S::Future> {
        let call = begin(&mut request, self.routes.as_deref());
        // Taken before the handler consumes the request.
        let rule = BodyRule::of(request.method());
        let upgrade = call.as_ref().and_then(|_| upgrade::Pending::replace(&mut request));
        let inner = match &call {
            // Some services do work in `call` already, before their future is polled.
            Some(call) => call.enter(|| self.inner.call(request)),
            None => self.inner.call(request),
        };
        ObserveFuture { inner: Some(inner), call, rule, upgrade }
    }
}

/// Mark of a request that a layer observes, in its extensions. A second layer lets it pass.
#[derive(Clone)]
struct Observed;

fn begin<B>(request: &mut Request<B>, routes: Option<&Routes>) -> Option<Call> {
    if request.extensions().get::<Observed>().is_some() {
        return None;
    }
    let headers = CallHeaders::of(request.headers());
    let call = match (capability(request, &headers), routes) {
        (Some(capability), _) => {
            let trace = begin_trace(request, &headers, capability);
            trace.set_root_field("http.request.method", || Verb::of(request.method()).attribute.into());
            Call::begin(Kind::BusCall, trace)
        }
        (None, Some(routes)) => {
            let route = routes.of(request);
            let trace = begin_trace(request, &headers, &route.capability);
            describe(&trace, route);
            Call::begin(Kind::Route, trace)
        }
        (None, None) => return None,
    };
    request.extensions_mut().insert(Observed);
    Some(call)
}

fn begin_trace<B>(request: &Request<B>, headers: &CallHeaders<'_>, capability: &str) -> Trace {
    let trace = match propagate::remote(request.headers(), headers) {
        Some(remote) => obs_trace::new_trace_from(remote, capability),
        None => obs_trace::new_trace(capability),
    };
    if let Some(ConnectInfo(address)) = request.extensions().get::<ConnectInfo<SocketAddr>>() {
        // Canonical, because a dual-stack socket shows IPv4 callers as IPv4-mapped IPv6 addresses.
        let address = Value::display(address.ip().to_canonical());
        trace.set_root_field("client.address", || address.clone());
        trace.set_done_field("address", address);
    }
    if let Some(version) = version(request.version()) {
        trace.set_root_field("network.protocol.version", || version.into());
    }
    trace
}

/// Sets name and attributes of the exported span by OpenTelemetry's conventions for HTTP, apart from those whose text is
/// the client's.
fn describe(trace: &Trace, route: &Route) {
    trace.set_root_name(&route.span_name);
    trace.set_root_field("http.request.method", || route.method.attribute.into());
    if let Some(template) = &route.template {
        trace.set_root_field("http.route", || Value::from(&**template));
    }
}

fn version(version: Version) -> Option<&'static str> {
    match version {
        Version::HTTP_10 => Some("1.0"),
        Version::HTTP_11 => Some("1.1"),
        Version::HTTP_2 => Some("2"),
        Version::HTTP_3 => Some("3"),
        _ => None,
    }
}

/// Capability of a call whose header is missing or not text.
const UNNAMED: &str = "unknown";

fn capability<'a, B>(request: &Request<B>, headers: &CallHeaders<'a>) -> Option<&'a str> {
    let is_call = request.method() == Method::POST && request.uri().path() == "/bus/v1/call";
    match headers.capability.first() {
        Some(name) => Some(name.to_str().ok().filter(|name| !name.is_empty()).unwrap_or(UNNAMED)),
        None => is_call.then_some(UNNAMED),
    }
}

pin_project! {
    /// Future of [`Observe`], which resolves to the response.
    #[derive(Debug)]
    pub struct ObserveFuture<F> {
        // Dropped when it has resolved and before its call, so that a span which a layer keeps in it ends within the trace.
        #[pin]
        inner: Option<F>,
        call: Option<Call>,
        rule: BodyRule,
        // Given up when the future is dropped before its response.
        upgrade: Option<upgrade::Pending>,
    }
}

impl<F, R, E> Future for ObserveFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: http_body::Body,
{
    type Output = Result<Response<ObservedBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        // A future is not polled after its end.
        let Some(inner) = this.inner.as_mut().as_pin_mut() else { return Poll::Pending };
        let result = match this.call {
            Some(call) => {
                let result = ready!(call.enter(|| inner.poll(cx)));
                call.enter(|| this.inner.set(None));
                result
            }
            None => ready!(inner.poll(cx)),
        };
        Poll::Ready(match result {
            Ok(response) => Ok(observe_response(response, this.call.take(), *this.rule, this.upgrade.take())),
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

fn observe_response<R: http_body::Body>(
    mut response: Response<R>,
    call: Option<Call>,
    rule: BodyRule,
    upgrade: Option<upgrade::Pending>,
) -> Response<ObservedBody<R>> {
    let length = rule.length(&response);
    let call = call.and_then(|mut call| {
        outcome::note_head(&call, &response);
        keep::mark_response(call.trace(), response.headers_mut());
        // Replaces a value that the handler set: the trace's ID is the one in the logs.
        response.headers_mut().insert(REQUEST_ID, propagate::header_value(call.trace().id()));
        if let Some(upgrade) = upgrade.filter(|upgrade| upgrade.is_accepted(&response)) {
            call.open_stream();
            upgrade.accept(call);
            return None;
        }
        // A stream without a body on the wire would never be closed by its end.
        if length != Some(0) && is_event_stream(&response) {
            call.open_stream();
        }
        Some(call)
    });
    response.map(|body| ObservedBody::new(body, length, call))
}

fn is_event_stream<R>(response: &Response<R>) -> bool {
    const TYPE: &[u8] = b"text/event-stream";
    let value = response.headers().get(http::header::CONTENT_TYPE);
    value
        .and_then(|value| value.as_bytes().get(..TYPE.len()))
        .is_some_and(|name| name.eq_ignore_ascii_case(TYPE))
}
