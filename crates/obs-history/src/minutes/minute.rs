//! Contents of one minute, on the way to the file.

use std::sync::Arc;

use obs_metrics::SeriesSnapshot;

/// Name of a series: its family, and its labels as a JSON object.
#[derive(Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct SeriesName {
    pub(super) family: String,
    pub(super) labels: String,
}

impl SeriesName {
    pub(super) fn of(family: &str, series: &SeriesSnapshot) -> SeriesName {
        let labels = series.labels.iter().map(|(name, value)| (name.clone(), value.as_str().into()));
        let labels: serde_json::Map<String, serde_json::Value> = labels.collect();
        SeriesName { family: family.to_owned(), labels: serde_json::Value::Object(labels).to_string() }
    }
}

/// Change of a series in a minute.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Change {
    /// Growth of a counter.
    Counter(f64),
    Gauge(GaugeChange),
    Histogram(HistogramChange),
}

/// Values of a gauge in a minute. The last one is `None` if the gauge has ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct GaugeChange {
    pub(super) min: f64,
    pub(super) max: f64,
    pub(super) last: Option<f64>,
}

/// Observations of a histogram in a minute.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct HistogramChange {
    pub(super) sum: f64,
    pub(super) buckets: obs_metrics::NativeBuckets,
}

/// All changes of a minute.
#[derive(Clone, Debug)]
pub(super) struct Minute {
    pub(super) minute: i64,
    /// Stretch that it belongs to, by its number in this process.
    pub(super) stretch: u64,
    pub(super) changes: Vec<(Arc<SeriesName>, Change)>,
}

impl Minute {
    /// Returns about the number of bytes that it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        // Names are shared with the reading before, so they are not counted.
        let change = |change: &Change| match change {
            Change::Histogram(histogram) => {
                64 * (2 + histogram.buckets.positive.len() + histogram.buckets.negative.len())
            }
            _ => 64,
        };
        128 + self.changes.iter().map(|(_, of)| change(of)).sum::<usize>()
    }
}
