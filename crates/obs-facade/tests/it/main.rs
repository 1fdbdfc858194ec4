//! The facade as its users see it.

#[cfg(feature = "http")]
mod doctor;
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
