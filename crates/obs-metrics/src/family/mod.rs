//! Families: what a declaration returns, typed by its kind and its number of labels (M1).

pub(crate) mod admission;
pub(crate) mod core;
pub(crate) mod desc;
pub(crate) mod dynamic;
pub(crate) mod label_value;
pub(crate) mod listing;
pub(crate) mod lookup_cache;
pub(crate) mod series;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::cell::counter::{Counter, CounterCell};
use crate::cell::gauge::{Gauge, GaugeCell, OwnedGauge};
use crate::cell::histogram::{Histogram, HistogramCell};
use crate::cell::summary::{Summary, SummaryCell};
use crate::error::Error;
use crate::family::core::FamilyCore;
use crate::family::series::{Cell, Series};
use crate::registry::scope;
use crate::report;

/// A handle that a family gives out: [`Counter`], [`Gauge`], [`Histogram`] or [`Summary`].
///
/// ```
/// fn first<I: obs_metrics::Instrument>(family: &obs_metrics::Family<I, 1>) -> I {
///     family.with(["first"])
/// }
/// # let registry = obs_metrics::Registry::new();
/// # first(&registry.counter("a_total", "A.", ["x"])).inc();
/// ```
pub trait Instrument: Clone + Default + fmt::Debug + Send + Sync + sealed::Sealed + 'static {}

pub(crate) mod sealed {
    use super::{Arc, Cell, Series};

    /// Ties a handle to the cell behind it.
    pub trait Sealed: Sized {
        /// The storage of one series.
        type Cell: Cell;

        /// A handle to that series.
        fn to(series: Arc<Series<Self::Cell>>) -> Self;
    }
}

macro_rules! instrument {
    ($handle:ident, $cell:ident) => {
        impl Instrument for $handle {}

        impl sealed::Sealed for $handle {
            type Cell = $cell;

            #[inline]
            fn to(series: Arc<Series<$cell>>) -> Self {
                Self(Some(series))
            }
        }
    };
}

instrument!(Counter, CounterCell);
instrument!(Gauge, GaugeCell);
instrument!(Histogram, HistogramCell);
instrument!(Summary, SummaryCell);

/// A family of counters with `N` labels.
pub type CounterFamily<const N: usize> = Family<Counter, N>;
/// A family of gauges with `N` labels.
pub type GaugeFamily<const N: usize> = Family<Gauge, N>;
/// A family of histograms with `N` labels.
pub type HistogramFamily<const N: usize> = Family<Histogram, N>;
/// A family of summaries with `N` labels.
pub type SummaryFamily<const N: usize> = Family<Summary, N>;

/// A declared family: one name, one kind, `N` labels (spec §4.1). Clones are the same family.
///
/// Values may be any text. Those of more than 128 bytes are shortened to their beginning, `~` and a hash of the whole. A
/// family that is full answers with the series in which the untrusted labels read `__overflow__` (M7): nothing that is
/// counted goes missing, and `hearthnet_metrics_overflow_total{metric}` tells how many look-ups ended there.
///
/// ```
/// let registry = obs_metrics::Registry::new();
/// let queries = registry.counter("rag_queries_total", "RAG queries answered.", ["corpus", "result"]);
/// let hits = queries.with(["docs", "ok"]); // to hold
/// hits.inc();
/// queries.inc(["docs", "error"]); // without a handle
/// assert_eq!(registry.value("rag_queries_total", &[("corpus", "docs")]), Some(2.0));
/// ```
///
/// The number of values is checked by the compiler:
///
/// ```compile_fail
/// let registry = obs_metrics::Registry::new();
/// registry.counter("calls_total", "Calls.", ["result"]).with(["ok", "and more"]);
/// ```
pub struct Family<I: Instrument, const N: usize> {
    /// `None` does nothing: what a refused declaration returns (M1).
    core: Option<Arc<FamilyCore<I::Cell>>>,
}

impl<I: Instrument, const N: usize> Family<I, N> {
    pub(crate) fn new(core: Arc<FamilyCore<I::Cell>>) -> Self {
        Self { core: Some(core) }
    }

    pub(crate) fn inert() -> Self {
        Self { core: None }
    }

