//! Registry: a set of families and the page that shows them.

pub(crate) mod collector;
mod losses;
mod page;

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use self::collector::{Collector, Samples};
use crate::bridge::scoped::{ScopedRecorder, bridge_of};
use crate::config::Config;
use crate::desc::Desc;
use crate::error::{Error, ErrorKind};
use crate::exposition::format::Format;
use crate::exposition::kind::Kind;
use crate::family::handle::Instrument;
use crate::family::namespace::Namespace;
use crate::family::scope::Scope;
use crate::family::{CounterFamily, Family, GaugeFamily, HistogramFamily, SummaryFamily, take_gave_inert};
use crate::report;
use crate::snapshot::FamilySnapshot;

/// Set of families and the page that shows them. Clones are the same registry.
///
/// A program has the [global](Self::global) one. A test makes its own and [enters](Self::enter) it.
///
/// ```
/// use obs_metrics::{Format, Registry};
///
/// let registry = Registry::new();
/// registry.counter("calls_total", "Calls answered.", ["result"]).with(["ok"]).inc();
/// assert_eq!(
///     registry.render(Format::Text),
///     "# HELP calls_total Calls answered.\n# TYPE calls_total counter\ncalls_total{result=\"ok\"} 1\n"
/// );
/// ```
#[derive(Clone)]
pub struct Registry {
    namespace: Arc<Namespace>,
}

impl Registry {
    /// Returns an empty registry.
    #[must_use]
    pub fn new() -> Self {
        Self::with_losses(false)
    }

    /// Returns a registry with the families that count its own losses.
    pub(crate) fn with_losses(is_global: bool) -> Self {
        let registry = Self { namespace: Arc::new(Namespace::new(is_global)) };
        losses::collect_in(&registry);
        registry
    }

    pub(crate) fn of(namespace: Arc<Namespace>) -> Self {
        Self { namespace }
    }

    /// Declares a family of counters. Their samples end in `_total`; a name without that suffix gets it.
    ///
    /// Repeating a declaration returns the same family. A declaration that [`try_counter`](Self::try_counter) refuses is
    /// logged once, and returns a family that does nothing.
    pub fn counter<const N: usize>(&self, name: &str, help: &str, labels: [&str; N]) -> CounterFamily<N> {
        Family::or_inert(self.try_counter(name, help, labels))
    }

    /// Declares a family of gauges; see [`counter`](Self::counter).
    pub fn gauge<const N: usize>(&self, name: &str, help: &str, labels: [&str; N]) -> GaugeFamily<N> {
        Family::or_inert(self.try_gauge(name, help, labels))
    }

    /// Declares a family of histograms; see [`counter`](Self::counter). `buckets` are the upper bounds in ascending order.
    /// `+Inf` is added. [`buckets`](crate::buckets) has lists by name; an empty one stands for
    /// [`buckets::DURATION`](crate::buckets::DURATION).
    pub fn histogram<const N: usize>(
        &self,
        name: &str,
        help: &str,
        labels: [&str; N],
        buckets: &[f64],
    ) -> HistogramFamily<N> {
        Family::or_inert(self.try_histogram(name, help, labels, buckets))
    }

    /// Declares a family of summaries; see [`counter`](Self::counter) and [`Summary`](crate::Summary).
    pub fn summary<const N: usize>(&self, name: &str, help: &str, labels: [&str; N]) -> SummaryFamily<N> {
        Family::or_inert(self.try_summary(name, help, labels))
    }

    /// Declares a family of counters.
    ///
    /// # Errors
    /// Returns an error for an invalid, reserved or doubled name or label, and for a conflict with another family; see
    /// [`ErrorKind`].
    pub fn try_counter<const N: usize>(
        &self,
        name: &str,
        help: &str,
        labels: [&str; N],
    ) -> Result<CounterFamily<N>, Error> {
        self.declare(Desc::new(Kind::Counter, name, help, &labels)?)
    }

