//! The public functions of spec §4.1: those of the registry in force, which is the global one outside tests.

use crate::config::Config;
use crate::error::Error;
use crate::exposition::format::Format;
use crate::family::desc::Kind;
use crate::family::{CounterFamily, Family, GaugeFamily, HistogramFamily, Instrument, SummaryFamily};
use crate::registry::collector::Samples;
use crate::registry::scope;
use crate::registry::{Registry, or_inert};

/// [`Registry::counter`] on the registry in force.
///
/// ```
/// use std::sync::LazyLock;
/// use obs_metrics::CounterFamily;
///
/// static CALLS: LazyLock<CounterFamily<2>> =
///     LazyLock::new(|| obs_metrics::counter("rag_queries_total", "RAG queries answered.", ["corpus", "result"]));
/// CALLS.with(["docs", "ok"]).inc();
/// ```
pub fn counter<const N: usize>(name: &str, help: &str, labels: [&str; N]) -> CounterFamily<N> {
    or_inert(try_counter(name, help, labels))
}

/// [`Registry::gauge`] on the registry in force.
pub fn gauge<const N: usize>(name: &str, help: &str, labels: [&str; N]) -> GaugeFamily<N> {
    or_inert(try_gauge(name, help, labels))
}

/// [`Registry::histogram`] on the registry in force.
pub fn histogram<const N: usize>(
    name: &str,
    help: &str,
    labels: [&str; N],
    buckets: &[f64],
) -> HistogramFamily<N> {
    or_inert(try_histogram(name, help, labels, buckets))
}

/// [`Registry::summary`] on the registry in force.
pub fn summary<const N: usize>(name: &str, help: &str, labels: [&str; N]) -> SummaryFamily<N> {
    or_inert(try_summary(name, help, labels))
}

/// [`Registry::try_counter`] on the registry in force.
///
/// # Errors
/// As there.
pub fn try_counter<const N: usize>(
    name: &str,
    help: &str,
    labels: [&str; N],
) -> Result<CounterFamily<N>, Error> {
    declare(|registry| registry.try_counter(name, help, labels))
}

/// [`Registry::try_gauge`] on the registry in force.
///
/// # Errors
/// As there.
pub fn try_gauge<const N: usize>(name: &str, help: &str, labels: [&str; N]) -> Result<GaugeFamily<N>, Error> {
    declare(|registry| registry.try_gauge(name, help, labels))
}

/// [`Registry::try_histogram`] on the registry in force.
///
/// # Errors
/// As there.
pub fn try_histogram<const N: usize>(
    name: &str,
    help: &str,
    labels: [&str; N],
    buckets: &[f64],
) -> Result<HistogramFamily<N>, Error> {
    declare(|registry| registry.try_histogram(name, help, labels, buckets))
}

/// [`Registry::try_summary`] on the registry in force.
///
/// # Errors
/// As there.
pub fn try_summary<const N: usize>(
    name: &str,
    help: &str,
    labels: [&str; N],
) -> Result<SummaryFamily<N>, Error> {
    declare(|registry| registry.try_summary(name, help, labels))
}

/// [`Registry::collect_with`] on the registry in force.
///
/// # Errors
/// As there.
pub fn collect_with<const N: usize>(
    kind: Kind,
    name: &str,
    help: &str,
    labels: [&str; N],
    read: impl Fn(&mut Samples<N>) + Send + Sync + 'static,
) -> Result<(), Error> {
    Registry::current().collect_with(kind, name, help, labels, read)
}

/// [`Registry::configure`] on the registry in force.
///
/// # Errors
/// As there.
pub fn configure(config: &Config) -> Result<(), Error> {
    Registry::current().configure(config)
}

/// Whether metrics are off: then every operation is a branch, and nothing is allocated (M2).
///
/// ```
/// assert!(!obs_metrics::disabled());
/// ```
#[must_use]
pub fn disabled() -> bool {
    match scope::current() {
        Some(registry) => registry.disabled(),
        None => Registry::global().disabled(),
    }
}

/// [`Registry::render`] of the registry in force: the page of `GET /metrics` (spec §4.3).
#[must_use]
pub fn render(format: Format) -> String {
    Registry::current().render(format)
}

/// [`Registry::expose`] of the registry in force.
#[must_use]
pub fn expose(format: Format) -> Vec<u8> {
    Registry::current().expose(format)
}

/// A static makes its family once, perhaps inside a test's scope, and outlives it. So the family is declared globally too
/// and resolves in the scope each time it is used; only where the global registry has another of that name does the
/// scope's own stand.
fn declare<I: Instrument, const N: usize>(
    declare_in: impl Fn(&Registry) -> Result<Family<I, N>, Error>,
) -> Result<Family<I, N>, Error> {
    match scope::current() {
        Some(registry) => {
            declare_in(&registry).map(|scoped| declare_in(Registry::global()).unwrap_or(scoped))
        }
        None => declare_in(Registry::global()),
    }
}
