//! Summaries: quantiles over a rolling window, a sum and a count since the start (M4).

mod window;

use std::cell::RefCell;
use std::fmt;
use std::sync::{Arc, LazyLock};
use std::thread::LocalKey;
use std::time::Instant;

use crate::cell::histogram::HistogramCell;
use crate::cell::histogram::shard::Snapshot;
use crate::cell::summary::window::Window;
use crate::exposition::format::Format;
use crate::exposition::protobuf;
use crate::exposition::text;
use crate::family::desc::{Desc, Kind};
use crate::family::lookup_cache::Cache;
use crate::family::series::{Cell, Part, Series};

/// The quantiles that a summary shows.
pub const QUANTILES: [f64; 4] = [0.5, 0.9, 0.95, 0.99];

const QUANTILE_LABELS: [&str; 4] =
    ["quantile=\"0.5\"", "quantile=\"0.9\"", "quantile=\"0.95\"", "quantile=\"0.99\""];

/// A summary of one series, to be held: clones observe into the same series.
///
/// Its quantiles are those of the last five minutes, within 2 % for values between 2⁻¹² and 2²⁸; NaN while nothing was
/// observed in that time. Its sum and count go on from the start, as counters do.
///
/// ```
/// let registry = obs_metrics::Registry::new();
/// let waits = registry.summary("wait_ms", "Waits.", []).with([]);
/// (1..=100).for_each(|ms| waits.observe(f64::from(ms)));
/// let median = waits.quantile(0.5);
/// assert!((49.0..=51.0).contains(&median));
/// ```
#[derive(Clone, Default)]
pub struct Summary(pub(crate) Option<Arc<Series<SummaryCell>>>);

impl Summary {
    /// Records one value. NaN is counted apart, in `hearthnet_metrics_nan_total{metric}`.
    #[inline]
    pub fn observe(&self, value: f64) {
        let Some(series) = &self.0 else { return };
        if value.is_nan() {
            return series.count_nan();
        }
        series.write(move |cell| cell.observe(value));
    }

    /// The value that a share `q` (0 to 1) of the window's observations does not exceed; NaN without any.
    #[must_use]
    pub fn quantile(&self, q: f64) -> f64 {
        self.0.as_ref().map_or(f64::NAN, |series| series.cell.window.quantiles(seconds(), [q])[0])
    }

    /// How many values were observed since the start; 0 for a handle that does nothing.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.as_ref().map_or(0, |series| series.cell.totals.snapshot().count())
    }

    /// The sum of the values observed since the start; 0 for a handle that does nothing.
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.0.as_ref().map_or(0.0, |series| series.cell.totals.snapshot().sum)
    }
}

impl fmt::Debug for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Summary").field("count", &self.count()).field("sum", &self.sum()).finish()
    }
}

/// Seconds on a clock that never steps back.
fn seconds() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed().as_secs()
}

/// A window for the quantiles, a histogram without bounds for sum and count.
#[derive(Debug)]
pub struct SummaryCell {
    window: Window,
    totals: HistogramCell,
}

impl SummaryCell {
    fn observe(&self, value: f64) {
        self.totals.record(0, value);
        self.window.record(seconds(), value);
    }
}

thread_local! {
    static CACHE: RefCell<Cache<SummaryCell>> = const { RefCell::new(Cache::new()) };
}

impl Cell for SummaryCell {
    const KIND: Kind = Kind::Summary;

    fn new(_desc: &Desc) -> Self {
        Self { window: Window::new(), totals: HistogramCell::new(&[], false) }
    }

    fn cache() -> &'static LocalKey<RefCell<Cache<Self>>> {
        &CACHE
    }

    fn prefix(desc: &Desc, values: &[Box<str>], out: &mut String) {
        text::push_labels(out, &desc.labels, values);
    }

    type Reading = Snapshot;

    fn read(&self) -> Snapshot {
        self.totals.snapshot()
    }

    fn encode(&self, totals: Snapshot, desc: &Desc, labels: &str, format: Format, out: &mut String) {
        for (label, value) in QUANTILE_LABELS.into_iter().zip(self.window.quantiles(seconds(), QUANTILES)) {
            text::push_sample_name(out, &desc.name, "", labels, label);
            text::push_f64(out, value);
            out.push('\n');
        }
        if text::may_show_sum(format, totals.sum) {
            text::push_sum(out, &desc.name, labels, totals.sum);
        }
        text::push_count(out, &desc.name, labels, totals.count());
    }

    fn encode_protobuf(&self, totals: Snapshot, _desc: &Desc, out: &mut Vec<u8>) {
        let quantiles = QUANTILES.into_iter().zip(self.window.quantiles(seconds(), QUANTILES));
        protobuf::push_summary(out, totals.count(), totals.sum, quantiles);
    }

    fn number(totals: Snapshot, part: Part) -> Option<f64> {
        HistogramCell::number(totals, part)
    }
}
