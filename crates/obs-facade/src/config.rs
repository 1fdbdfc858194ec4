//! What a node's configuration says about its observability (X04, `[observability]`).

use std::path::PathBuf;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::error::Error;

/// The `[observability]` section of a node's configuration.
///
/// Reads with serde; an unknown key and a wrong value are refused while reading, so that a format
/// with positions (TOML) says in which line.
///
/// ```
/// use obs_facade::ObservabilityConfig;
///
/// let config = ObservabilityConfig::new("/var/log/hearthnet").log_level("info,hearthnet.bus=debug");
/// assert_eq!(config.log_dir(), std::path::Path::new("/var/log/hearthnet"));
///
/// let read: ObservabilityConfig = toml::from_str(r#"log_level = "warning""#)?;
/// let wrong = toml::from_str::<ObservabilityConfig>(r#"log_level = "loud""#).unwrap_err();
/// assert!(wrong.to_string().contains("loud"));
/// # Ok::<(), toml::de::Error>(())
/// ```
#[must_use]
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ObservabilityConfig {
    #[serde(deserialize_with = "log_level")]
    log_level: String,
    log_dir: PathBuf,
    log_console: bool,
    metrics_enabled: bool,
}

impl Default for ObservabilityConfig {
    /// Level `info`, no console, metrics on. The log folder is empty, which [`configure`] refuses:
    /// where logs go is the node's to say.
    ///
    /// [`configure`]: crate::configure
    fn default() -> Self {
        ObservabilityConfig {
            log_level: "info".to_owned(),
            log_dir: PathBuf::new(),
            log_console: false,
            metrics_enabled: true,
        }
    }
}

impl ObservabilityConfig {
    /// The defaults, with day files in `log_dir`.
    pub fn new(log_dir: impl Into<PathBuf>) -> Self {
        ObservabilityConfig::default().with_log_dir(log_dir)
    }

    /// Where the day files go.
    pub fn with_log_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.log_dir = dir.into();
        self
    }

    /// The level, alone or with exceptions by logger: `info`, `info,hearthnet.bus=debug`. Checked by
    /// [`configure`](crate::configure).
    pub fn log_level(mut self, level: impl Into<String>) -> Self {
        self.log_level = level.into();
        self
    }

    /// Whether lines also go to stderr, for people. Off by default.
    pub fn log_console(mut self, on: bool) -> Self {
        self.log_console = on;
        self
    }

    /// Whether metrics are recorded. On by default.
    pub fn metrics_enabled(mut self, on: bool) -> Self {
        self.metrics_enabled = on;
        self
    }

    /// The folder that the day files go to; empty when nothing set it.
    #[must_use]
    pub fn log_dir(&self) -> &std::path::Path {
        &self.log_dir
    }

    pub(crate) fn log(&self) -> Result<obs_log::Config, Error> {
        if self.log_dir.as_os_str().is_empty() {
            return Err(Error::no_log_dir());
        }
        let console = if self.log_console { obs_log::Console::Always } else { obs_log::Console::Off };
        Ok(obs_log::Config::new(&self.log_dir).level(&self.log_level).console(console))
    }

    pub(crate) fn metrics(&self) -> obs_metrics::Config {
        obs_metrics::Config::default().enabled(self.metrics_enabled)
    }
}

fn log_level<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let level = String::deserialize(deserializer)?;
    match obs_log::Config::new("").level(&level).check() {
        Ok(()) => Ok(level),
        Err(error) => Err(D::Error::custom(error)),
    }
}
