//! Families whose samples are read when the page is made: statistics of other crates, the process, a runtime.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::desc::Desc;
use crate::exposition::format::Format;
use crate::exposition::kind::Kind;
use crate::exposition::{protobuf, text};
use crate::family::dynamic::{AnyFamily, PageFamily};
use crate::family::label_value::bounded;
use crate::report;
use crate::snapshot::{FamilySnapshot, SampleValue, SeriesSnapshot};

/// Samples that a collector supplies; see [`Registry::collect_with`](crate::Registry::collect_with).
///
/// ```
/// use obs_metrics::{Kind, Registry, Samples, testing};
///
/// fn lines(samples: &mut Samples<1>) {
///     samples.push(["written"], 12.0);
///     samples.push(["dropped"], 0.0);
/// }
///
/// let registry = Registry::new();
/// registry.collect_with(Kind::Counter, "log_lines_total", "Log lines.", ["outcome"], lines).unwrap();
/// assert_eq!(testing::value(&registry, "log_lines_total", &[("outcome", "written")]), Some(12.0));
/// ```
#[derive(Debug)]
pub struct Samples<const N: usize> {
    rows: Vec<([String; N], f64)>,
}

impl<const N: usize> Samples<N> {
    /// Adds a sample with these label values. Samples with equal values are one series: counters add up, and the last
    /// gauge wins. A counter that is NaN or negative is left out.
    pub fn push(&mut self, values: [&str; N], value: f64) {
        self.rows.push((values.map(|value| bounded(value).into_owned()), value));
    }
}

type Rows = Vec<(Vec<String>, f64)>;

/// Family of a collector.
pub(crate) struct Collector {
    desc: Desc,
    /// Whether the page leaves the family out while it has no samples.
    hidden_when_empty: bool,
    read: Box<dyn Fn() -> Rows + Send + Sync>,
    cap: AtomicUsize,
    overflowed: AtomicU64,
}

impl Collector {
    pub(crate) fn new<const N: usize>(
        desc: Desc,
        cap: usize,
        hidden_when_empty: bool,
        read: impl Fn(&mut Samples<N>) + Send + Sync + 'static,
    ) -> Self {
        let read = move || {
            let mut samples = Samples { rows: Vec::new() };
            read(&mut samples);
            samples.rows.into_iter().map(|(values, value)| (Vec::from(values), value)).collect()
        };
        Self { desc, hidden_when_empty, read: Box::new(read), cap: cap.into(), overflowed: AtomicU64::new(0) }
    }

    /// Returns the series in order. Leaves out series beyond the cap and counts them. A collector that panics has none.
    fn rows(&self) -> BTreeMap<Vec<String>, f64> {
        let Ok(rows) = catch_unwind(AssertUnwindSafe(&self.read)) else {
            report::once(&format!("the collector of {:?} panicked; its samples are missing", self.desc.name));
            return BTreeMap::new();
        };
        let mut unique: BTreeMap<Vec<String>, f64> = BTreeMap::new();
        for (values, value) in rows {
            match self.desc.kind {
                // A server refuses a whole page for one counter that is negative or NaN.
                Kind::Counter if value >= 0.0 => *unique.entry(values).or_default() += value,
                Kind::Counter => {}
                _ => _ = unique.insert(values, value),
            }
        }
        // Relaxed: the setting guards no data.
        let cap = self.cap.load(Ordering::Relaxed);
        // The last ones in order are left out, so that the same series stay from page to page.
        while unique.len() > cap {
            unique.pop_last();
            self.overflowed.fetch_add(1, Ordering::Relaxed);
        }
        unique
    }

    /// Returns the series, or `None` if the page leaves the family out.
    fn shown_rows(&self) -> Option<BTreeMap<Vec<String>, f64>> {
        let rows = self.rows();
        let is_shown = !rows.is_empty() || !self.hidden_when_empty;
        is_shown.then_some(rows)
    }
}

impl PageFamily for Collector {
    fn name(&self) -> &str {
        &self.desc.name
    }

    fn encode(&self, format: Format, out: &mut String) {
        let Some(rows) = self.shown_rows() else { return };
        let Desc { kind, name, help, labels, .. } = &self.desc;
        text::push_header(out, *kind, name, help, format);
        for (values, value) in rows {
            text::push_scalar_prefix(out, name, labels, &values);
            text::push_f64(out, value);
            out.push('\n');
        }
    }

    fn encode_protobuf(&self, out: &mut Vec<u8>) {
        let Some(rows) = self.shown_rows() else { return };
        let Desc { kind, name, help, labels, .. } = &self.desc;
        protobuf::push_family(out, *kind, name, help, |out| {
            for (values, value) in &rows {
                protobuf::push_metric(out, labels.iter().zip(values), |out| match kind {
                    Kind::Counter => protobuf::push_counter(out, *value, None),
                    _ => protobuf::push_gauge(out, *value),
                });
            }
        });
    }

    fn kind(&self) -> Kind {
        self.desc.kind
    }

    fn snapshot(&self) -> FamilySnapshot {
        let Desc { kind, name, help, labels, .. } = &self.desc;
        let value = |value| match kind {
            Kind::Counter => SampleValue::Counter(value),
            _ => SampleValue::Gauge(value),
        };
        let rows = self.rows().into_iter();
        let series =
            rows.map(|(values, number)| SeriesSnapshot::new(labels, &values, value(number), None)).collect();
        FamilySnapshot { name: name.to_string(), help: help.to_string(), kind: *kind, series }
    }
}

impl AnyFamily for Collector {
    fn desc(&self) -> &Desc {
        &self.desc
    }

    fn is_empty(&self) -> bool {
        self.rows().is_empty()
    }

    /// Does nothing: a collector records nothing.
    fn set_enabled(&self, _enabled: bool) {}

    fn set_cap(&self, cap: usize) {
        self.cap.store(cap, Ordering::Relaxed);
    }

    fn overflowed(&self) -> u64 {
        self.overflowed.load(Ordering::Relaxed)
    }

    fn nan(&self) -> u64 {
        0
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").field("desc", &self.desc).finish_non_exhaustive()
    }
}
