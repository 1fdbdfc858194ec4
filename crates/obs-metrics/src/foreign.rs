//! Third-party crates that use the `metrics` macros (M8): a guard in front of the recorder of
//! `metrics-exporter-prometheus`.
//!
//! The guard makes names and labels valid, refuses a name that a declared family occupies, caps series and keeps the
//! recorder's memory flat while nobody scrapes. Only what it lets through reaches the recorder.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use metrics::{
    Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Label, Metadata, Recorder, SharedString, Unit,
};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use crate::desc::{self, DEFAULT_BUCKETS, Kind};
use crate::error::{Error, ErrorKind};
use crate::foreign_text::{self, ForeignFamily};
use crate::label_value::{OVERFLOW, bounded};
use crate::registry::WeakRegistry;
use crate::report;

/// Names may be made at run time too, so their number is capped as series are.
const MOST_FAMILIES: usize = 1024;

/// Histogram samples that the recorder may hold before somebody empties them into buckets.
const UPKEEP_EVERY: u64 = 4096;

/// The guard and the recorder behind it.
pub(crate) struct Foreign {
    recorder: PrometheusRecorder,
    upkeep: Arc<Upkeep>,
    registry: WeakRegistry,
    admitted: Mutex<Admitted>,
    counters: Known<Counter>,
    gauges: Known<Gauge>,
    histograms: Known<Histogram>,
}

#[derive(Default)]
struct Admitted {
    families: HashMap<String, Family>,
    claims: HashMap<String, String>,
    refused: u64,
}

struct Family {
    kind: Kind,
    series: HashSet<Vec<(String, String)>>,
    overflowed: u64,
}

/// Handles by the key as it came, so that a macro that runs again does not pass the guard again. Only admitted keys are
/// kept, so it is as bounded as the series are.
struct Known<H>(RwLock<HashMap<Key, H>>);

impl<H: Clone> Known<H> {
    fn new() -> Self {
        Self(RwLock::default())
    }

    fn get(&self, key: &Key) -> Option<H> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn keep(&self, key: &Key, handle: &H) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(key.to_retained(), handle.clone());
    }
}

enum Verdict {
    /// Pass on under this key.
    Series(Key),
    /// The family is full: pass on, but remember nothing of the key.
    Overflow(Key),
    Refused,
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
            admitted: Mutex::default(),
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
        let mut families = foreign_text::parse(&self.upkeep.handle.render());
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
        let admitted = self.lock();
        let losing = admitted.families.iter().filter(|(_, family)| family.overflowed > 0);
        losing.map(|(name, family)| (name.clone(), family.overflowed)).collect()
    }

    /// Look-ups of refused names.
    pub(crate) fn refused(&self) -> Vec<(String, u64)> {
        match self.lock().refused {
            0 => Vec::new(),
            refused => vec![("foreign".to_owned(), refused)],
        }
    }

    fn lock(&self) -> MutexGuard<'_, Admitted> {
        self.admitted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn judge(&self, kind: Kind, key: &Key) -> Verdict {
        if !self.registry.is_enabled() {
            return Verdict::Refused;
        }
        let name = exposed_name(kind, key.name());
        let claims = desc::claims(kind, &name);
        let declared = self.registry.owner_of(&claims);
        let cap = self.registry.series_cap();
        let mut admitted = self.lock();
        match declared.map_or_else(|| admitted.claim(kind, &name, &claims), |owner| Err(owner.into_string()))
        {
            Ok(()) => admitted.admit(&name, key, cap),
            Err(owner) => {
                admitted.refused += 1;
                drop(admitted);
                report::once(&format!(
                    "{name:?} from the `metrics` macros is refused: it collides with {owner}"
                ));
                Verdict::Refused
            }
        }
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
        if self.registry.owner_of(&claims).is_none() && self.lock().claim(kind, &name, &claims).is_ok() {
            pass_on(name.into(), help.replace('\\', "\\\\").into());
        }
    }
}

