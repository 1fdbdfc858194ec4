//! The client layer: headers, span and outcome of each request of a `tower` service.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::attempt::{Attempt, ResendCount};
use super::span::ClientSpan;

/// Error of any type, as `tower` passes it on.
type BoxError = Box<dyn Error + Send + Sync>;

/// Returns the layer that observes the requests of a client. See [the module](super) for what it sends and records.
///
/// Put it inside of layers that retry or balance, so that each attempt has a span and headers of its own, and inside of a
/// timeout, which then ends the span as `cancelled`, or outside of it to see a `timeout`.
///
/// The response keeps its type. The error becomes a boxed one, as with the layers of `tower`, because its causes are read.
///
/// ```
/// use obs_facade::http::client;
/// use tower::{Layer, Service};
///
/// # async fn run() {
/// // Any service of HTTP, such as the client of `hyper-util`.
/// let transport = tower::service_fn(|request: http::Request<String>| async move {
///     assert!(request.headers().contains_key("traceparent"));
///     Ok::<_, std::io::Error>(http::Response::new("items"))
/// });
/// let mut client = client::layer().layer(transport);
///
/// let trace = obs_facade::trace::new_trace("rag.query");
/// let items = trace.scope(async {
///     let request = http::Request::get("http://192.0.2.7:7080/items").body(String::new()).unwrap();
///     client.call(request).await
/// });
/// assert_eq!(items.await.unwrap().into_body(), "items");
/// # }
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(run());
/// ```
pub fn layer() -> ClientLayer {
    ClientLayer { is_third_party: false }
}

/// Layer that observes the requests of a client; made by [`layer()`].
///
/// ```
/// use obs_facade::http::client::{self, ClientLayer};
///
/// let layer: ClientLayer = client::layer();
/// # drop(layer);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ClientLayer {
    is_third_party: bool,
}

impl ClientLayer {
    /// Sends the header `traceparent` alone, for servers that are no HearthNet nodes. What other tracing systems put into
    /// `tracestate` is not meant for them.
    ///
    /// ```
    /// let layer = obs_facade::http::client::layer().third_party();
    /// # drop(layer);
    /// ```
    #[must_use]
    pub fn third_party(self) -> ClientLayer {
        ClientLayer { is_third_party: true }
    }
}

impl<S> Layer<S> for ClientLayer {
    type Service = Client<S>;

    fn layer(&self, inner: S) -> Client<S> {
        Client { inner, is_third_party: self.is_third_party, last: None }
    }
}

/// Service that observes the requests of `S`; made by [`layer()`].
///
/// ```
/// use obs_facade::http::client::{self, Client};
/// use tower::Layer;
///
/// let client: Client<axum::Router> = client::layer().layer(axum::Router::new());
/// # drop(client);
/// ```
#[derive(Debug)]
pub struct Client<S> {
    inner: S,
    is_third_party: bool,
    /// Attempt that this service made last, or the one it was cloned from.
    last: Option<Arc<Attempt>>,
}

/// A layer that retries clones the service after the first attempt, and sends the others through the clone. So the clone
/// goes on counting, and the original begins again.
impl<S: Clone> Clone for Client<S> {
    fn clone(&self) -> Client<S> {
        let last = self.last.as_deref().map(Attempt::hand_over);
        Client { inner: self.inner.clone(), is_third_party: self.is_third_party, last }
    }
}

impl<S, B, R> Service<Request<B>> for Client<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
{
    type Response = Response<R>;
    type Error = BoxError;
    type Future = ClientFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<B>) -> ClientFuture<S::Future> {
        let span = self.begin(&mut request);
        ClientFuture { inner: self.inner.call(request), span }
    }
}

impl<S> Client<S> {
    fn begin<B>(&mut self, request: &mut Request<B>) -> Option<ClientSpan> {
        let mut span = ClientSpan::begin(request.method())?;
        span.set_server(request.uri(), request.headers());
        let known = request.extensions().get::<ResendCount>().copied();
        let which = (request.method(), request.uri());
        let attempt = Attempt::after(self.last.as_deref(), span.trace_id()?, which, known);
        self.last = Some(Arc::clone(&attempt));
        span.set_attempt(attempt);
        match self.is_third_party {
            true => span.inject_traceparent(request.headers_mut()),
            false => span.inject(request.headers_mut()),
        }
        Some(span)
    }
}

pin_project! {
    /// Future of [`Client`], which resolves to the response.
    #[derive(Debug)]
    pub struct ClientFuture<F> {
        #[pin]
        inner: F,
        span: Option<ClientSpan>,
    }
}

impl<F, R, E> Future for ClientFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    E: Into<BoxError>,
{
    type Output = Result<Response<R>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = ready!(this.inner.poll(cx)).map_err(Into::into);
        if let Some(span) = this.span.take() {
            match &result {
                Ok(response) => span.end(response.status(), response.headers()),
                Err(error) => span.end_with_error(&**error),
            }
        }
        Poll::Ready(result)
    }
}
