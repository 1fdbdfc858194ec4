//! Third-party crates that use the `metrics` macros (M8): a guard in front of the recorder of
//! `metrics-exporter-prometheus`.
//!
//! The guard (`foreign_guard.rs`) makes names and labels valid, refuses a name that a declared family occupies and caps
//! series; only what it lets through reaches the recorder, whose memory is kept flat while nobody scrapes.

mod guard;
mod keys;
mod protobuf;
pub(crate) mod text;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use metrics::{Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use crate::bridge::guard::{Admitted, Verdict, exposed_name};
use crate::bridge::keys::Known;
use crate::bridge::text::ForeignFamily;
use crate::error::{Error, ErrorKind};
use crate::family::desc::{self, DEFAULT_BUCKETS, Kind};
use crate::family::series::count;
use crate::registry::WeakRegistry;
use crate::report;

/// Histogram samples that the recorder may hold before somebody empties them into buckets.
const UPKEEP_EVERY: u64 = 4096;

/// The guard and the recorder behind it.
pub(crate) struct Foreign {
    recorder: PrometheusRecorder,
    upkeep: Arc<Upkeep>,
    registry: WeakRegistry,
    admitted: RwLock<Admitted>,
    counters: Known<Counter>,
    gauges: Known<Gauge>,
    histograms: Known<Histogram>,
}

impl Foreign {
    pub(crate) fn new(registry: WeakRegistry) -> Arc<Self> {
        let builder = PrometheusBuilder::new();
        // Without buckets the recorder would turn every histogram into a summary.
        let builder = builder.set_buckets(DEFAULT_BUCKETS).unwrap_or_else(|_| PrometheusBuilder::new());
        let recorder = builder.build_recorder();
        let upkeep = Arc::new(Upkeep {
            handle: recorder.handle(),
            samples: AtomicU64::new(0),
            running: Mutex::new(()),
        });
        Arc::new(Self {
            recorder,
            upkeep,
            registry,
            admitted: RwLock::default(),
            counters: Known::new(),
            gauges: Known::new(),
            histograms: Known::new(),
        })
    }

    pub(crate) fn install(self: &Arc<Self>) -> Result<(), Error> {
        metrics::set_global_recorder(self.clone()).map_err(|_| {
            let detail =
                "another recorder serves the `metrics` macros already; what they record is not on this page";
            Error::new(ErrorKind::RecorderTaken, "metrics", detail)
        })
    }

    /// The families recorded so far by name, without those whose name was declared meanwhile.
    pub(crate) fn families(&self) -> BTreeMap<String, ForeignFamily> {
        let mut families = text::parse(&self.upkeep.handle.render());
        families.retain(|name, family| {
            let owner = self.registry.owner_of(&desc::claims(family.kind, name));
            if let Some(owner) = &owner {
                report::once(&format!(
                    "{name:?} from the `metrics` macros gives way to the declared family {owner:?}"
                ));
            }
            owner.is_none()
        });
        families
    }

    /// Look-ups that ended in the overflow series, by family.
    pub(crate) fn overflowed(&self) -> Vec<(String, u64)> {
        self.read().overflowed()
    }

    /// Observations of NaN, by family.
    pub(crate) fn nan(&self) -> Vec<(String, u64)> {
        self.read().nan()
    }

    /// Look-ups of refused names.
    pub(crate) fn refused(&self) -> Vec<(String, u64)> {
        self.read().refused()
    }

    fn read(&self) -> RwLockReadGuard<'_, Admitted> {
        self.admitted.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Admitted> {
        self.admitted.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn judge(&self, kind: Kind, key: &Key) -> Verdict {
        if !self.registry.is_enabled() {
            return Verdict::Refused;
        }
        let name = exposed_name(kind, key.name());
        let claims = desc::claims(kind, &name);
        let declared = self.registry.owner_of(&claims);
        let cap = self.registry.series_cap();
        // What changes nothing, as in a flood once all places are taken, is judged by any number of threads at a time.
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
        if !self.read().count_refused_again(name) {
            self.write().count_refused(name);
            report::once(&format!("{name:?} from the `metrics` macros is refused: it collides with {owner}"));
        }
        Verdict::Refused
    }

    fn register<H: Clone>(
        &self,
        kind: Kind,
        known: &Known<H>,
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
            Verdict::Overflow(stand_in) => register(&stand_in),
            Verdict::Refused => none(),
        }
    }

    /// Help comes before the first sample, so describing a name claims it.
    fn describe(
        &self,
        kind: Kind,
        name: &KeyName,
        help: &SharedString,
        pass_on: impl Fn(KeyName, SharedString),
    ) {
        let name = exposed_name(kind, name.as_str());
        let claims = desc::claims(kind, &name);
        if self.registry.owner_of(&claims).is_none() && self.write().claim(kind, &name, &claims).is_ok() {
            pass_on(name.into(), help.replace('\\', "\\\\").into());
        }
    }
}

/// The recorder keeps every histogram sample until somebody runs its upkeep. A page does, and between pages whoever
/// brings the 4096th sample.
struct Upkeep {
    handle: PrometheusHandle,
    samples: AtomicU64,
    running: Mutex<()>,
}

impl Upkeep {
    fn add(&self, samples: u64) {
        let before = self.samples.fetch_add(samples, Ordering::Relaxed);
        if before / UPKEEP_EVERY != (before + samples) / UPKEEP_EVERY
            && let Ok(_running) = self.running.try_lock()
        {
            self.handle.run_upkeep();
        }
    }
}

struct UpkeptHistogram {
    recorded: Histogram,
    upkeep: Arc<Upkeep>,
    nan: Arc<AtomicU64>,
}

impl HistogramFn for UpkeptHistogram {
    fn record(&self, value: f64) {
        if value.is_nan() {
            return count(&self.nan);
        }
        self.recorded.record(value);
        self.upkeep.add(1);
    }
}

impl Recorder for Foreign {
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
            let (upkeep, nan) = (self.upkeep.clone(), self.read().nan_of(key.name()));
            Histogram::from_arc(Arc::new(UpkeptHistogram { recorded, upkeep, nan }))
        };
        self.register(Kind::Histogram, &self.histograms, key, Histogram::noop, pass_on)
    }
}

impl fmt::Debug for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Foreign").field("families", &self.read().len()).finish_non_exhaustive()
    }
}
