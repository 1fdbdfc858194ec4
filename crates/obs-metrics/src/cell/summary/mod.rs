//! Storage of a summary.

mod window;

use std::sync::LazyLock;
use std::time::Instant;

use self::window::Window;
use super::histogram::HistogramCell;
use super::histogram::snapshot::Snapshot;
use super::{Cell, Observed};
use crate::desc::Desc;
use crate::exposition::format::Format;
use crate::exposition::{protobuf, text};
use crate::snapshot::{SampleValue, SummaryValue};

/// Quantiles that a summary shows.
pub const QUANTILES: [f64; 4] = [0.5, 0.9, 0.95, 0.99];

/// Encoded label of each quantile.
const QUANTILE_LABELS: [&str; 4] =
    ["quantile=\"0.5\"", "quantile=\"0.9\"", "quantile=\"0.95\"", "quantile=\"0.99\""];

/// Rolling window for the quantiles, and a histogram without bounds for sum and count.
#[derive(Debug)]
pub struct SummaryCell {
    window: Window,
    totals: HistogramCell,
}

impl Observed for SummaryCell {
    fn observe(&self, value: f64) {
        // Bucket 0 is the only one: the totals need no distribution.
        self.totals.record(0, value);
        self.window.record(seconds(), value);
    }
}

impl SummaryCell {
    /// Returns the value that the share `q` of the values in the window does not exceed.
    pub(crate) fn quantile(&self, q: f64) -> f64 {
        self.window.quantiles(seconds(), [q])[0]
    }

    pub(crate) fn totals(&self) -> Snapshot {
        self.totals.snapshot()
    }
}

/// Returns the seconds since the first call, on a clock that never steps back.
fn seconds() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed().as_secs()
}

impl Cell for SummaryCell {
    type Reading = Snapshot;

    fn new(_desc: &Desc) -> Self {
        Self { window: Window::new(), totals: HistogramCell::with_bounds(&[], false) }
    }

    fn prefix(desc: &Desc, values: &[Box<str>], out: &mut String) {
        text::push_labels(out, &desc.labels, values);
    }

    fn read(&self) -> Snapshot {
        self.totals()
    }

    fn encode(&self, totals: &Snapshot, desc: &Desc, labels: &str, format: Format, out: &mut String) {
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

    fn value_of(&self, totals: Snapshot, _desc: &Desc) -> SampleValue {
        let quantiles = QUANTILES.into_iter().zip(self.window.quantiles(seconds(), QUANTILES)).collect();
        SampleValue::Summary(SummaryValue { quantiles, sum: totals.sum, count: totals.count() })
    }
}
