//! Requests: a router of one's own, WebSockets, and requests to other servers.
//!
//! # A router in a node
//!
//! [`layer`](crate::http::layer()) goes around the router, and the router is merged into the node's own routes:
//!
//! ```
//! use axum::routing::{get, post};
//! use obs_facade::{doctor::NoBus, http};
//!
//! # async fn call() -> &'static str { "{\"output\":{}}" }
//! # async fn item() -> &'static str { "item" }
//! let mine = axum::Router::new()
//!     .route("/bus/v1/call", post(call))
//!     .route("/items/{id}", get(item))
//!     .layer(http::layer().routes("web"));                         // observes the routes above
//! let app: axum::Router = http::router(std::sync::Arc::new(NoBus)) // /health, /metrics, …
//!     .merge(mine);
//! ```
//!
//! | request | observed | name |
//! |---|---|---|
//! | `POST /bus/v1/call`, or any with `X-HearthNet-Capability` | always | the capability |
//! | a route above the layer | with `routes("web")` | `web:GET /items/{id}` |
//! | no route matches | with `routes("web")` | `web:unmatched` |
//! | a route of the router that it is merged into | no | |
//! | any other, without `routes` | no | |
//!
//! `merge` of axum takes the fallback of the router that is merged. In the order `mine.merge(http::router(node))` requests
//! without a route are therefore not observed.
//!
//! An observed request has a trace, a `done` line, a count, a duration, and the request ID in its response. Path and
//! query are not recorded. Record what you need of them as a field.
//!
//! # Results
//!
//! The status decides the result: `ok` up to 3xx, the bus's code for a status that has one, else `http_4xx` or `http_5xx`. A
//! handler that knows better says so:
//!
//! ```
//! use axum::http::StatusCode;
//! use obs_facade::trace;
//!
//! async fn save() -> StatusCode {
//!     if let Some(trace) = trace::current_trace() {
//!         trace.fail("quota_exceeded");
//!     }
//!     StatusCode::CONFLICT
//! }
//! # let _: axum::Router = axum::Router::new().route("/save", axum::routing::post(save));
//! ```
//!
//! A client that goes away before the end makes the result `cancelled`. A panic makes it `internal_error`, and the status of the trace
//! `panic`.
//!
//! # WebSockets and streams
//!
//! The trace of a streamed body ends with its last byte, that of a WebSocket when the socket is dropped. The task of a
//! WebSocket has no trace of its own; [`traced`](crate::http::traced) passes that of the request on.
//!
//! # Requests to other servers
//!
//! A layer of [`client`](crate::http::client) sends the trace's headers and makes a span of each request, with the peer's
//! address and the outcome. A layer that retries goes outside of it, so each attempt is a span:
//!
//! ```
//! use obs_facade::http::client;
//! use tower::{ServiceBuilder, ServiceExt};
//!
//! # let work = async {
//! # let connector = tower::service_fn(|_: http::Request<()>| async { Ok::<_, std::io::Error>(http::Response::new(())) });
//! let service = ServiceBuilder::new()
//!     // .layer(tower::retry::RetryLayer::new(policy))
//!     .layer(client::layer())
//!     .service(connector);
//! let request = http::Request::get("http://warehouse:7080/items").body(()).unwrap();
//! let response = service.oneshot(request).await?;
//! # assert_eq!(response.status(), 200);
//! # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
//! # };
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work).unwrap();
//! ```
//!
//! If a part of a trace fails on any node, the two layers pass a mark back with the answers, so that each node keeps its part. A
//! courier tells the nodes that answered before: see [`keep`](crate::http::keep).
//!
//! With the feature `reqwest`, `client::send(http.get(url)).await` does the same for `reqwest`, and `client::resend` numbers the
//! attempts of a loop.
