//! Standard families of a HearthNet node: the 13 families of its specification, and a histogram beside the summary of
//! request durations.
//!
//! ```
//! use std::time::Duration;
//! use obs_metrics::standard;
//!
//! standard::requests_total().with(["llm.chat", "ok"]).inc();
//! standard::observe_request_duration("llm.chat", Duration::from_millis(12));
//! let _stream = standard::active_streams().with(["llm.chat"]).lease(); // +1 now, -1 on drop
//! ```

mod declarations;
mod request_duration;

use std::sync::LazyLock;
use std::time::Duration;

use crate::error::Error;
use crate::family::{CounterFamily, Family, GaugeFamily};
use crate::registry::Registry;
use crate::report;

pub use self::declarations::{REQUEST_DURATION_BUCKETS, declare_in};
pub use self::request_duration::{RequestDuration, RequestDurationFamily};

/// Always admits these capabilities, in every standard family with a `capability` label, so that names which peers make up
/// cannot displace what the node itself offers.
pub fn trust_capabilities(capabilities: &[&str]) {
    let done = [
        requests_total().trust("capability", capabilities),
        request_duration_ms().summary.trust("capability", capabilities),
        request_duration_ms().histogram.trust("capability", capabilities),
        active_streams().trust("capability", capabilities),
        capability_health_success_rate().trust("capability", capabilities),
        rate_limited_total().trust("capability", capabilities),
    ];
    report_all(done);
}

/// Records every capability that is not trusted under [`OVERFLOW`](crate::OVERFLOW), in the same families. A flood of
/// made-up names then takes no rows, so a capability that is trusted later finds one.
///
/// ```
/// use obs_metrics::{OVERFLOW, Registry, standard, testing};
///
/// let registry = Registry::new();
/// let _scope = registry.enter();
/// standard::trust_capabilities(&["llm.chat"]);
/// standard::trusted_capabilities_only();
/// standard::requests_total().inc(["made.up", "not_found"]);
/// let others = [("capability", OVERFLOW)];
/// assert_eq!(testing::value(&registry, "hearthnet_requests_total", &others), Some(1.0));
/// ```
pub fn trusted_capabilities_only() {
    let done = [
        requests_total().trusted_only("capability"),
        request_duration_ms().summary.trusted_only("capability"),
        request_duration_ms().histogram.trusted_only("capability"),
        active_streams().trusted_only("capability"),
        capability_health_success_rate().trusted_only("capability"),
        rate_limited_total().trusted_only("capability"),
    ];
    report_all(done);
}

/// Always admits these nodes, in the family with a `node` label. Pass this node and its configured peers.
pub fn trust_nodes(nodes: &[&str]) {
    report_all([capability_health_success_rate().trust("node", nodes)]);
}

/// Always admits these models, and records all others under [`OVERFLOW`](crate::OVERFLOW), in the families with a `model`
/// label. A caller may ask for any model, and a backend with one model may answer to any name.
pub fn trust_models_only(models: &[&str]) {
    report_all([
        llm_concurrent().trust("model", models),
        llm_tokens_generated_total().trust("model", models),
        llm_concurrent().trusted_only("model"),
        llm_tokens_generated_total().trusted_only("model"),
    ]);
}

fn report_all<const N: usize>(done: [Result<(), Error>; N]) {
    done.into_iter().filter_map(Result::err).for_each(|error| report::error(&error));
}

/// Returns `hearthnet_requests_total{capability, result}`: calls answered, by result (`ok` or an error code).
pub fn requests_total() -> &'static CounterFamily<2> {
    static FAMILY: LazyLock<CounterFamily<2>> =
        LazyLock::new(|| Family::or_inert(declarations::request_counter(Registry::global())));
    &FAMILY
}

/// Returns `hearthnet_request_duration_ms{capability, quantile}` and `hearthnet_request_duration_seconds{capability}`:
/// durations of calls, as a summary and as a histogram fed by the same observation.
pub fn request_duration_ms() -> &'static RequestDurationFamily {
    static FAMILY: LazyLock<RequestDurationFamily> = LazyLock::new(|| RequestDurationFamily {
        summary: Family::or_inert(declarations::duration_summary(Registry::global())),
        histogram: Family::or_inert(declarations::duration_histogram(Registry::global())),
    });
    &FAMILY
}