    /// The series with these label values, listed from now on, as a handle to hold.
    ///
    /// While metrics are off (M2) this is a branch, and the handle stays without effect even after they are switched on;
    /// that this has happened is logged when they are.
    #[inline]
    #[must_use]
    pub fn with(&self, values: [&str; N]) -> I {
        self.on(values, |series| I::to(series.clone())).unwrap_or_else(|| self.inert_handle())
    }

    /// Takes the series with these label values off the page; whether there was one. A handle to it that is still held
    /// brings it back with its next write (M10).
    pub fn remove(&self, values: [&str; N]) -> bool {
        self.in_scope(|core| core.remove(&values)).unwrap_or(false)
    }

    /// Says which labels carry text from outside and collapse to `__overflow__` when the family is full; the others keep
    /// their values. Without this, or with an empty list, all labels collapse. A label that the family does not have is
    /// logged and nothing changes.
    #[must_use]
    pub fn untrusted(self, labels: &[&str]) -> Self {
        self.try_untrusted(labels).unwrap_or_else(|error| report::error(&error));
        self
    }

    /// As [`untrusted`](Self::untrusted), for an existing family.
    ///
    /// # Errors
    /// [`ErrorKind::UnknownLabel`](crate::ErrorKind::UnknownLabel) for a label that the family does not have.
    pub fn try_untrusted(&self, labels: &[&str]) -> Result<(), Error> {
        self.everywhere(|core| core.set_untrusted(labels))
    }

    /// Admits these values of an untrusted label always, however full the family is: a node's own capabilities, for
    /// example. A series is admitted so if all its untrusted labels have such values. They do not count towards the cap, so
    /// only the program's own values belong here, never what came from a peer.
    ///
    /// # Errors
    /// [`ErrorKind::UnknownLabel`](crate::ErrorKind::UnknownLabel) if the family has no such label.
    pub fn trust(&self, label: &str, values: &[&str]) -> Result<(), Error> {
        self.in_scope(|core| core.trust(label, values)).unwrap_or(Ok(()))
    }

    /// Shows trusted values of this label alone from now on: whatever is counted with another value ends in the series in
    /// which the untrusted labels read `__overflow__`, as in a family that is full. Text from outside then takes no
    /// places, so that a value that is trusted later finds one. Values that have a series already keep it.
    ///
    /// ```
    /// let registry = obs_metrics::Registry::new();
    /// let calls = registry.counter("calls_total", "Calls.", ["capability"]);
    /// calls.trust("capability", &["llm.chat"])?;
    /// calls.trusted_only("capability")?;
    /// calls.inc(["llm.chat"]);
    /// calls.inc(["made.up"]);
    /// assert_eq!(registry.value("calls_total", &[("capability", obs_metrics::OVERFLOW)]), Some(1.0));
    /// # Ok::<(), obs_metrics::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::UnknownLabel`](crate::ErrorKind::UnknownLabel) if the family has no such label.
    pub fn trusted_only(&self, label: &str) -> Result<(), Error> {
        self.in_scope(|core| core.set_trusted_only(label)).unwrap_or(Ok(()))
    }

    /// Runs `f` on the series, unless metrics are off or the declaration was refused.
    #[inline]
    fn on<R>(&self, values: [&str; N], f: impl Fn(&Arc<Series<I::Cell>>) -> R) -> Option<R> {
        let core = self.core.as_ref()?;
        if core.follows_scope && scope::any() {
            return self.on_in_scope(&values, f);
        }
        core.is_enabled().then(|| Self::on_enabled(core, &values, f))
    }

    /// A call of its own, so that a branch is all that is left where metrics are off.
    #[inline(never)]
    fn on_enabled<R>(
        core: &Arc<FamilyCore<I::Cell>>,
        values: &[&str; N],
        f: impl Fn(&Arc<Series<I::Cell>>) -> R,
    ) -> R {
        core.with_series(values, f)
    }

    fn inert_handle(&self) -> I {
        if self.core.is_some() && !GAVE_INERT.load(Ordering::Relaxed) {
            GAVE_INERT.store(true, Ordering::Relaxed);
        }
        I::default()
    }

    #[cold]
    fn on_in_scope<R>(&self, values: &[&str; N], f: impl Fn(&Arc<Series<I::Cell>>) -> R) -> Option<R> {
        self.in_scope(|core| core.is_enabled().then(|| Self::on_enabled(core, values, f))).flatten()
    }

