//! Requests of `reqwest` with headers, span and outcome.

use reqwest::{RequestBuilder, Response};

use super::attempt::ResendCount;
use super::span::ClientSpan;

/// Sends a request of `reqwest` with the trace's headers, as a client span. See [the module](super) for what is recorded.
///
/// Redirects that the client follows by itself belong to the span, which names the first server.
///
/// # Errors
/// Those of [`RequestBuilder::send`].
///
/// ```no_run
/// use obs_facade::http::client;
///
/// # async fn run(http: reqwest::Client) -> Result<(), reqwest::Error> {
/// let items = client::send(http.get("http://192.0.2.7:7080/items")).await?.error_for_status()?;
/// # Ok(())
/// # }
/// ```
pub async fn send(request: RequestBuilder) -> Result<Response, reqwest::Error> {
    resend(request, ResendCount(0)).await
}

/// Sends a request of `reqwest` again, as [`send`] does, and notes the number of earlier attempts on its span.
///
/// # Errors
/// Those of [`RequestBuilder::send`].
///
/// ```no_run
/// use obs_facade::http::client::{self, ResendCount};
///
/// # async fn run(http: reqwest::Client) -> Result<(), reqwest::Error> {
/// for attempt in 0..3 {
///     let request = http.get("http://192.0.2.7:7080/items");
///     if let Ok(items) = client::resend(request, ResendCount(attempt)).await {
///         println!("{}", items.text().await?);
///         break;
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub async fn resend(request: RequestBuilder, attempt: ResendCount) -> Result<Response, reqwest::Error> {
    let (client, request) = request.build_split();
    // An invalid request is sent nowhere.
    let mut request = request?;
    let mut span = ClientSpan::begin(request.method());
    if let Some(span) = &mut span {
        if let Some(host) = request.url().host_str() {
            span.set_peer(host, request.url().port_or_known_default());
        }
        span.set_resend_count(attempt.0);
        span.inject(request.headers_mut());
    }
    let result = client.execute(request).await;
    if let Some(span) = span {
        match &result {
            Ok(response) => span.end(response.status(), response.headers()),
            Err(error) => span.end_with_error(error),
        }
    }
    result
}