/// Records the duration of a call in the summary and the histogram.
pub fn observe_request_duration(capability: &str, duration: Duration) {
    request_duration_ms().observe([capability], duration);
}

/// Returns `hearthnet_active_streams{capability}`: open streams. Hold a [`lease`](crate::Gauge::lease) for each.
pub fn active_streams() -> &'static GaugeFamily<1> {
    static FAMILY: LazyLock<GaugeFamily<1>> =
        LazyLock::new(|| Family::or_inert(declarations::streams_gauge(Registry::global())));
    &FAMILY
}

/// Returns `hearthnet_nodes_online{community}`: peers that answer.
pub fn nodes_online() -> &'static GaugeFamily<1> {
    static FAMILY: LazyLock<GaugeFamily<1>> =
        LazyLock::new(|| Family::or_inert(declarations::nodes_gauge(Registry::global())));
    &FAMILY
}

/// Returns `hearthnet_event_log_size{community}`: rows of the event log.
pub fn event_log_size() -> &'static GaugeFamily<1> {
    static FAMILY: LazyLock<GaugeFamily<1>> =
        LazyLock::new(|| Family::or_inert(declarations::event_log_gauge(Registry::global())));
    &FAMILY
}

/// Returns `hearthnet_event_log_lamport_head{community}`: the highest Lamport time in the event log.
pub fn event_log_lamport_head() -> &'static GaugeFamily<1> {
    static FAMILY: LazyLock<GaugeFamily<1>> =
        LazyLock::new(|| Family::or_inert(declarations::lamport_gauge(Registry::global())));
    &FAMILY
}

/// Returns `hearthnet_emergency_mode{state}`: 1 for the current state of the node, 0 for the others.
pub fn emergency_mode() -> &'static GaugeFamily<1> {
    static FAMILY: LazyLock<GaugeFamily<1>> =
        LazyLock::new(|| Family::or_inert(declarations::emergency_gauge(Registry::global())));
    &FAMILY
}

/// Returns `hearthnet_blob_storage_bytes`: bytes in the blobs folder.
pub fn blob_storage_bytes() -> &'static GaugeFamily<0> {
    static FAMILY: LazyLock<GaugeFamily<0>> =
        LazyLock::new(|| Family::or_inert(declarations::blob_gauge(Registry::global())));
    &FAMILY
}

/// Returns `hearthnet_llm_tokens_generated_total{model, backend}`: tokens that language models generated.
pub fn llm_tokens_generated_total() -> &'static CounterFamily<2> {
    static FAMILY: LazyLock<CounterFamily<2>> =
        LazyLock::new(|| Family::or_inert(declarations::token_counter(Registry::global())));
    &FAMILY
}

/// Returns `hearthnet_llm_concurrent{model}`: generations under way.
pub fn llm_concurrent() -> &'static GaugeFamily<1> {
    static FAMILY: LazyLock<GaugeFamily<1>> =
        LazyLock::new(|| Family::or_inert(declarations::llm_gauge(Registry::global())));
    &FAMILY
}

/// Returns `hearthnet_capability_health_success_rate{capability, node}`: share of the last 100 calls that succeeded, 0 to 1.
pub fn capability_health_success_rate() -> &'static GaugeFamily<2> {
    static FAMILY: LazyLock<GaugeFamily<2>> =
        LazyLock::new(|| Family::or_inert(declarations::health_gauge(Registry::global())));
    &FAMILY
}

/// Returns `hearthnet_rate_limited_total{capability, reason}`: calls over a rate limit.
pub fn rate_limited_total() -> &'static CounterFamily<2> {
    static FAMILY: LazyLock<CounterFamily<2>> =
        LazyLock::new(|| Family::or_inert(declarations::rate_limit_counter(Registry::global())));
    &FAMILY
}

/// Returns `hearthnet_signature_failures_total{reason}`: signatures that did not verify.
pub fn signature_failures_total() -> &'static CounterFamily<1> {
    static FAMILY: LazyLock<CounterFamily<1>> =
        LazyLock::new(|| Family::or_inert(declarations::signature_counter(Registry::global())));
    &FAMILY
}
