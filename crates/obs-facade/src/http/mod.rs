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

mod doctor;
mod json_response;
mod local_only;
mod observe;
mod routes;

pub use doctor::Checkup;
pub use local_only::Caller;
pub use observe::{
    CAPABILITY, Observe, ObserveFuture, ObserveLayer, ObservedBody, REQUEST_ID, ResultCode, inject,
    inject_traceparent, layer,
};
pub use routes::router;
