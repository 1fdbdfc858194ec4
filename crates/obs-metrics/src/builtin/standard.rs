//! The 13 families of spec §4.2, under exactly those names (M3), and the histogram beside the summary (M4).
//!
//! ```
//! use std::time::Duration;
//! use obs_metrics::standard;
//!
//! standard::requests_total().with(["llm.chat", "ok"]).inc();
//! standard::observe_request_duration("llm.chat", Duration::from_millis(12));
//! let _stream = standard::active_streams().with(["llm.chat"]).lease(); // +1 now, -1 on drop
//! ```

use std::sync::LazyLock;
use std::time::Duration;

use crate::cell::histogram::Histogram;
use crate::cell::summary::Summary;
use crate::error::Error;
use crate::family::{CounterFamily, Family, GaugeFamily, HistogramFamily, Instrument, SummaryFamily};
use crate::registry::{Registry, or_inert};

/// Bounds of `hearthnet_request_duration_seconds`: from a local look-up to a long generation.
pub const REQUEST_DURATION_BUCKETS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

type Declared<I, const N: usize> = Result<Family<I, N>, Error>;

/// Declares the families in a registry, so that its page shows them before the first sample. The global one has them.
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

/// Admits these capabilities always, in every standard family that has a `capability` label (M7): what this node itself
/// offers must not be crowded out by names that peers make up.
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

/// Counts calls for every capability that is not trusted under [`OVERFLOW`](crate::OVERFLOW), in the same families: a
/// flood of made-up names takes no place, and a capability that is trusted later finds its own.
///
/// ```
/// use obs_metrics::{OVERFLOW, Registry, standard};
///
/// let registry = Registry::new();
/// let _scope = registry.enter();
/// standard::trust_capabilities(&["llm.chat"]);
/// standard::trusted_capabilities_only();
/// standard::requests_total().inc(["made.up", "not_found"]);
/// let others = [("capability", OVERFLOW)];
/// assert_eq!(registry.value("hearthnet_requests_total", &others), Some(1.0));
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

/// Admits these nodes always, in the family that has a `node` label: this node and its configured peers.
pub fn trust_nodes(nodes: &[&str]) {
    report_all([capability_health_success_rate().trust("node", nodes)]);
}

/// Admits these models always and counts all others under [`OVERFLOW`](crate::OVERFLOW), in the families that have a
/// `model` label: a caller may ask for any model, and a backend with one model may answer to any name.
pub fn trust_models_only(models: &[&str]) {
    report_all([
        llm_concurrent().trust("model", models),
        llm_tokens_generated_total().trust("model", models),
        llm_concurrent().trusted_only("model"),
        llm_tokens_generated_total().trusted_only("model"),
    ]);
}

fn report_all<const N: usize>(done: [Result<(), Error>; N]) {
    done.into_iter().filter_map(Result::err).for_each(|error| crate::report::error(&error));
}

/// `hearthnet_requests_total{capability, result}`: calls answered, by result (`ok` or an error code).
pub fn requests_total() -> &'static CounterFamily<2> {
    static FAMILY: LazyLock<CounterFamily<2>> =
        LazyLock::new(|| or_inert(request_counter(Registry::global())));
    &FAMILY
}

/// `hearthnet_request_duration_ms{capability, quantile}` and `hearthnet_request_duration_seconds{capability}`: how long
/// calls took, as a summary and as a histogram fed by the same observation (M4).
pub fn request_duration_ms() -> &'static RequestDurationFamily {
    static FAMILY: LazyLock<RequestDurationFamily> = LazyLock::new(|| RequestDurationFamily {
        summary: or_inert(duration_summary(Registry::global())),
        histogram: or_inert(duration_histogram(Registry::global())),
    });
    &FAMILY
}

/// Records how long one call took, in the summary and the histogram (M4).
pub fn observe_request_duration(capability: &str, duration: Duration) {
    request_duration_ms().with([capability]).observe(duration);
}

/// `hearthnet_active_streams{capability}`: streams that are open now; hold a [`lease`](crate::Gauge::lease) for each.
pub fn active_streams() -> &'static GaugeFamily<1> {
    static FAMILY: LazyLock<GaugeFamily<1>> = LazyLock::new(|| or_inert(streams_gauge(Registry::global())));
    &FAMILY
}

