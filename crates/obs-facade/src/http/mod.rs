//! HTTP side of a node's observability: the [`router`] to merge into the transport server, the request
//! [`layer()`] to put around it, and the [`Checkup`] that runs the doctor inside the node.
//!
//! ```no_run
//! # use std::net::SocketAddr;
//! # use std::sync::Arc;
//! # use obs_facade::doctor::{CapabilityBus, NoBus};
//! # async fn start(bus: Arc<dyn CapabilityBus>) -> std::io::Result<()> {
//! let app = axum::Router::new()
//!     .route("/bus/v1/call", axum::routing::post(|| async { "{\"output\":{}}" }))
//!     .merge(obs_facade::http::router(bus))
//!     .layer(obs_facade::http::layer());
//! // With the address of each caller, which `GET /doctor` needs.
//! let app = app.into_make_service_with_connect_info::<SocketAddr>();
//! axum::serve(tokio::net::TcpListener::bind("127.0.0.1:7080").await?, app).await
//! # }
//! ```

mod doctor;
mod json_response;
mod local_only;
mod observe;
mod routes;

pub use doctor::Checkup;
pub use local_only::is_local_caller;
pub use observe::{
    CAPABILITY, Observe, ObserveFuture, ObserveLayer, ObservedBody, REQUEST_ID, ResultCode, inject,
    inject_traceparent, layer,
};
pub use routes::router;
