//! Functions of the crate root. They use the registry in force, which is the global one outside tests.

pub mod process;
mod registry;
#[cfg(feature = "tokio")]
pub mod runtime;
pub mod standard;
mod start_time;

use crate::config::Config;
use crate::error::Error;
use crate::exposition::format::Format;
use crate::exposition::kind::Kind;
use crate::family::handle::Instrument;
use crate::family::{CounterFamily, Family, GaugeFamily, HistogramFamily, SummaryFamily, scope};
use crate::registry::Registry;
use crate::registry::collector::Samples;

/// Declares a family of counters in the registry in force; see [`Registry::counter`].
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
    Family::or_inert(try_counter(name, help, labels))
}

/// Declares a family of gauges in the registry in force; see [`Registry::gauge`].
pub fn gauge<const N: usize>(name: &str, help: &str, labels: [&str; N]) -> GaugeFamily<N> {
    Family::or_inert(try_gauge(name, help, labels))
}

/// Declares a family of histograms in the registry in force; see [`Registry::histogram`].
pub fn histogram<const N: usize>(
    name: &str,
    help: &str,
    labels: [&str; N],
    buckets: &[f64],
) -> HistogramFamily<N> {
    Family::or_inert(try_histogram(name, help, labels, buckets))
}

/// Declares a family of summaries in the registry in force; see [`Registry::summary`].
pub fn summary<const N: usize>(name: &str, help: &str, labels: [&str; N]) -> SummaryFamily<N> {
    Family::or_inert(try_summary(name, help, labels))
}

/// Declares a family of counters in the registry in force; see [`Registry::try_counter`].
///
/// # Errors
/// Returns the errors of that method.
pub fn try_counter<const N: usize>(
    name: &str,
    help: &str,
    labels: [&str; N],
) -> Result<CounterFamily<N>, Error> {
    declare(|registry| registry.try_counter(name, help, labels))
}

/// Declares a family of gauges in the registry in force; see [`Registry::try_gauge`].
///
/// # Errors
/// Returns the errors of that method.
pub fn try_gauge<const N: usize>(name: &str, help: &str, labels: [&str; N]) -> Result<GaugeFamily<N>, Error> {
    declare(|registry| registry.try_gauge(name, help, labels))
}

/// Declares a family of histograms in the registry in force; see [`Registry::try_histogram`].
///
/// # Errors
/// Returns the errors of that method.
pub fn try_histogram<const N: usize>(
    name: &str,
    help: &str,
    labels: [&str; N],
    buckets: &[f64],
) -> Result<HistogramFamily<N>, Error> {
    declare(|registry| registry.try_histogram(name, help, labels, buckets))
}

/// Declares a family of summaries in the registry in force; see [`Registry::try_summary`].
///
/// # Errors
/// Returns the errors of that method.
pub fn try_summary<const N: usize>(
    name: &str,
    help: &str,
    labels: [&str; N],
) -> Result<SummaryFamily<N>, Error> {
    declare(|registry| registry.try_summary(name, help, labels))
}

/// Declares a family whose samples are read when the page is made; see [`Registry::collect_with`].
///
/// # Errors
/// Returns the errors of that method.
pub fn collect_with<const N: usize>(
    kind: Kind,
    name: &str,
    help: &str,
    labels: [&str; N],
    read: impl Fn(&mut Samples<N>) + Send + Sync + 'static,
) -> Result<(), Error> {
    Registry::current().collect_with(kind, name, help, labels, read)
}

/// Applies the settings to the registry in force; see [`Registry::configure`].
///
/// # Errors
/// Returns the errors of that method.
pub fn configure(config: &Config) -> Result<(), Error> {
    Registry::current().configure(config)
}

/// Returns whether metrics are switched off. Every record is then only a branch and allocates nothing.
///
/// ```
/// assert!(!obs_metrics::disabled());
/// ```
#[must_use]
pub fn disabled() -> bool {
    match scope::current() {
        Some(namespace) => !namespace.is_enabled(),
        None => Registry::global().disabled(),
    }
}

/// Returns the page of the registry in force as text; see [`Registry::render`].
#[must_use]
pub fn render(format: Format) -> String {
    Registry::current().render(format)
}

/// Returns the page of the registry in force in any format; see [`Registry::expose`].
#[must_use]
pub fn expose(format: Format) -> Vec<u8> {
    Registry::current().expose(format)
}

/// Declares a family in the registry in force, and in the global one too.
///
/// A static makes its family once, perhaps inside a test's scope, and outlives the scope. So the family is declared globally
/// and uses the scope in force at each record. Only if the global registry has another family of that name, the scope's own
/// family is returned.
fn declare<I: Instrument, const N: usize>(
    declare_in: impl Fn(&Registry) -> Result<Family<I, N>, Error>,
) -> Result<Family<I, N>, Error> {
    match scope::current() {
        Some(namespace) => {
            // First in the scope, whose error the caller has to see.
            let scoped = declare_in(&Registry::of(namespace))?;
            Ok(declare_in(Registry::global()).unwrap_or(scoped))
        }
        None => declare_in(Registry::global()),
    }
}