    /// Applies a setting to the family and, if it is a global one, to its counterpart in the registry that this thread has
    /// entered.
    fn everywhere(&self, set: impl Fn(&Arc<FamilyCore<I::Cell>>) -> Result<(), Error>) -> Result<(), Error> {
        self.core.as_ref().map_or(Ok(()), &set)?;
        self.in_scope(set).unwrap_or(Ok(()))
    }

    /// The family itself or, if it is a global one and this thread has entered a registry, its counterpart there (M12).
    fn in_scope<R>(&self, f: impl FnOnce(&Arc<FamilyCore<I::Cell>>) -> R) -> Option<R> {
        let core = self.core.as_ref()?;
        match scope::current().filter(|_| core.follows_scope) {
            Some(registry) => registry.counterpart(core).map(|core| f(&core)),
            None => Some(f(core)),
        }
    }
}

/// Handles were given out that do nothing, because metrics were off.
pub(crate) static GAVE_INERT: AtomicBool = AtomicBool::new(false);

impl<const N: usize> CounterFamily<N> {
    /// Adds one to the series with these values; quicker than a handle that is not held.
    #[inline]
    pub fn inc(&self, values: [&str; N]) {
        self.add(values, 1);
    }

    /// Adds `n` to the series with these values.
    #[inline]
    pub fn add(&self, values: [&str; N], n: u64) {
        self.on(values, |series| series.write(move |cell| cell.add(n)));
    }
}

impl<const N: usize> GaugeFamily<N> {
    /// Sets the series with these values.
    #[inline]
    pub fn set(&self, values: [&str; N], value: f64) {
        self.on(values, |series| Gauge::write(series, |cell| cell.set(value)));
    }

    /// The series with these values for as long as the result lives: dropping the last owner removes it, whatever it
    /// stands at (M10).
    pub fn owned(&self, values: [&str; N]) -> OwnedGauge {
        self.with(values).owned()
    }
}

impl<const N: usize> HistogramFamily<N> {
    /// Counts in the exponential buckets of a native histogram as well, 2^(1/8) or 1.09 apart, for quantiles that need no
    /// bounds chosen beforehand. They are shown in the protobuf format alone, see
    /// [`Format::Protobuf`](crate::Format::Protobuf); the text formats show the declared buckets as before.
    ///
    /// Values up to 2⁻⁶⁴ are in the zero bucket, those beyond 2⁶⁴ in that of infinity. A page shows at most 160 buckets of a
    /// series, and wider ones where values lie further apart than that. A series takes 1 to 2 KiB more for each thread that
    /// observes, and at most 36 KiB, whatever the values.
    ///
    /// Asked for too late, see [`try_native`](Self::try_native), this is logged and changes nothing.
    ///
    /// ```
    /// let registry = obs_metrics::Registry::new();
    /// let waits = registry.histogram("wait_seconds", "Waits.", ["queue"], &[]).native();
    /// waits.observe(["mail"], 0.042);
    /// ```
    #[must_use]
    pub fn native(self) -> Self {
        self.try_native().unwrap_or_else(|error| report::error(&error));
        self
    }

    /// As [`native`](Self::native), for an existing family. A family that is native already stays so.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) if it has series by now: they would know nothing of what they
    /// counted before.
    pub fn try_native(&self) -> Result<(), Error> {
        self.everywhere(|core| core.set_native())
    }

    /// Records `value` in the series with these label values.
    #[inline]
    pub fn observe(&self, values: [&str; N], value: f64) {
        if value.is_nan() {
            self.on(values, |series| series.count_nan());
        } else {
            self.on(values, |series| series.write(move |cell| cell.observe(value)));
        }
    }

    /// Records a duration in seconds.
    #[inline]
    pub fn observe_duration(&self, values: [&str; N], duration: Duration) {
        self.observe(values, duration.as_secs_f64());
    }
}

impl<I: Instrument, const N: usize> Clone for Family<I, N> {
    fn clone(&self) -> Self {
        Self { core: self.core.clone() }
    }
}

impl<I: Instrument, const N: usize> fmt::Debug for Family<I, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.core.as_ref().map_or("", |core| &core.desc.name);
        f.debug_struct("Family").field("name", &name).field("labels", &N).finish()
    }
}
