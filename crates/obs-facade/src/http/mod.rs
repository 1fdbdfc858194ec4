//! The HTTP side of a node's observability: the [`router`] to merge into the transport server, the
//! request [`layer()`] to put around it, and the [`Checkup`] of the node that it runs in (F1, F2, T7, D5).
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use obs_facade::doctor::{CapabilityBus, NoBus};
//! # async fn start(bus: Arc<dyn CapabilityBus>) -> std::io::Result<()> {
//! let app = axum::Router::new()
//!     .route("/bus/v1/call", axum::routing::post(|| async { "{\"output\":{}}" }))
//!     .merge(obs_facade::http::router(bus))
//!     .layer(obs_facade::http::layer());
//! axum::serve(tokio::net::TcpListener::bind("127.0.0.1:7080").await?, app).await
//! # }
//! ```

mod accept;
mod body;
mod body_rule;
mod call;
mod caller;
mod doctor;
mod layer;
mod metrics_page;
mod outcome;
mod propagate;
mod query;
mod routes;
mod trace_page;

pub use body::ObservedBody;
pub use caller::Caller;
pub use doctor::Checkup;
pub use layer::{Observe, ObserveFuture, ObserveLayer, layer};
pub use outcome::ResultCode;
pub use propagate::{inject, inject_traceparent};
pub use routes::router;

/// The header that carries the trace ID of a request, a ULID (spec §5.1).
pub const REQUEST_ID: http::HeaderName = http::HeaderName::from_static("x-hearthnet-request-id");

/// The header that names the capability a bus call is for.
pub const CAPABILITY: http::HeaderName = http::HeaderName::from_static("x-hearthnet-capability");
