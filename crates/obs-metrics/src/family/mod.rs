//! Families: the result of a declaration, typed by kind and number of labels.

mod admission;
mod core;
pub(crate) mod dynamic;
pub(crate) mod handle;
pub(crate) mod label_value;
mod listing;
mod lookup_cache;
#[cfg(all(test, obs_loom))]
mod models;
pub(crate) mod namespace;
pub(crate) mod removed;
pub(crate) mod scope;
pub(crate) mod series;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use self::core::FamilyCore;
use self::handle::Instrument;
use self::handle::counter::Counter;
use self::handle::gauge::Gauge;
use self::handle::histogram::Histogram;
use self::handle::lease::OwnedGauge;
use self::handle::summary::Summary;
use self::series::Series;
use crate::cell::Observed;
use crate::error::Error;
use crate::report;

/// Family of counters with `N` labels.
pub type CounterFamily<const N: usize> = Family<Counter, N>;
/// Family of gauges with `N` labels.
pub type GaugeFamily<const N: usize> = Family<Gauge, N>;
/// Family of histograms with `N` labels.
pub type HistogramFamily<const N: usize> = Family<Histogram, N>;
/// Family of summaries with `N` labels.
pub type SummaryFamily<const N: usize> = Family<Summary, N>;

/// Declared family: one name, one kind, `N` labels. Clones are the same family.
///
/// Label values may be any text. A value of more than 128 bytes is shortened to its beginning, `~` and a hash of the
/// whole. A full family records new values in its overflow series, whose untrusted labels read `__overflow__`: totals stay
/// exact, and `hearthnet_metrics_overflow_total{metric}` counts the look-ups that ended there.
///
/// ```
/// use obs_metrics::testing;
///
/// let registry = obs_metrics::Registry::new();
/// let queries = registry.counter("rag_queries_total", "RAG queries answered.", ["corpus", "result"]);
/// let hits = queries.with(["docs", "ok"]); // a handle to keep
/// hits.inc();
/// queries.inc(["docs", "error"]); // without a handle
/// assert_eq!(testing::value(&registry, "rag_queries_total", &[("corpus", "docs")]), Some(2.0));
/// ```
///
/// The compiler checks the number of values:
///
/// ```compile_fail
/// let registry = obs_metrics::Registry::new();
/// registry.counter("calls_total", "Calls.", ["result"]).with(["ok", "and more"]);
/// ```
pub struct Family<I: Instrument, const N: usize> {
    /// `None` for a refused declaration. Such a family does nothing.
    core: Option<Arc<FamilyCore<I::Cell>>>,
}

impl<I: Instrument, const N: usize> Family<I, N> {
    pub(crate) fn new(core: Arc<FamilyCore<I::Cell>>) -> Self {
        Self { core: Some(core) }
    }

    /// Returns the declared family. Logs a refusal, and returns a family that does nothing.
    pub(crate) fn or_inert(declared: Result<Self, Error>) -> Self {
        declared.unwrap_or_else(|error| {
            report::error(&error);
            Self { core: None }
        })
    }

    /// Returns a handle to the series with these label values. The series is on the page from now on.
    ///
    /// While metrics are switched off, this costs a branch and returns a handle that does nothing, even after they are
    /// switched on. Switching them on then logs that such handles exist.
    #[inline]
    #[must_use]
    pub fn with(&self, values: [&str; N]) -> I {
        self.on(values, |series| I::to(series.clone())).unwrap_or_else(|| self.inert_handle())
    }

    /// Removes the series with these label values from the page. Returns whether there was one. A held handle lists it
    /// again with its next write.
    pub fn remove(&self, values: [&str; N]) -> bool {
        self.in_scope(|core| core.remove(&values)).unwrap_or(false)
    }

    /// Declares the labels that carry text from outside. They collapse to `__overflow__` when the family is full. The
    /// other labels keep their values, until the reserve for that, an eighth of the cap, is full too. Without this call, or with an empty list, all labels collapse. A label that the
    /// family does not have is logged, and changes nothing.
    #[must_use]
    pub fn untrusted(self, labels: &[&str]) -> Self {
        self.try_untrusted(labels).unwrap_or_else(|error| report::error(&error));
        self
    }

