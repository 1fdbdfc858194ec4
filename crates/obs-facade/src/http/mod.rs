//! HTTP side of a node's observability: the [`router`] to merge into the transport server, the request
//! [`layer()`] to put around it, the [`client`] for requests to other servers, and the [`Checkup`] that runs the doctor
//! inside the node.
//!
//! # In a node
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
//!
//! # A router of one's own, and its requests to others
//!
//! [`routes`](ObserveLayer::routes) observes every request, named by the template of its route. A layer of [`client`] sends
//! the trace on, and makes a span of each request to another server.
//!
//! ```
//! use axum::extract::Path;
//! use axum::routing::get;
//! use obs_facade::http::{self, client};
//! use tower::{Layer, ServiceExt};
//!
//! async fn item(Path(id): Path<u32>) -> String {
//!     // In place of a client of HTTP.
//!     let warehouse = tower::service_fn(|request: ::http::Request<()>| async move {
//!         assert!(request.headers().contains_key("x-hearthnet-request-id"));
//!         Ok::<_, std::io::Error>(::http::Response::new("in stock"))
//!     });
//!     let request = ::http::Request::get(format!("http://warehouse:7080/{id}")).body(()).unwrap();
//!     let answer = client::layer().layer(warehouse).oneshot(request).await.unwrap();
//!     answer.into_body().to_owned()
//! }
//!
//! let app: axum::Router = axum::Router::new()
//!     .route("/items/{id}", get(item))
//!     .layer(http::layer().routes("web"));
//! # let obs = obs_facade::testing::Capture::new();
//! # let request = ::http::Request::get("/items/7").body(axum::body::Body::empty()).unwrap();
//! # let answer = obs.scope(app.oneshot(request));
//! # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
//! # assert_eq!(runtime.block_on(answer).unwrap().status(), 200);
//! # let traces = obs.traces();
//! # assert_eq!(traces.last().capability(), "web:GET /items/{id}");
//! # assert_eq!(traces.last().spans()[0].field("server.address"), Some(&"warehouse".into()));
//! ```
//!
//! The trace ends with the last byte of the response: once that has been sent, the `done` line says
//! `capability="web:GET /items/{id}" status=ok http_status=200`, and the span `GET` has `server.address=warehouse`.

pub mod client;
mod doctor;
mod json_response;
pub mod keep;
mod local_only;
mod observe;
mod routes;

pub use doctor::Checkup;
pub use local_only::{LocalAddress, is_local_caller};
pub use observe::{
    CAPABILITY, Observe, ObserveFuture, ObserveLayer, ObservedBody, REQUEST_ID, ResultCode, inject,
    inject_traceparent, layer, traced,
};
pub use routes::router;
