//! Kinds of data that OTLP carries.

/// Kind of the data that an exporter sends.
///
/// ```
/// use obs_otlp::Signal;
///
/// assert_eq!(Signal::Metrics.path(), "/v1/metrics");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Traces, whose units are spans.
    Traces,
    /// Metrics, whose units are data points.
    Metrics,
    /// Logs, whose units are log records.
    Logs,
}

impl Signal {
    /// Path of the signal at a collector.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Signal::Traces => "/v1/traces",
            Signal::Metrics => "/v1/metrics",
            Signal::Logs => "/v1/logs",
        }
    }

    /// Name of the signal in texts.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Signal::Traces => "traces",
            Signal::Metrics => "metrics",
            Signal::Logs => "logs",
        }
    }

    /// Name of the units that a collector counts.
    pub(crate) fn units(self) -> &'static str {
        match self {
            Signal::Traces => "spans",
            Signal::Metrics => "data points",
            Signal::Logs => "log records",
        }
    }
}
