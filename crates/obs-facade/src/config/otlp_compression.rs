//! Compression of the export, as a setting.

use serde::Deserialize;

/// Compression of requests to the collector; in a configuration `"gzip"` or `"none"`.
///
/// ```
/// use obs_facade::{ObservabilityConfig, OtlpCompression};
///
/// let config = ObservabilityConfig::new("/var/log/hearthnet").otlp_compression(OtlpCompression::None);
/// let read: ObservabilityConfig = toml::from_str(r#"otlp_compression = "gzip""#)?;
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum OtlpCompression {
    /// By gzip.
    #[default]
    Gzip,
    /// Not at all.
    None,
}

#[cfg(feature = "otlp")]
impl From<OtlpCompression> for obs_otlp::Compression {
    fn from(compression: OtlpCompression) -> Self {
        match compression {
            OtlpCompression::Gzip => obs_otlp::Compression::Gzip,
            OtlpCompression::None => obs_otlp::Compression::Off,
        }
    }
}
