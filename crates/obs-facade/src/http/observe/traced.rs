//! Callbacks that run in the trace of the request that made them.

use obs_trace::WithContext;

/// Returns `callback` with the caller's trace, for a callback that another task calls after the request, such as that of a
/// WebSocket.
///
/// The trace of an upgrade goes on until the connection is dropped, but the task that axum starts for it has no trace.
/// Lines and spans of the callback carry the trace if it is passed through this function. Spans become children of the
/// request. Without a current trace the callback runs without one. A capture of a test follows too.
///
/// ```
/// use axum::extract::ws::{WebSocket, WebSocketUpgrade};
/// use axum::response::Response;
/// use obs_facade::{http, info};
///
/// async fn events(upgrade: WebSocketUpgrade) -> Response {
///     upgrade.on_upgrade(http::traced(|socket: WebSocket| async move {
///         info!("connected");             // with the trace ID of the request
///         drop(socket);                   // ends the trace
///     }))
/// }
/// # let _: axum::Router = axum::Router::new().route("/events", axum::routing::any(events));
/// ```
pub fn traced<A, F: Future>(callback: impl FnOnce(A) -> F) -> impl FnOnce(A) -> WithContext<F> {
    obs_trace::carry_callback(|argument| obs_trace::carry(callback(argument)))
}
