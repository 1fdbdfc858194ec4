//! Declarations of the standard families.

use crate::error::Error;
use crate::family::handle::Instrument;
use crate::family::handle::counter::Counter;
use crate::family::handle::gauge::Gauge;
use crate::family::handle::histogram::Histogram;
use crate::family::handle::summary::Summary;
use crate::family::{Family, HistogramFamily};
use crate::registry::Registry;

/// Bucket bounds of `hearthnet_request_duration_seconds`: from a local look-up to a long generation.
pub const REQUEST_DURATION_BUCKETS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

type Declared<I, const N: usize> = Result<Family<I, N>, Error>;

/// Declares the families in a registry, so that its page shows them before the first sample. The global registry has them.
pub fn declare_in(registry: &Registry) {
    let all = [
        request_counter(registry).err(),
        duration_summary(registry).err(),
        duration_histogram(registry).err(),
        streams_gauge(registry).err(),
        nodes_gauge(registry).err(),
        event_log_gauge(registry).err(),
        lamport_gauge(registry).err(),
        emergency_gauge(registry).err(),
        blob_gauge(registry).err(),
        token_counter(registry).err(),
        llm_gauge(registry).err(),
        health_gauge(registry).err(),
        rate_limit_counter(registry).err(),
        signature_counter(registry).err(),
    ];
    all.iter().flatten().for_each(crate::report::error);
}

/// Marks the labels that carry text from peers. Results and reasons are the node's own words.
fn untrusted<I: Instrument, const N: usize>(family: Family<I, N>, labels: &[&str]) -> Declared<I, N> {
    family.try_untrusted(labels)?;
    Ok(family)
}

pub(super) fn request_counter(registry: &Registry) -> Declared<Counter, 2> {
    let help = "Calls answered, by capability and result.";
    let family = registry.try_counter("hearthnet_requests_total", help, ["capability", "result"])?;
    untrusted(family, &["capability"])
}

pub(super) fn duration_summary(registry: &Registry) -> Declared<Summary, 1> {
    let help = "Duration of calls in milliseconds, quantiles of the last five minutes.";
    registry.try_summary("hearthnet_request_duration_ms", help, ["capability"])
}

pub(super) fn duration_histogram(registry: &Registry) -> Declared<Histogram, 1> {
    let help = "Duration of calls in seconds.";
    let name = "hearthnet_request_duration_seconds";
    let declared = registry.try_histogram(name, help, ["capability"], REQUEST_DURATION_BUCKETS);
    declared.map(HistogramFamily::native)
}

pub(super) fn streams_gauge(registry: &Registry) -> Declared<Gauge, 1> {
    registry.try_gauge("hearthnet_active_streams", "Streams that are open now.", ["capability"])
}

pub(super) fn nodes_gauge(registry: &Registry) -> Declared<Gauge, 1> {
    registry.try_gauge("hearthnet_nodes_online", "Peers that answer.", ["community"])
}

pub(super) fn event_log_gauge(registry: &Registry) -> Declared<Gauge, 1> {
    registry.try_gauge("hearthnet_event_log_size", "Rows of the event log.", ["community"])
}

pub(super) fn lamport_gauge(registry: &Registry) -> Declared<Gauge, 1> {
    let help = "Highest Lamport time in the event log.";
    registry.try_gauge("hearthnet_event_log_lamport_head", help, ["community"])
}

pub(super) fn emergency_gauge(registry: &Registry) -> Declared<Gauge, 1> {
    let help = "1 for the state of emergency mode that the node is in, 0 for the others.";
    registry.try_gauge("hearthnet_emergency_mode", help, ["state"])
}

pub(super) fn blob_gauge(registry: &Registry) -> Declared<Gauge, 0> {
    registry.try_gauge("hearthnet_blob_storage_bytes", "Bytes in the blob store.", [])
}

pub(super) fn token_counter(registry: &Registry) -> Declared<Counter, 2> {
    let help = "Tokens that language models generated.";
    let family = registry.try_counter("hearthnet_llm_tokens_generated_total", help, ["model", "backend"])?;
    untrusted(family, &["model"])
}

pub(super) fn llm_gauge(registry: &Registry) -> Declared<Gauge, 1> {
    registry.try_gauge("hearthnet_llm_concurrent", "Generations under way.", ["model"])
}

pub(super) fn health_gauge(registry: &Registry) -> Declared<Gauge, 2> {
    let help = "Share of the last 100 calls that succeeded, 0 to 1.";
    registry.try_gauge("hearthnet_capability_health_success_rate", help, ["capability", "node"])
}

pub(super) fn rate_limit_counter(registry: &Registry) -> Declared<Counter, 2> {
    let help = "Calls over a rate limit, by reason.";
    let family = registry.try_counter("hearthnet_rate_limited_total", help, ["capability", "reason"])?;
    untrusted(family, &["capability"])
}

pub(super) fn signature_counter(registry: &Registry) -> Declared<Counter, 1> {
    let help = "Signatures that did not verify, by reason.";
    registry.try_counter("hearthnet_signature_failures_total", help, ["reason"])
}