    /// Declares a family of gauges.
    ///
    /// # Errors
    /// Returns the errors of [`try_counter`](Self::try_counter).
    pub fn try_gauge<const N: usize>(
        &self,
        name: &str,
        help: &str,
        labels: [&str; N],
    ) -> Result<GaugeFamily<N>, Error> {
        self.declare(Desc::new(Kind::Gauge, name, help, &labels)?)
    }

    /// Declares a family of histograms.
    ///
    /// # Errors
    /// Returns the errors of [`try_counter`](Self::try_counter), and [`ErrorKind::InvalidBuckets`] for bounds that are
    /// not finite or do not ascend.
    pub fn try_histogram<const N: usize>(
        &self,
        name: &str,
        help: &str,
        labels: [&str; N],
        buckets: &[f64],
    ) -> Result<HistogramFamily<N>, Error> {
        self.declare(Desc::new(Kind::Histogram, name, help, &labels)?.with_bounds(buckets)?)
    }

    /// Declares a family of summaries.
    ///
    /// # Errors
    /// Returns the errors of [`try_counter`](Self::try_counter).
    pub fn try_summary<const N: usize>(
        &self,
        name: &str,
        help: &str,
        labels: [&str; N],
    ) -> Result<SummaryFamily<N>, Error> {
        self.declare(Desc::new(Kind::Summary, name, help, &labels)?)
    }

    /// Declares a family of counters or gauges whose samples `read` supplies whenever the page is made. Use it for the
    /// statistics of another crate, for example. Repeating the declaration replaces `read`.
    ///
    /// `read` runs on the thread that renders, under no lock. Samples beyond the cap are left out and counted in
    /// `hearthnet_metrics_overflow_total`. If `read` panics, the family is empty on that page.
    ///
    /// # Errors
    /// Returns the errors of [`try_counter`](Self::try_counter), and [`ErrorKind::Conflict`] for a kind other than counter
    /// and gauge.
    pub fn collect_with<const N: usize>(
        &self,
        kind: Kind,
        name: &str,
        help: &str,
        labels: [&str; N],
        read: impl Fn(&mut Samples<N>) + Send + Sync + 'static,
    ) -> Result<(), Error> {
        if !matches!(kind, Kind::Counter | Kind::Gauge) {
            let problem = format!("a collector cannot supply a {kind}");
            return Err(Error::new(ErrorKind::Conflict, name, problem, "use a counter or a gauge"));
        }
        self.add_collector(Desc::new(kind, name, help, &labels)?, false, read)
    }

    pub(crate) fn add_collector<const N: usize>(
        &self,
        desc: Desc,
        hidden_when_empty: bool,
        read: impl Fn(&mut Samples<N>) + Send + Sync + 'static,
    ) -> Result<(), Error> {
        self.namespace.replace(desc, |desc, cap| Collector::new(desc, cap, hidden_when_empty, read))
    }

    fn declare<I: Instrument, const N: usize>(&self, desc: Desc) -> Result<Family<I, N>, Error> {
        self.namespace.declare::<I::Cell>(desc).map(Family::new)
    }

    /// Applies the settings. It may be called at any time and repeatedly; equal settings change nothing.
    ///
    /// On the global registry it also begins to serve the `metrics` macros, unless the settings say otherwise. If another
    /// recorder serves them, that is logged once and is no error.
    ///
    /// # Errors
    /// Returns [`ErrorKind::InvalidConfig`] for a cap of 0. Nothing is changed then.
    pub fn configure(&self, config: &Config) -> Result<(), Error> {
        config.check()?;
        self.namespace.configure(config);
        // Statics often hold such handles, and the gap on the page has no other sign.
        if config.enabled && take_gave_inert() {
            report::once(
                "handles that were taken while metrics were switched off still do nothing; take them again",
            );
        }
        if config.foreign && config.enabled && self.namespace.is_global() {
            self.serve_macros().unwrap_or_else(|error| report::error(&error));
        }
        Ok(())
    }