/// `hearthnet_nodes_online{community}`: peers that answer.
pub fn nodes_online() -> &'static GaugeFamily<1> {
    static FAMILY: LazyLock<GaugeFamily<1>> = LazyLock::new(|| or_inert(nodes_gauge(Registry::global())));
    &FAMILY
}

/// `hearthnet_event_log_size{community}`: rows of the event log.
pub fn event_log_size() -> &'static GaugeFamily<1> {
    static FAMILY: LazyLock<GaugeFamily<1>> = LazyLock::new(|| or_inert(event_log_gauge(Registry::global())));
    &FAMILY
}

/// `hearthnet_event_log_lamport_head{community}`: the highest Lamport time in the event log.
pub fn event_log_lamport_head() -> &'static GaugeFamily<1> {
    static FAMILY: LazyLock<GaugeFamily<1>> = LazyLock::new(|| or_inert(lamport_gauge(Registry::global())));
    &FAMILY
}

/// `hearthnet_emergency_mode{state}`: 1 for the state the node is in, 0 for the others.
pub fn emergency_mode() -> &'static GaugeFamily<1> {
    static FAMILY: LazyLock<GaugeFamily<1>> = LazyLock::new(|| or_inert(emergency_gauge(Registry::global())));
    &FAMILY
}

/// `hearthnet_blob_storage_bytes`: bytes in the blobs folder.
pub fn blob_storage_bytes() -> &'static GaugeFamily<0> {
    static FAMILY: LazyLock<GaugeFamily<0>> = LazyLock::new(|| or_inert(blob_gauge(Registry::global())));
    &FAMILY
}

/// `hearthnet_llm_tokens_generated_total{model, backend}`: tokens that language models generated.
pub fn llm_tokens_generated_total() -> &'static CounterFamily<2> {
    static FAMILY: LazyLock<CounterFamily<2>> = LazyLock::new(|| or_inert(token_counter(Registry::global())));
    &FAMILY
}

/// `hearthnet_llm_concurrent{model}`: generations under way.
pub fn llm_concurrent() -> &'static GaugeFamily<1> {
    static FAMILY: LazyLock<GaugeFamily<1>> = LazyLock::new(|| or_inert(llm_gauge(Registry::global())));
    &FAMILY
}

/// `hearthnet_capability_health_success_rate{capability, node}`: share of the last 100 calls that succeeded, 0 to 1.
pub fn capability_health_success_rate() -> &'static GaugeFamily<2> {
    static FAMILY: LazyLock<GaugeFamily<2>> = LazyLock::new(|| or_inert(health_gauge(Registry::global())));
    &FAMILY
}

/// `hearthnet_rate_limited_total{capability, reason}`: calls over a rate limit.
pub fn rate_limited_total() -> &'static CounterFamily<2> {
    static FAMILY: LazyLock<CounterFamily<2>> =
        LazyLock::new(|| or_inert(rate_limit_counter(Registry::global())));
    &FAMILY
}

/// `hearthnet_signature_failures_total{reason}`: signatures that did not verify.
pub fn signature_failures_total() -> &'static CounterFamily<1> {
    static FAMILY: LazyLock<CounterFamily<1>> =
        LazyLock::new(|| or_inert(signature_counter(Registry::global())));
    &FAMILY
}

/// The families behind [`request_duration_ms`].
///
/// ```
/// use std::time::Duration;
///
/// let chat = obs_metrics::standard::request_duration_ms().with(["llm.chat"]); // to hold
/// chat.observe(Duration::from_millis(12));
/// ```
#[derive(Debug, Clone)]
pub struct RequestDurationFamily {
    summary: SummaryFamily<1>,
    histogram: HistogramFamily<1>,
}

impl RequestDurationFamily {
    /// The handle of one capability.
    #[must_use]
    pub fn with(&self, capability: [&str; 1]) -> RequestDuration {
        RequestDuration { summary: self.summary.with(capability), histogram: self.histogram.with(capability) }
    }

    /// Takes the series of this capability off the page; whether there was one.
    pub fn remove(&self, capability: [&str; 1]) -> bool {
        self.summary.remove(capability) | self.histogram.remove(capability)
    }
}

/// Feeds the summary in milliseconds and the histogram in seconds with the same observation (M4).
///
/// ```
/// let handle: obs_metrics::standard::RequestDuration = obs_metrics::standard::request_duration_ms().with(["embed.text"]);
/// handle.observe_ms(7.5);
/// assert!((handle.quantile_ms(0.5) - 7.5).abs() < 0.15);
/// ```
#[derive(Debug, Clone)]
pub struct RequestDuration {
    summary: Summary,
    histogram: Histogram,
}

