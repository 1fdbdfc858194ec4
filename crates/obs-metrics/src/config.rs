//! Settings of a registry.

use crate::error::{Error, ErrorKind};

/// How many series a family admits unless told otherwise (M7).
pub const DEFAULT_SERIES_CAP: usize = 256;

/// What [`configure`](crate::configure) sets.
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
    /// Whether anything is counted at all (M2); on by default.
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }

    /// How many series a family admits (M7), the stand-ins that read `__overflow__` included; 256 by default. A lower cap
    /// removes no series that is there.
    pub fn series_cap(mut self, cap: usize) -> Self {
        self.series_cap = cap;
        self
    }

    /// Whether to serve third-party crates that use the `metrics` macros (M8); on by default.
    pub fn foreign(mut self, foreign: bool) -> Self {
        self.foreign = foreign;
        self
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.series_cap == 0 {
            let detail = "a family needs room for one series at least; set 1 or more";
            return Err(Error::new(ErrorKind::InvalidConfig, "series_cap", detail));
        }
        Ok(())
    }
}
