//! Registries: which families there are, and the page they make (M12).

pub(crate) mod collector;
pub(crate) mod global;
mod losses;
pub(crate) mod namespace;
mod page;
pub(crate) mod scope;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};

use crate::bridge::Foreign;
use crate::builtin::{process, standard};
use crate::config::{Config, DEFAULT_SERIES_CAP};
use crate::error::{Error, ErrorKind};
use crate::exposition::format::Format;
use crate::family::core::FamilyCore;
use crate::family::desc::{Desc, Kind};
use crate::family::dynamic::AnyFamily;
use crate::family::series::{Cell, Part};
use crate::family::{
    CounterFamily, Family, GAVE_INERT, GaugeFamily, HistogramFamily, Instrument, SummaryFamily,
};
use crate::registry::collector::{Collector, Samples};
use crate::registry::namespace::{Declared, conflict};
use crate::registry::scope::Scope;
use crate::report;

/// A set of families and the page they are shown on. Clones are the same registry.
///
/// A program has the [global](Self::global) one; tests make their own.
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
    inner: Arc<Inner>,
}

struct Inner {
    is_global: bool,
    enabled: AtomicBool,
    series_cap: AtomicUsize,
    declared: RwLock<Declared>,
    foreign: OnceLock<Arc<Foreign>>,
}

impl Registry {
    /// An empty registry of its own.
    #[must_use]
    pub fn new() -> Self {
        Self::with_scope(false)
    }

