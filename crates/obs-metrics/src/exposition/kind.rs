//! Kinds of families, and the names that a family of a kind occupies on the page.

use std::fmt;

/// Type of a family, as its `# TYPE` line states it.
///
/// ```
/// assert_eq!(obs_metrics::Kind::Histogram.to_string(), "histogram");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// Value that only goes up.
    Counter,
    /// Value that goes up and down.
    Gauge,
    /// Cumulative buckets, a sum and a count.
    Histogram,
    /// Quantiles over a rolling window, a sum and a count.
    Summary,
}

impl Kind {
    /// Returns the word after the name in a `# TYPE` line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Summary => "summary",
        }
    }

    /// Suffixes that samples of this kind may have after the family's base name.
    fn suffixes(self) -> &'static [&'static str] {
        match self {
            // No sample ends in `_created`, but OpenMetrics reserves the suffix.
            Self::Counter => &["", "_total", "_created"],
            Self::Gauge => &[""],
            Self::Histogram => &["", "_bucket", "_sum", "_count", "_created"],
            Self::Summary => &["", "_sum", "_count", "_created"],
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Adds `_total` to a counter's name that lacks it, so that both text formats show the same series.
pub(crate) fn exposed_name(kind: Kind, name: &str) -> String {
    match kind {
        Kind::Counter if !name.ends_with("_total") => format!("{name}_total"),
        _ => name.to_owned(),
    }
}

/// Returns the name in the `# HELP` and `# TYPE` lines of OpenMetrics: a counter's name without `_total`.
pub(crate) fn base_name(kind: Kind, exposed: &str) -> &str {
    match kind {
        Kind::Counter => exposed.strip_suffix("_total").unwrap_or(exposed),
        _ => exposed,
    }
}

/// Returns every name that a family of this kind occupies on the page. No two families may share one.
pub(crate) fn claims(kind: Kind, exposed: &str) -> Vec<String> {
    let base = base_name(kind, exposed);
    kind.suffixes().iter().map(|suffix| format!("{base}{suffix}")).collect()
}
