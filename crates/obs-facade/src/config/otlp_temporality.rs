//! Temporality of exported metrics, as a setting.

use serde::Deserialize;

/// Interval that exported counters and histograms cover; in a configuration `"cumulative"` or `"delta"`.
///
/// ```
/// use obs_facade::{ObservabilityConfig, OtlpTemporality};
///
/// let config = ObservabilityConfig::new("/var/log/hearthnet").otlp_temporality(OtlpTemporality::Delta);
/// let read: ObservabilityConfig = toml::from_str(r#"otlp_temporality = "cumulative""#)?;
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum OtlpTemporality {
    /// Since the series began, as on `/metrics`.
    #[default]
    Cumulative,
    /// Since the export before.
    Delta,
}
