//! Scope of the exports of this crate.

/// Returns the enclosing messages of an export of metrics or lines.
pub(super) fn scope(target: &obs_otlp::Config) -> obs_otlp::Envelope {
    obs_otlp::Envelope::new(target, env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
}