impl Admitted {
    /// Takes the name for a family of this kind, or says what stands in the way.
    fn claim(&mut self, kind: Kind, name: &str, claims: &[String]) -> Result<(), String> {
        if let Some(family) = self.families.get(name) {
            return if family.kind == kind {
                Ok(())
            } else {
                Err(format!("the {} of that name", family.kind))
            };
        }
        if let Some(owner) = claims.iter().find_map(|claim| self.claims.get(claim)) {
            return Err(owner.clone());
        }
        if self.families.len() >= MOST_FAMILIES {
            return Err(format!("the limit of {MOST_FAMILIES} names"));
        }
        self.claims.extend(claims.iter().map(|claim| (claim.clone(), name.to_owned())));
        self.families.insert(name.to_owned(), Family { kind, series: HashSet::new(), overflowed: 0 });
        Ok(())
    }

    fn admit(&mut self, name: &str, key: &Key, cap: usize) -> Verdict {
        let Some(family) = self.families.get_mut(name) else { return Verdict::Refused };
        let labels = valid_labels(key.labels());
        let is_new = !family.series.contains(&labels);
        if is_new && !labels.is_empty() && family.series.len() + 1 >= cap {
            family.overflowed += 1;
            let collapsed = labels.into_iter().map(|(label, _)| (label, OVERFLOW.to_owned()));
            return Verdict::Overflow(key_of(name, family.stand_in(collapsed.collect())));
        }
        if is_new {
            family.series.insert(labels.clone());
        }
        Verdict::Series(key_of(name, labels))
    }
}

impl Family {
    /// One stand-in for each set of label names that was admitted; whatever else comes is counted without labels.
    fn stand_in(&self, collapsed: Vec<(String, String)>) -> Vec<(String, String)> {
        let known = self.series.iter().any(|series| {
            series.len() == collapsed.len()
                && series.iter().zip(&collapsed).all(|(own, other)| own.0 == other.0)
        });
        if known { collapsed } else { Vec::new() }
    }
}

fn key_of(name: &str, labels: Vec<(String, String)>) -> Key {
    let labels: Vec<Label> =
        labels.into_iter().map(|(label, value)| Label::new(label, escaped(&value))).collect();
    Key::from_parts(name.to_owned(), labels)
}

/// The recorder leaves a backslash alone that looks as if it escaped something, so different values come out alike.
/// Escaped beforehand they do not; it escapes a line feed itself.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"")
}

fn exposed_name(kind: Kind, name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let mut valid: String = name.chars().take(200).map(|c| if fits(c) { c } else { '_' }).collect();
    if valid.is_empty() || valid.starts_with("__") || valid.starts_with(|c: char| c.is_ascii_digit()) {
        valid.insert_str(0, "foreign_");
    }
    if valid == "_total" {
        valid.insert_str(0, "foreign");
    }
    desc::exposed_name(kind, &valid)
}

/// In order, without a name twice, none reserved, the values bounded.
fn valid_labels<'a>(labels: impl Iterator<Item = &'a Label>) -> Vec<(String, String)> {
    let mut valid: Vec<(String, String)> = Vec::new();
    for label in labels {
        let name = valid_label(label.key());
        let value = bounded(label.value()).into_owned();
        if !valid.iter().any(|(taken, _)| *taken == name) {
            valid.push((name, value));
        }
    }
    valid.sort();
    valid
}

fn valid_label(name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let valid: String = name.chars().take(100).map(|c| if fits(c) { c } else { '_' }).collect();
    let odd = valid.is_empty() || valid.starts_with(|c: char| c.is_ascii_digit());
    if odd || desc::is_reserved_label(&valid) { format!("exported_{valid}") } else { valid }
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
}

impl HistogramFn for UpkeptHistogram {
    fn record(&self, value: f64) {
        if !value.is_nan() {
            self.recorded.record(value);
            self.upkeep.add(1);
        }
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
            Histogram::from_arc(Arc::new(UpkeptHistogram { recorded, upkeep: self.upkeep.clone() }))
        };
        self.register(Kind::Histogram, &self.histograms, key, Histogram::noop, pass_on)
    }
}

impl fmt::Debug for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Foreign").field("families", &self.lock().families.len()).finish_non_exhaustive()
    }
}
