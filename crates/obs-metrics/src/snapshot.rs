//! Contents of a registry at one moment, as values.

use std::time::SystemTime;

use crate::exposition::exemplar::Exemplar;
use crate::exposition::kind::Kind;
use crate::exposition::native::NativeBuckets;

/// Family of a registry at one moment; see [`Registry::snapshot`](crate::Registry::snapshot).
///
/// ```
/// use obs_metrics::{Registry, SampleValue};
///
/// let registry = Registry::new();
/// registry.counter("calls_total", "Calls answered.", ["result"]).with(["ok"]).inc();
/// let families = registry.snapshot(|name, _| name == "calls_total");
/// assert_eq!(families[0].series[0].labels, [("result".to_owned(), "ok".to_owned())]);
/// assert_eq!(families[0].series[0].value, SampleValue::Counter(1.0));
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct FamilySnapshot {
    /// Name, as the text format shows it: a counter's ends in `_total`.
    pub name: String,
    /// Description.
    pub help: String,
    /// Kind of its series.
    pub kind: Kind,
    /// Series in order of their labels.
    pub series: Vec<SeriesSnapshot>,
}

/// Series of a [`FamilySnapshot`].
///
/// ```
/// let registry = obs_metrics::Registry::new();
/// registry.gauge("depth", "Depth.", ["queue"]).set(["mail"], 2.0);
/// let family = registry.snapshot(|name, _| name == "depth").remove(0);
/// assert_eq!(family.series[0].label("queue"), Some("mail"));
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SeriesSnapshot {
    /// Names and values of its labels, in the order of the declaration.
    pub labels: Vec<(String, String)>,
    /// Value of the series.
    pub value: SampleValue,
    /// The newest of its observations whose trace is known. Counters and histograms have one.
    pub exemplar: Option<ExemplarSnapshot>,
}

/// Observation of a [`SeriesSnapshot`] with its trace.
///
/// ```
/// # let registry = obs_metrics::Registry::new();
/// # registry.counter("calls_total", "Calls.", []).inc([]);
/// for series in &registry.snapshot(|name, _| name == "calls_total")[0].series {
///     let _trace = series.exemplar.as_ref().map(|exemplar| exemplar.trace_id.as_str());
/// }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ExemplarSnapshot {
    /// Trace ID, as the source of trace IDs gave it.
    pub trace_id: String,
    /// Observed value, or growth of a counter.
    pub value: f64,
    /// Time of the observation.
    pub at: SystemTime,
}

impl From<Exemplar> for ExemplarSnapshot {
    fn from(exemplar: Exemplar) -> Self {
        Self { trace_id: exemplar.trace_id().to_owned(), value: exemplar.value, at: exemplar.at }
    }
}

impl SeriesSnapshot {
    pub(crate) fn new<V: AsRef<str>>(
        names: &[Box<str>],
        values: &[V],
        value: SampleValue,
        exemplar: Option<ExemplarSnapshot>,
    ) -> Self {
        let labels =
            names.iter().zip(values).map(|(name, value)| (name.to_string(), value.as_ref().to_owned()));
        Self { labels: labels.collect(), value, exemplar }
    }

    /// Returns the value of a label. `None` if the series has no such label.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// Value of a series. Counts and sums cover the time since the series began.
///
/// ```
/// use obs_metrics::{Registry, SampleValue};
///
/// let registry = Registry::new();
/// registry.histogram("wait_seconds", "Waits.", [], &[]).native().observe([], 0.25);
/// let family = registry.snapshot(|name, _| name == "wait_seconds").remove(0);
/// let SampleValue::Histogram(waits) = &family.series[0].value else { panic!() };
/// assert_eq!((waits.count(), waits.sum), (1, 0.25));
/// assert!(waits.native.as_ref().unwrap().quantile(0.5).is_some());
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum SampleValue {
    /// Value of a counter.
    Counter(f64),
    /// Value of a gauge.
    Gauge(f64),
    /// Contents of a histogram.
    Histogram(HistogramValue),
    /// Contents of a summary.
    Summary(SummaryValue),
}

/// Contents of a histogram. Buckets and sum belong to the same observations.
///
/// ```
/// use obs_metrics::{Registry, SampleValue};
///
/// let registry = Registry::new();
/// registry.histogram("size_bytes", "Sizes.", [], &[10.0, 100.0]).observe([], 7.0);
/// let family = registry.snapshot(|name, _| name == "size_bytes").remove(0);
/// let SampleValue::Histogram(sizes) = &family.series[0].value else { panic!() };
/// assert_eq!((&sizes.bounds[..], &sizes.counts[..]), (&[10.0, 100.0][..], &[1, 0, 0][..]));
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct HistogramValue {
    /// Upper bounds of the buckets in ascending order, without that of the last one, which is infinite.
    pub bounds: Vec<f64>,
    /// Observations in each bucket, not cumulative. There is one more than there are bounds.
    pub counts: Vec<u64>,
    /// Sum of the observations, in the unit of the family's name.
    pub sum: f64,
    /// The same observations in native buckets, in full resolution. `None` unless the histogram is native.
    pub native: Option<NativeBuckets>,
}

impl HistogramValue {
    /// Returns the number of observations.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// Contents of a summary.
///
/// ```
/// use obs_metrics::{Registry, SampleValue};
///
/// let registry = Registry::new();
/// registry.summary("wait_ms", "Waits.", []).with([]).observe(3.0);
/// let family = registry.snapshot(|name, _| name == "wait_ms").remove(0);
/// let SampleValue::Summary(waits) = &family.series[0].value else { panic!() };
/// assert_eq!((waits.count, waits.sum), (1, 3.0));
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SummaryValue {
    /// Shares (0 to 1), and the value that each share of the last five minutes' observations does not exceed.
    pub quantiles: Vec<(f64, f64)>,
    /// Sum of all observations.
    pub sum: f64,
    /// Number of all observations.
    pub count: u64,
}
