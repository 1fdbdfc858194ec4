//! Outgoing requests: each one sends the trace's headers and is a client span with its peer and its outcome.
//!
//! [`layer()`] is for services of `tower` over `http::Request`. `send` is for `reqwest`, with the feature `reqwest`.
//!
//! A request that is sent inside a trace has the headers `X-HearthNet-Request-Id`, `traceparent` and, if the trace came
//! with one, `tracestate`, so that the other node's part of the trace is a child of the span. Outside of a trace nothing is
//! sent or recorded.
//!
//! The span is named by the method. Its fields are those of OpenTelemetry's conventions for HTTP:
//!
//! | field | value |
//! |---|---|
//! | `http.request.method` | one of the nine standard methods, or `_OTHER` |
//! | `server.address`, `server.port` | host and port that the request names; never credentials, path or query |
//! | `http.response.status_code` | status of the response |
//! | `http.request.resend_count` | number of earlier attempts, if there were any |
//! | `error` | status 4xx or 5xx, kind of the error such as `connection_refused` or `timeout`, or `cancelled`; exported as `error.type` |
//! | `peer_keeps` | the response has [`KEEP`](super::keep::KEEP): the server keeps its part of the trace |
//! | `cause` | messages of the error and its sources, without secrets |
//!
//! A trace is [marked](crate::trace::Trace::mark) if the response has the header `X-HearthNet-Keep`, or if there is no response:
//! its parts are then kept, although it may end well. See [`keep`](super::keep).
//!
//! The span ends with the head of the response. A span of the caller around request and body has the time of both.
//!
//! # Attempts
//!
//! A layer that retries, outside of this one, makes a span for each attempt. A request counts as a further attempt if the
//! request before it through the same service had the same trace, method and URI, and ended with an error or a status 4xx
//! or 5xx. A clone of the service goes on where its original was, which then begins again: that is how a layer that retries
//! uses it. A loop that knows its attempts says so with [`ResendCount`].

mod attempt;
mod failure;
mod layer;
#[cfg(feature = "reqwest")]
mod requests;
mod span;

pub use attempt::ResendCount;
pub use layer::{Client, ClientFuture, ClientLayer, layer};
#[cfg(feature = "reqwest")]
pub use requests::{resend, send};