    /// Declares the labels that carry text from outside, of an existing family; see [`untrusted`](Self::untrusted).
    ///
    /// # Errors
    /// [`ErrorKind::UnknownLabel`](crate::ErrorKind::UnknownLabel) for a label that the family does not have.
    pub fn try_untrusted(&self, labels: &[&str]) -> Result<(), Error> {
        self.everywhere(|core| core.set_untrusted(labels))
    }

    /// Always admits these values of an untrusted label, however full the family is. Use it for a node's own
    /// capabilities, for example.
    ///
    /// A series is always admitted if all its untrusted labels have such values. It does not count towards the cap, so pass
    /// only the program's own values, never values from a peer.
    ///
    /// # Errors
    /// [`ErrorKind::UnknownLabel`](crate::ErrorKind::UnknownLabel) if the family has no such label.
    pub fn trust(&self, label: &str, values: &[&str]) -> Result<(), Error> {
        self.in_scope(|core| core.trust(label, values)).unwrap_or(Ok(()))
    }

    /// Shows only trusted values of this label from now on. Any other value is recorded in the overflow series, as in a
    /// full family.
    ///
    /// Values from outside then take no rows, so a value that is trusted later finds one. Values that already have a
    /// series keep it.
    ///
    /// ```
    /// use obs_metrics::{OVERFLOW, testing};
    ///
    /// let registry = obs_metrics::Registry::new();
    /// let calls = registry.counter("calls_total", "Calls.", ["capability"]);
    /// calls.trust("capability", &["llm.chat"])?;
    /// calls.trusted_only("capability")?;
    /// calls.inc(["llm.chat"]);
    /// calls.inc(["made.up"]);
    /// assert_eq!(testing::value(&registry, "calls_total", &[("capability", OVERFLOW)]), Some(1.0));
    /// # Ok::<(), obs_metrics::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::UnknownLabel`](crate::ErrorKind::UnknownLabel) if the family has no such label.
    pub fn trusted_only(&self, label: &str) -> Result<(), Error> {
        self.in_scope(|core| core.set_trusted_only(label)).unwrap_or(Ok(()))
    }

    /// Runs `f` on the series, unless metrics are switched off or the declaration was refused.
    #[inline]
    fn on<R>(&self, values: [&str; N], f: impl Fn(&Arc<Series<I::Cell>>) -> R) -> Option<R> {
        let core = self.core.as_ref()?;
        if core.follows_scope && scope::any() {
            return self.on_in_scope(&values, f);
        }
        core.is_enabled().then(|| Self::on_enabled(core, &values, f))
    }

    /// Kept out of line, so that a record with metrics switched off is only a branch.
    #[inline(never)]
    fn on_enabled<R>(
        core: &Arc<FamilyCore<I::Cell>>,
        values: &[&str; N],
        f: impl Fn(&Arc<Series<I::Cell>>) -> R,
    ) -> R {
        core.with_series(values, f)
    }

    fn inert_handle(&self) -> I {
        // Relaxed: the flag only leads to a message. It is read first, because a write would take the cache line from the
        // other threads each time.
        if self.core.is_some() && !GAVE_INERT.load(Ordering::Relaxed) {
            GAVE_INERT.store(true, Ordering::Relaxed);
        }
        I::default()
    }

    /// Kept out of line, because only tests enter a registry.
    #[cold]
    fn on_in_scope<R>(&self, values: &[&str; N], f: impl Fn(&Arc<Series<I::Cell>>) -> R) -> Option<R> {
        self.in_scope(|core| core.is_enabled().then(|| Self::on_enabled(core, values, f))).flatten()
    }

    /// Applies a setting to the family and to its counterpart in the registry that this thread has entered.
    fn everywhere(&self, set: impl Fn(&Arc<FamilyCore<I::Cell>>) -> Result<(), Error>) -> Result<(), Error> {
        self.core.as_ref().map_or(Ok(()), &set)?;
        self.in_scope(set).unwrap_or(Ok(()))
    }

