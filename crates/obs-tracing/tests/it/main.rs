//! Tests of the public API.

mod bounds;
mod events;
#[cfg(feature = "layer")]
mod layer;
mod settings;
mod spans;
mod support;
mod values;
