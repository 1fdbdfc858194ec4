//! Request durations: a summary in milliseconds and a histogram in seconds, fed by the same observation.

use std::time::Duration;

use crate::family::handle::histogram::Histogram;
use crate::family::handle::summary::Summary;
use crate::family::{HistogramFamily, SummaryFamily};

/// Summary and histogram of request durations; see [`request_duration_ms`](super::request_duration_ms).
///
/// ```
/// use std::time::Duration;
///
/// let chat = obs_metrics::standard::request_duration_ms().with(["llm.chat"]); // a handle to keep
/// chat.observe(Duration::from_millis(12));
/// ```
#[derive(Debug, Clone)]
pub struct RequestDurationFamily {
    pub(super) summary: SummaryFamily<1>,
    pub(super) histogram: HistogramFamily<1>,
}

impl RequestDurationFamily {
    /// Returns the handle of one capability.
    #[must_use]
    pub fn with(&self, capability: [&str; 1]) -> RequestDuration {
        RequestDuration { summary: self.summary.with(capability), histogram: self.histogram.with(capability) }
    }

    /// Records a duration of a capability. It is faster than making a handle for one record.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let durations = obs_metrics::standard::request_duration_ms();
    /// durations.observe(["llm.embed"], Duration::from_millis(12));
    /// assert_eq!(durations.with(["llm.embed"]).count(), 1);
    /// ```
    pub fn observe(&self, capability: [&str; 1], duration: Duration) {
        let seconds = duration.as_secs_f64();
        self.summary.observe(capability, seconds * 1e3);
        self.histogram.observe(capability, seconds);
    }

    /// Removes the series of this capability from the page. Returns whether there was one.
    pub fn remove(&self, capability: [&str; 1]) -> bool {
        self.summary.remove(capability) | self.histogram.remove(capability)
    }
}

/// Handle that feeds the summary in milliseconds and the histogram in seconds with the same observation.
///
/// ```
/// let handle: obs_metrics::standard::RequestDuration = obs_metrics::standard::request_duration_ms().with(["embed.text"]);
/// handle.observe_ms(7.5);
/// assert!((handle.quantile_ms(0.5) - 7.5).abs() < 0.15);
/// ```
#[derive(Debug, Clone)]
pub struct RequestDuration {
    summary: Summary,
    histogram: Histogram,
}

impl RequestDuration {
    /// Records a duration.
    pub fn observe(&self, duration: Duration) {
        self.observe_ms(duration.as_secs_f64() * 1e3);
    }

    /// Records a duration in milliseconds.
    pub fn observe_ms(&self, ms: f64) {
        self.summary.observe(ms);
        self.histogram.observe(ms / 1e3);
    }

    /// Returns a quantile (0 to 1) of the last five minutes in milliseconds. NaN if nothing was observed in that time.
    #[must_use]
    pub fn quantile_ms(&self, q: f64) -> f64 {
        self.summary.quantile(q)
    }

    /// Returns the number of durations recorded since the start.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.histogram.count()
    }
}
