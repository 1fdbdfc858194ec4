//! Families whose samples are read when the page is asked for: other crates' statistics, the process, a runtime.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::exposition::format::Format;
use crate::exposition::protobuf;
use crate::exposition::text;
use crate::family::core::matches;
use crate::family::desc::{Desc, Kind};
use crate::family::label_value::bounded;
use crate::report;

/// Where a collector puts its samples; see [`Registry::collect_with`](crate::Registry::collect_with).
///
/// ```
/// use obs_metrics::{Kind, Registry, Samples};
///
/// fn lines(samples: &mut Samples<1>) {
///     samples.push(["written"], 12.0);
///     samples.push(["dropped"], 0.0);
/// }
///
/// let registry = Registry::new();
/// registry.collect_with(Kind::Counter, "log_lines_total", "Log lines.", ["outcome"], lines).unwrap();
/// assert_eq!(registry.value("log_lines_total", &[("outcome", "written")]), Some(12.0));
/// ```
#[derive(Debug)]
pub struct Samples<const N: usize> {
    rows: Vec<([String; N], f64)>,
}

impl<const N: usize> Samples<N> {
    /// Adds the sample with these label values. Samples with the same values are one series: counters add up, of gauges
    /// the last one stays. A counter that is NaN or below zero is left out.
    pub fn push(&mut self, values: [&str; N], value: f64) {
        self.rows.push((values.map(|value| bounded(value).into_owned()), value));
    }
}

type Rows = Vec<(Vec<String>, f64)>;

pub(crate) struct Collector {
    pub(crate) desc: Desc,
    /// Left out of the page while it has no samples.
    hidden_when_empty: bool,
    read: Box<dyn Fn() -> Rows + Send + Sync>,
    cap: AtomicUsize,
    pub(crate) overflowed: AtomicU64,
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

    pub(crate) fn set_cap(&self, cap: usize) {
        self.cap.store(cap, Ordering::Relaxed);
    }

    /// In order and unique. Samples beyond the cap are left out and counted; a collector that panics has none.
    fn rows(&self) -> BTreeMap<Vec<String>, f64> {
        let Ok(rows) = catch_unwind(AssertUnwindSafe(&self.read)) else {
            report::once(&format!("the collector of {:?} panicked; its samples are missing", self.desc.name));
            return BTreeMap::new();
        };
        let mut unique: BTreeMap<Vec<String>, f64> = BTreeMap::new();
        for (values, value) in rows {
            match self.desc.kind {
                // No counter stands below zero, and a page on which one does is refused as a whole.
                Kind::Counter if value >= 0.0 => *unique.entry(values).or_default() += value,
                Kind::Counter => {}
                _ => _ = unique.insert(values, value),
            }
        }
        let cap = self.cap.load(Ordering::Relaxed);
        while unique.len() > cap {
            unique.pop_last();
            self.overflowed.fetch_add(1, Ordering::Relaxed);
        }
        unique
    }

    /// `None` if the family is left out of the page.
    fn shown_rows(&self) -> Option<BTreeMap<Vec<String>, f64>> {
        let rows = self.rows();
        let is_shown = !rows.is_empty() || !self.hidden_when_empty;
        is_shown.then_some(rows)
    }

    pub(crate) fn encode(&self, format: Format, out: &mut String) {
        let Some(rows) = self.shown_rows() else { return };
        let Desc { kind, name, help, labels, .. } = &self.desc;
        text::push_header(out, *kind, name, help, format);
        for (values, value) in rows {
            let values: Vec<Cow<'_, str>> =
                values.iter().map(|value| Cow::Borrowed(value.as_str())).collect();
            text::push_scalar_prefix(out, name, labels, &values);
            text::push_f64(out, value);
            out.push('\n');
        }
    }

    pub(crate) fn encode_protobuf(&self, out: &mut Vec<u8>) {
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

    pub(crate) fn sum(&self, labels: &[(&str, &str)]) -> Option<f64> {
        let rows = self.rows();
        let matching = rows.iter().filter(|(values, _)| matches(&self.desc.labels, values, labels));
        matching.map(|(_, value)| *value).reduce(|sum, value| sum + value)
    }
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").field("desc", &self.desc).finish_non_exhaustive()
    }
}