impl RequestDuration {
    /// Records one duration.
    pub fn observe(&self, duration: Duration) {
        self.observe_ms(duration.as_secs_f64() * 1e3);
    }

    /// Records one duration in milliseconds.
    pub fn observe_ms(&self, ms: f64) {
        self.summary.observe(ms);
        self.histogram.observe(ms / 1e3);
    }

    /// A quantile (0 to 1) of the last five minutes in milliseconds; NaN without an observation in that time.
    #[must_use]
    pub fn quantile_ms(&self, q: f64) -> f64 {
        self.summary.quantile(q)
    }

    /// How many durations were recorded since the start.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.histogram.count()
    }
}

/// Says which labels carry text from peers; results and reasons are the node's own words.
fn untrusted<I: Instrument, const N: usize>(family: Family<I, N>, labels: &[&str]) -> Declared<I, N> {
    family.try_untrusted(labels)?;
    Ok(family)
}

fn request_counter(registry: &Registry) -> Declared<crate::Counter, 2> {
    let help = "Calls answered, by capability and result.";
    let family = registry.try_counter("hearthnet_requests_total", help, ["capability", "result"])?;
    untrusted(family, &["capability"])
}

fn duration_summary(registry: &Registry) -> Declared<Summary, 1> {
    let help = "Duration of calls in milliseconds, quantiles of the last five minutes.";
    registry.try_summary("hearthnet_request_duration_ms", help, ["capability"])
}

fn duration_histogram(registry: &Registry) -> Declared<Histogram, 1> {
    let help = "Duration of calls in seconds.";
    let name = "hearthnet_request_duration_seconds";
    let declared = registry.try_histogram(name, help, ["capability"], REQUEST_DURATION_BUCKETS);
    declared.map(HistogramFamily::native)
}

fn streams_gauge(registry: &Registry) -> Declared<crate::Gauge, 1> {
    registry.try_gauge("hearthnet_active_streams", "Streams that are open now.", ["capability"])
}

fn nodes_gauge(registry: &Registry) -> Declared<crate::Gauge, 1> {
    registry.try_gauge("hearthnet_nodes_online", "Peers that answer.", ["community"])
}

fn event_log_gauge(registry: &Registry) -> Declared<crate::Gauge, 1> {
    registry.try_gauge("hearthnet_event_log_size", "Rows of the event log.", ["community"])
}

fn lamport_gauge(registry: &Registry) -> Declared<crate::Gauge, 1> {
    let help = "Highest Lamport time in the event log.";
    registry.try_gauge("hearthnet_event_log_lamport_head", help, ["community"])
}

fn emergency_gauge(registry: &Registry) -> Declared<crate::Gauge, 1> {
    let help = "1 for the state of emergency mode that the node is in, 0 for the others.";
    registry.try_gauge("hearthnet_emergency_mode", help, ["state"])
}

fn blob_gauge(registry: &Registry) -> Declared<crate::Gauge, 0> {
    registry.try_gauge("hearthnet_blob_storage_bytes", "Bytes in the blob store.", [])
}

fn token_counter(registry: &Registry) -> Declared<crate::Counter, 2> {
    let help = "Tokens that language models generated.";
    let family = registry.try_counter("hearthnet_llm_tokens_generated_total", help, ["model", "backend"])?;
    untrusted(family, &["model"])
}

fn llm_gauge(registry: &Registry) -> Declared<crate::Gauge, 1> {
    registry.try_gauge("hearthnet_llm_concurrent", "Generations under way.", ["model"])
}

fn health_gauge(registry: &Registry) -> Declared<crate::Gauge, 2> {
    let help = "Share of the last 100 calls that succeeded, 0 to 1.";
    registry.try_gauge("hearthnet_capability_health_success_rate", help, ["capability", "node"])
}

fn rate_limit_counter(registry: &Registry) -> Declared<crate::Counter, 2> {
    let help = "Calls over a rate limit, by reason.";
    let family = registry.try_counter("hearthnet_rate_limited_total", help, ["capability", "reason"])?;
    untrusted(family, &["capability"])
}

fn signature_counter(registry: &Registry) -> Declared<crate::Counter, 1> {
    let help = "Signatures that did not verify, by reason.";
    registry.try_counter("hearthnet_signature_failures_total", help, ["reason"])
}