    /// Shows on this registry's page what third-party crates record through the `metrics` macros. A second call changes
    /// nothing.
    ///
    /// # Errors
    /// Returns [`ErrorKind::RecorderTaken`] if another recorder serves the macros.
    pub fn serve_macros(&self) -> Result<(), Error> {
        bridge_of(&self.namespace).clone().install()
    }

    /// Returns whether metrics are switched off in this registry.
    #[must_use]
    pub fn disabled(&self) -> bool {
        !self.namespace.is_enabled()
    }

    /// Returns the page as text. Families are in order of their names, series in order of their label values.
    ///
    /// No writer waits for this call. On an async runtime, call it from `spawn_blocking`, because a large page takes
    /// milliseconds.
    ///
    /// [`Format::Protobuf`] is not text: this call logs the mistake once and returns [`Format::Text`]. A server that
    /// negotiates the format sends what [`expose`](Self::expose) returns.
    #[must_use]
    pub fn render(&self, format: Format) -> String {
        let families = self.namespace.page_families();
        match format {
            Format::Text | Format::OpenMetrics | Format::VmRange => page::text(&families, format),
            Format::Protobuf => {
                report::once(
                    "`render` cannot return protobuf and returned text; call `expose` for any format",
                );
                page::text(&families, Format::Text)
            }
        }
    }

    /// Returns the page in any format, as a server sends it.
    ///
    /// ```
    /// use obs_metrics::{Format, Registry};
    ///
    /// let registry = Registry::new();
    /// let _ = registry.histogram("wait_seconds", "Waits.", [], &[]).native().with([]);
    /// let asked = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";
    /// let format = Format::negotiate(Some(asked));
    /// assert_eq!(format, Format::Protobuf);
    /// let (content_type, body) = (format.content_type(), registry.expose(format));
    /// # assert!(content_type.starts_with("application/vnd.google.protobuf") && body.len() > 100);
    /// ```
    #[must_use]
    pub fn expose(&self, format: Format) -> Vec<u8> {
        let families = self.namespace.page_families();
        match format {
            Format::Text | Format::OpenMetrics | Format::VmRange => {
                page::text(&families, format).into_bytes()
            }
            Format::Protobuf => page::protobuf(&families),
        }
    }

    /// Returns the contents of the families that `wanted` chooses by name and kind, in order of their names.
    ///
    /// It reads what a page shows, without its text: the families of collectors and of the `metrics` macros too. No writer
    /// waits for this call, and families that are not wanted are not read.
    ///
    /// ```
    /// use obs_metrics::{Kind, Registry, SampleValue};
    ///
    /// let registry = Registry::new();
    /// registry.gauge("depth", "Depth.", []).set([], 3.0);
    /// let gauges = registry.snapshot(|name, kind| kind == Kind::Gauge && name.starts_with("depth"));
    /// assert_eq!(gauges[0].series[0].value, SampleValue::Gauge(3.0));
    /// ```
    #[must_use]
    pub fn snapshot(&self, wanted: impl Fn(&str, Kind) -> bool) -> Vec<FamilySnapshot> {
        let families = self.namespace.page_families().into_iter();
        let families = families.filter(|family| wanted(family.name(), family.kind()));
        families.map(|family| family.snapshot()).collect()
    }

    /// Returns the time at which the registry was made, from which its counters count.
    #[must_use]
    pub fn started_at(&self) -> SystemTime {
        self.namespace.started_at()
    }

    /// Makes this the registry of the current thread until the guard is dropped.
    ///
    /// The free functions of the crate, the families of [`standard`](crate::standard) and global families in statics then
    /// use it, and so do the `metrics` macros, whatever recorder the process has. Handles taken before keep their series.
    /// Entered registries nest, and guards may be dropped in any order.
    pub fn enter(&self) -> Scope {
        Scope::open(self.namespace.clone(), &ScopedRecorder)
    }

    pub(crate) fn namespace(&self) -> &Arc<Namespace> {
        &self.namespace
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("families", &self.namespace.len()).finish_non_exhaustive()
    }
}
