//! The facade as its users see it.

#[cfg(feature = "tracing")]
mod bridge;
mod capture;
#[cfg(feature = "http")]
mod client;
#[cfg(feature = "console")]
mod console;
#[cfg(feature = "http")]
mod doctor;
mod guide;
#[cfg(feature = "http")]
mod keep;
#[cfg(feature = "http")]
mod layer;
#[cfg(feature = "http")]
mod metrics_page;
#[cfg(feature = "http")]
mod no_body;
#[cfg(feature = "http")]
mod offer;
#[cfg(feature = "http")]
mod propagation;
#[cfg(feature = "http")]
mod routes;
#[cfg(feature = "http")]
mod routes_layer;
#[cfg(feature = "http")]
mod upgrade;
