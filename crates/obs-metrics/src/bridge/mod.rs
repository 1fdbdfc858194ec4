//! Bridge to third-party crates that use the `metrics` macros: a guard in front of the recorder of
//! `metrics-exporter-prometheus`.
//!
//! The guard makes names and labels valid, refuses names that a declared family occupies, and caps series. Only what it
//! admits reaches the recorder. The upkeep keeps the recorder's memory flat while nothing is scraped.

mod guard;
mod keys;
mod page_family;
mod protobuf;
mod sample;
pub(crate) mod scoped;
mod snapshot;
mod text;
mod upkeep;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusRecorder};

use self::guard::{Admitted, Verdict, exposed_name};
use self::keys::KnownKeys;
use self::upkeep::{Upkeep, UpkeptHistogram};
use crate::config::DEFAULT_SERIES_CAP;
use crate::desc::DEFAULT_BUCKETS;
use crate::error::{Error, ErrorKind};
use crate::exposition::kind::{self, Kind};
use crate::family::dynamic::{MacroFamilies, PageFamily};
use crate::family::namespace::Namespace;
use crate::report;

/// Guard and the recorder behind it.
pub(crate) struct Bridge {
    recorder: PrometheusRecorder,
    upkeep: Arc<Upkeep>,
    /// Weak, because the namespace owns the bridge.
    namespace: Weak<Namespace>,
    admitted: RwLock<Admitted>,
    /// Whether this is the recorder of the process. An entered registry has a bridge without being that.
    is_installed: Mutex<bool>,
    counters: KnownKeys<Counter>,
    gauges: KnownKeys<Gauge>,
    histograms: KnownKeys<Histogram>,
}

impl Bridge {
    pub(crate) fn new(namespace: Weak<Namespace>) -> Arc<Self> {
        let builder = PrometheusBuilder::new();
        // Without buckets the recorder would turn every histogram into a summary.
        let builder = builder.set_buckets(DEFAULT_BUCKETS).unwrap_or_else(|_| PrometheusBuilder::new());
        let recorder = builder.build_recorder();
        Arc::new(Self {
            upkeep: Arc::new(Upkeep::new(recorder.handle())),
            recorder,
            namespace,
            admitted: RwLock::default(),
            is_installed: Mutex::new(false),
            counters: KnownKeys::new(),
            gauges: KnownKeys::new(),
            histograms: KnownKeys::new(),
        })
    }

    /// Returns the declared family that occupies one of these names.
    fn owner_of(&self, names: &[String]) -> Option<Box<str>> {
        self.namespace.upgrade()?.owner_of(names)
    }

    fn series_cap(&self) -> usize {
        self.namespace.upgrade().map_or(DEFAULT_SERIES_CAP, |namespace| namespace.series_cap())
    }

    fn is_enabled(&self) -> bool {
        self.namespace.upgrade().is_some_and(|namespace| namespace.is_enabled())
    }

