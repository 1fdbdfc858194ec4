//! Settings of a registry.

use crate::error::{Error, ErrorKind};

/// Maximum number of series of a family, unless [`Config::series_cap`] sets another one.
pub const DEFAULT_SERIES_CAP: usize = 256;

/// Settings of a registry, applied by [`configure`](crate::configure).
///
/// ```
/// let config = obs_metrics::Config::default().enabled(true).series_cap(512);
/// obs_metrics::configure(&config).unwrap();
/// assert!(!obs_metrics::disabled());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Config {
    pub(crate) enabled: bool,
    pub(crate) series_cap: usize,
    pub(crate) foreign: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { enabled: true, series_cap: DEFAULT_SERIES_CAP, foreign: true }
    }
}

impl Config {
    /// Sets whether anything is recorded. On by default.
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }

    /// Sets the maximum number of series of a family, including its series that read `__overflow__`. 256 by default. A
    /// lower cap removes no existing series.
    pub fn series_cap(mut self, cap: usize) -> Self {
        self.series_cap = cap;
        self
    }

    /// Sets whether the page shows what third-party crates record through the `metrics` macros. On by default.
    pub fn foreign(mut self, foreign: bool) -> Self {
        self.foreign = foreign;
        self
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.series_cap == 0 {
            let problem = "a family with 0 series cannot record anything";
            return Err(Error::new(ErrorKind::InvalidConfig, "series_cap", problem, "set 1 or more"));
        }
        Ok(())
    }
}