    /// Runs `f` on the family. If it is a global one and this thread has entered a registry, runs it on the counterpart
    /// there.
    fn in_scope<R>(&self, f: impl FnOnce(&Arc<FamilyCore<I::Cell>>) -> R) -> Option<R> {
        let core = self.core.as_ref()?;
        match scope::current().filter(|_| core.follows_scope) {
            Some(namespace) => namespace.counterpart(core).map(|core| f(&core)),
            None => Some(f(core)),
        }
    }
}

/// Whether a family gave out a handle that does nothing because metrics were switched off.
static GAVE_INERT: AtomicBool = AtomicBool::new(false);

/// Returns whether a family gave out a handle that does nothing since the last call.
pub(crate) fn take_gave_inert() -> bool {
    GAVE_INERT.swap(false, Ordering::Relaxed)
}

impl<const N: usize> CounterFamily<N> {
    /// Adds one to the series with these values. It is faster than making a handle for one record.
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
        self.on(values, |series| series.write(move |cell| cell.set(value)));
    }

    /// Returns an owner of the series with these values. Dropping the last owner removes the series, whatever its value.
    pub fn owned(&self, values: [&str; N]) -> OwnedGauge {
        self.with(values).owned()
    }
}

impl<const N: usize> HistogramFamily<N> {
    /// Counts in the exponential buckets of a native histogram as well, for quantiles without bounds chosen beforehand.
    ///
    /// The bounds are 2^(1/8) or 1.09 apart. [`Format::Protobuf`](crate::Format::Protobuf) shows them to
    /// Prometheus, [`Format::VmRange`](crate::Format::VmRange) to VictoriaMetrics. The other formats show the declared buckets.
    ///
    /// Values up to 2⁻⁶⁴ fall into the zero bucket, values beyond 2⁶⁴ into the bucket of infinity. A page shows at most 160
    /// buckets of a series; if the values lie further apart, it shows wider buckets. A series takes 1 to 2 KiB more for each
    /// thread that observes, and at most 36 KiB, whatever the values.
    ///
    /// A family that cannot become native, see [`try_native`](Self::try_native), is logged and stays as it is.
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

    /// Makes an existing family native; see [`native`](Self::native). A family that is native stays so.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) if the family has or had series: their earlier observations
    /// are in no native bucket.
    pub fn try_native(&self) -> Result<(), Error> {
        self.everywhere(|core| core.set_native())
    }

    /// Records `value` in the series with these label values.
    #[inline]
    pub fn observe(&self, values: [&str; N], value: f64) {
        self.observe_number(values, value);
    }

    /// Records a duration in seconds.
    #[inline]
    pub fn observe_duration(&self, values: [&str; N], duration: Duration) {
        self.observe(values, duration.as_secs_f64());
    }
}

impl<const N: usize> SummaryFamily<N> {
    /// Records `value` in the series with these label values. It is faster than making a handle for one record. NaN is not
    /// recorded; `hearthnet_metrics_nan_total{metric}` counts it.
    ///
    /// ```
    /// let registry = obs_metrics::Registry::new();
    /// let waits = registry.summary("wait_ms", "Waits.", ["queue"]);
    /// waits.observe(["mail"], 42.0);
    /// assert_eq!(waits.with(["mail"]).count(), 1);
    /// ```
    #[inline]
    pub fn observe(&self, values: [&str; N], value: f64) {
        self.observe_number(values, value);
    }
}

impl<I: Instrument, const N: usize> Family<I, N>
where
    I::Cell: Observed,
{
    #[inline]
    fn observe_number(&self, values: [&str; N], value: f64) {
        // Decided here, so that the closure for a number stays small enough to be inlined.
        if value.is_nan() {
            self.on(values, |series| series.count_nan());
        } else {
            self.on(values, |series| series.write(move |cell| cell.observe(value)));
        }
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