    /// The registry of the process. It has the standard families (M3) and those of the process (M9) from the start.
    #[must_use]
    pub fn global() -> &'static Self {
        static GLOBAL: LazyLock<Registry> = LazyLock::new(|| {
            let registry = Registry::with_scope(true);
            standard::declare_in(&registry);
            process::collect_in(&registry);
            registry
        });
        &GLOBAL
    }

    /// The registry that this thread has entered, else the global one.
    pub(crate) fn current() -> Self {
        crate::registry::scope::current().unwrap_or_else(|| Self::global().clone())
    }

    fn with_scope(is_global: bool) -> Self {
        let inner = Inner {
            is_global,
            enabled: AtomicBool::new(true),
            series_cap: AtomicUsize::new(DEFAULT_SERIES_CAP),
            declared: RwLock::default(),
            foreign: OnceLock::new(),
        };
        let registry = Self { inner: Arc::new(inner) };
        losses::collect_in(&registry);
        registry
    }

    /// Declares a family of counters. Its samples end in `_total`, which is added to a name without it.
    ///
    /// The same declaration again returns the same family. One that [`try_counter`](Self::try_counter) refuses is logged
    /// once and returns a family whose handles do nothing (M1).
    pub fn counter<const N: usize>(&self, name: &str, help: &str, labels: [&str; N]) -> CounterFamily<N> {
        or_inert(self.try_counter(name, help, labels))
    }

    /// Declares a family of gauges; see [`counter`](Self::counter).
    pub fn gauge<const N: usize>(&self, name: &str, help: &str, labels: [&str; N]) -> GaugeFamily<N> {
        or_inert(self.try_gauge(name, help, labels))
    }

    /// Declares a family of histograms; see [`counter`](Self::counter). `buckets` are the upper bounds, ascending; `+Inf`
    /// is added, and an empty list means [`DEFAULT_BUCKETS`](crate::DEFAULT_BUCKETS).
    pub fn histogram<const N: usize>(
        &self,
        name: &str,
        help: &str,
        labels: [&str; N],
        buckets: &[f64],
    ) -> HistogramFamily<N> {
        or_inert(self.try_histogram(name, help, labels, buckets))
    }

    /// Declares a family of summaries; see [`counter`](Self::counter) and [`Summary`](crate::Summary).
    pub fn summary<const N: usize>(&self, name: &str, help: &str, labels: [&str; N]) -> SummaryFamily<N> {
        or_inert(self.try_summary(name, help, labels))
    }

    /// Declares a family of counters.
    ///
    /// # Errors
    /// A name or label that is invalid, reserved or doubled, or a conflict with a family that is there; see
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
    /// As [`try_counter`](Self::try_counter).
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
    /// As [`try_counter`](Self::try_counter), and [`ErrorKind::InvalidBuckets`] for bounds that do not ascend.
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
    /// As [`try_counter`](Self::try_counter).
    pub fn try_summary<const N: usize>(
        &self,
        name: &str,
        help: &str,
        labels: [&str; N],
    ) -> Result<SummaryFamily<N>, Error> {
        self.declare(Desc::new(Kind::Summary, name, help, &labels)?)
    }

    /// Declares a family of counters or gauges whose samples `read` gives each time the page is made: the statistics of
    /// another crate, for example. Declaring it again replaces `read`.
    ///
    /// `read` runs on the thread that renders and under no lock. Samples beyond the cap are left out and counted in
    /// `hearthnet_metrics_overflow_total`; if it panics, the family is empty on that page.
    ///
    /// # Errors
    /// As [`try_counter`](Self::try_counter); [`ErrorKind::Conflict`] for another kind than counter and gauge.
    pub fn collect_with<const N: usize>(
        &self,
        kind: Kind,
        name: &str,
        help: &str,
        labels: [&str; N],
        read: impl Fn(&mut Samples<N>) + Send + Sync + 'static,
    ) -> Result<(), Error> {
        if !matches!(kind, Kind::Counter | Kind::Gauge) {
            let detail = format!("a {kind} cannot be read by a collector; use a counter or a gauge");
            return Err(Error::new(ErrorKind::Conflict, name, detail));
        }
        self.add_collector(Desc::new(kind, name, help, &labels)?, false, read)
    }

    pub(crate) fn add_collector<const N: usize>(
        &self,
        desc: Desc,
        hidden_when_empty: bool,
        read: impl Fn(&mut Samples<N>) + Send + Sync + 'static,
    ) -> Result<(), Error> {
        let mut declared = self.write();
        if let Some(found) = declared.families.get(&desc.name) {
            let is_collector = found.clone().into_any().is::<Collector>();
            if !is_collector || !found.desc().declares_same(&desc) {
                return Err(conflict(&desc, found.desc()));
            }
        } else {
            declared.claim(&desc)?;
        }
        let name = desc.name.clone();
        let cap = self.inner.series_cap.load(Ordering::Relaxed);
        declared.families.insert(name, Arc::new(Collector::new(desc, cap, hidden_when_empty, read)));
        Ok(())
    }

    fn declare<I: Instrument, const N: usize>(&self, desc: Desc) -> Result<Family<I, N>, Error> {
        self.core_of::<I::Cell>(desc).map(Family::new)
    }

    /// The family of this declaration, made now if there is none.
    fn core_of<C: Cell>(&self, desc: Desc) -> Result<Arc<FamilyCore<C>>, Error> {
        let mut declared = self.write();
        if let Some(found) = declared.families.get(&desc.name) {
            let core = found.clone().into_any().downcast::<FamilyCore<C>>();
            return core
                .ok()
                .filter(|core| core.desc.declares_same(&desc))
                .ok_or_else(|| conflict(&desc, found.desc()));
        }
        declared.claim(&desc)?;
        let Inner { is_global, enabled, series_cap, .. } = &*self.inner;
        let name = desc.name.clone();
        let core = FamilyCore::new(
            desc,
            *is_global,
            enabled.load(Ordering::Relaxed),
            series_cap.load(Ordering::Relaxed),
        );
        declared.families.insert(name, core.clone());
        Ok(core)
    }

    /// This registry's family with the same declaration as a global one (M12).
    pub(crate) fn counterpart<C: Cell>(&self, original: &FamilyCore<C>) -> Option<Arc<FamilyCore<C>>> {
        let known = self.read().families.get(&original.desc.name).cloned();
        if let Some(known) = known
            && let Ok(core) = known.into_any().downcast::<FamilyCore<C>>()
            && core.desc.declares_same(&original.desc)
        {
            return Some(core);
        }
        let core = self.core_of::<C>(original.desc.clone()).map_err(|error| report::error(&error)).ok()?;
        core.copy_trust_from(original);
        Some(core)
    }

    /// Applies the settings, live and as often as wanted: what is the same changes nothing. On the global registry it
    /// also begins to serve the `metrics` macros (M8), unless the settings say otherwise; that another recorder has taken
    /// them is logged once and no failure.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] for a cap of 0; nothing is changed then.
    pub fn configure(&self, config: &Config) -> Result<(), Error> {
        config.check()?;
        {
            let declared = self.write();
            self.inner.series_cap.store(config.series_cap, Ordering::Relaxed);
            let was_enabled = self.inner.enabled.swap(config.enabled, Ordering::Relaxed);
            for family in declared.families.values() {
                family.set_cap(config.series_cap);
                if was_enabled != config.enabled {
                    family.set_enabled(config.enabled);
                }
            }
        }
        if config.enabled && GAVE_INERT.swap(false, Ordering::Relaxed) {
            report::once(
                "metrics were switched on after handles had been taken while they were off; those stay silent",
            );
        }
        if config.foreign && config.enabled && self.inner.is_global {
            self.serve_macros().unwrap_or_else(|error| report::error(&error));
        }
        Ok(())
    }

    /// Makes this registry's page show what third-party crates record through the `metrics` macros (M8). A second call
    /// changes nothing.
    ///
    /// # Errors
    /// [`ErrorKind::RecorderTaken`] if the macros already have another recorder.
    pub fn serve_macros(&self) -> Result<(), Error> {
        if self.inner.foreign.get().is_some() {
            return Ok(());
        }
        let foreign = Foreign::new(self.downgrade());
        foreign.install()?;
        _ = self.inner.foreign.set(foreign);
        Ok(())
    }

    /// Whether metrics are off in this registry (M2).
    #[must_use]
    pub fn disabled(&self) -> bool {
        !self.inner.enabled.load(Ordering::Relaxed)
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
        match format {
            Format::Text | Format::OpenMetrics => page::text(self, format),
            Format::Protobuf => {
                report::once(
                    "`render` cannot return protobuf and returned text; call `expose` for any format",
                );
                page::text(self, Format::Text)
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
        match format {
            Format::Text | Format::OpenMetrics => page::text(self, format).into_bytes(),
            Format::Protobuf => page::protobuf(self),
        }
    }

    /// A number for tests: the sum over the series of `name` that carry `labels`, or `None` without any. A histogram or
    /// summary answers with its count; `name_sum` and `name_count` are understood.
    #[must_use]
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let (family, part) = self.find(name)?;
        family.sum(part, labels)
    }

    fn find(&self, name: &str) -> Option<(Arc<dyn AnyFamily>, Part)> {
        let declared = self.read();
        let of = |name: &str| declared.families.get(name).cloned();
        let part = |suffix: &str, part| Some((of(name.strip_suffix(suffix)?)?, part));
        let whole = of(name).or_else(|| of(&format!("{name}_total"))).map(|family| (family, Part::Whole));
        whole.or_else(|| part("_count", Part::Count)).or_else(|| part("_sum", Part::Sum))
    }

    /// Makes this the registry of the current thread until the result is dropped: the free functions of the crate, the
    /// families of [`standard`] and global families held in statics all resolve in it. Handles taken before keep their
    /// series.
    pub fn enter(&self) -> Scope {
        Scope::open(self.clone())
    }

    pub(crate) fn is_global(&self) -> bool {
        self.inner.is_global
    }

    pub(crate) fn families(&self) -> Vec<Arc<dyn AnyFamily>> {
        self.read().families.values().cloned().collect()
    }

    pub(crate) fn foreign(&self) -> Option<&Arc<Foreign>> {
        self.inner.foreign.get()
    }

    pub(crate) fn downgrade(&self) -> WeakRegistry {
        WeakRegistry(Arc::downgrade(&self.inner))
    }

    fn read(&self) -> RwLockReadGuard<'_, Declared> {
        self.inner.declared.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Declared> {
        self.inner.declared.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("families", &self.read().families.len()).finish_non_exhaustive()
    }
}

/// A registry that may be gone.
#[derive(Debug, Clone)]
pub(crate) struct WeakRegistry(Weak<Inner>);

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").finish_non_exhaustive()
    }
}

impl WeakRegistry {
    pub(crate) fn upgrade(&self) -> Option<Registry> {
        self.0.upgrade().map(|inner| Registry { inner })
    }

    /// The declared family that occupies one of these names.
    pub(crate) fn owner_of(&self, names: &[String]) -> Option<Box<str>> {
        let registry = self.upgrade()?;
        let declared = registry.read();
        names.iter().find_map(|name| declared.claims.get(name).cloned())
    }

    pub(crate) fn series_cap(&self) -> usize {
        self.0.upgrade().map_or(DEFAULT_SERIES_CAP, |inner| inner.series_cap.load(Ordering::Relaxed))
    }

    pub(crate) fn is_enabled(&self) -> bool {
        self.0.upgrade().is_some_and(|inner| inner.enabled.load(Ordering::Relaxed))
    }
}

pub(crate) fn or_inert<I: Instrument, const N: usize>(declared: Result<Family<I, N>, Error>) -> Family<I, N> {
    declared.unwrap_or_else(|error| {
        report::error(&error);
        Family::inert()
    })
}