    fn read(&self) -> RwLockReadGuard<'_, Admitted> {
        self.admitted.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Admitted> {
        self.admitted.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn judge(&self, kind: Kind, key: &Key) -> Verdict {
        if !self.is_enabled() {
            return Verdict::Refused;
        }
        let name = exposed_name(kind, key.name());
        let claims = kind::claims(kind, &name);
        let declared = self.owner_of(&claims);
        let cap = self.series_cap();
        // A key that changes nothing, as in a flood once all rows are taken, is judged under the lock for reading, so that
        // many threads are served at once.
        if declared.is_none()
            && let Some(verdict) = self.read().judge(kind, &name, key, cap)
        {
            return verdict;
        }
        let claimed = match declared {
            Some(owner) => Err(owner.into_string()),
            None => self.write().claim(kind, &name, &claims),
        };
        match claimed {
            Ok(()) => self.write().admit(&name, key, cap),
            Err(owner) => self.refuse(&name, &owner),
        }
    }

    fn refuse(&self, name: &str, owner: &str) -> Verdict {
        // A known name is counted under the lock for reading, so that a flood of it is served on many threads.
        if !self.read().count_refused_again(name) {
            self.write().count_refused(name);
            report::once(&format!("{name:?} from the `metrics` macros is refused: it collides with {owner}"));
        }
        Verdict::Refused
    }

    fn register<H: Clone>(
        &self,
        kind: Kind,
        known: &KnownKeys<H>,
        key: &Key,
        none: impl Fn() -> H,
        register: impl Fn(&Key) -> H,
    ) -> H {
        if let Some(handle) = known.get(key) {
            return handle;
        }
        match self.judge(kind, key) {
            Verdict::Series(admitted) => {
                let handle = register(&admitted);
                known.keep(key, &handle);
                handle
            }
            // Not kept: in a flood each key comes once, and keeping it would push out keys in use.
            Verdict::Overflow(overflow) => register(&overflow),
            Verdict::Refused => none(),
        }
    }

    /// Passes the help of a name on, and claims the name, because the help comes before the first sample.
    fn describe(
        &self,
        kind: Kind,
        name: &KeyName,
        help: &SharedString,
        pass_on: impl Fn(KeyName, SharedString),
    ) {
        let name = exposed_name(kind, name.as_str());
        let claims = kind::claims(kind, &name);
        if self.owner_of(&claims).is_none() && self.write().claim(kind, &name, &claims).is_ok() {
            // The recorder keeps a backslash that looks like part of an escape, so it is escaped beforehand.
            pass_on(name.into(), help.replace('\\', "\\\\").into());
        }
    }
}

impl MacroFamilies for Bridge {
    fn install(self: Arc<Self>) -> Result<(), Error> {
        let bridge = self.clone();
        let mut is_installed = self.is_installed.lock().unwrap_or_else(PoisonError::into_inner);
        if *is_installed {
            return Ok(());
        }
        metrics::set_global_recorder(bridge).map_err(|_| {
            let problem =
                "another recorder already serves the macros; this page does not show what they record";
            let advice = "install no other recorder, or switch this off with `foreign(false)`";
            Error::new(ErrorKind::RecorderTaken, "foreign", problem, advice)
        })?;
        *is_installed = true;
        Ok(())
    }

    fn recorder(&self) -> &dyn Recorder {
        self
    }

    /// Leaves out families whose name was declared after they were recorded.
    fn families(&self) -> Vec<Arc<dyn PageFamily>> {
        // Parsed from text, because the recorder offers its families in no other form.
        let families = text::parse(&self.upkeep.render()).into_values();
        let shown = families.filter(|family| {
            let owner = self.owner_of(&kind::claims(family.kind, &family.name));
            if let Some(owner) = &owner {
                let name = &family.name;
                report::once(&format!(
                    "{name:?} from the `metrics` macros is left out: the declared family {owner:?} has that name"
                ));
            }
            owner.is_none()
        });
        shown.map(|family| Arc::new(family) as Arc<dyn PageFamily>).collect()
    }

    fn overflowed(&self) -> Vec<(String, u64)> {
        self.read().overflowed()
    }

    fn nan(&self) -> Vec<(String, u64)> {
        self.read().nan()
    }

    fn refused(&self) -> Vec<(String, u64)> {
        self.read().refused()
    }
}

impl Recorder for Bridge {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.describe(Kind::Counter, &name, &help, |name, help| {
            self.recorder.describe_counter(name, unit, help)
        });
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.describe(Kind::Gauge, &name, &help, |name, help| self.recorder.describe_gauge(name, unit, help));
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.describe(Kind::Histogram, &name, &help, |name, help| {
            self.recorder.describe_histogram(name, unit, help)
        });
    }

    fn register_counter(&self, key: &Key, metadata: &Metadata<'_>) -> Counter {
        let pass_on = |key: &Key| self.recorder.register_counter(key, metadata);
        self.register(Kind::Counter, &self.counters, key, Counter::noop, pass_on)
    }

    fn register_gauge(&self, key: &Key, metadata: &Metadata<'_>) -> Gauge {
        let pass_on = |key: &Key| self.recorder.register_gauge(key, metadata);
        self.register(Kind::Gauge, &self.gauges, key, Gauge::noop, pass_on)
    }

    fn register_histogram(&self, key: &Key, metadata: &Metadata<'_>) -> Histogram {
        let pass_on = |key: &Key| {
            let recorded = self.recorder.register_histogram(key, metadata);
            let nan = self.read().nan_of(key.name());
            Histogram::from_arc(Arc::new(UpkeptHistogram::new(recorded, self.upkeep.clone(), nan)))
        };
        self.register(Kind::Histogram, &self.histograms, key, Histogram::noop, pass_on)
    }
}

impl fmt::Debug for Bridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bridge").field("families", &self.read().len()).finish_non_exhaustive()
    }
}
