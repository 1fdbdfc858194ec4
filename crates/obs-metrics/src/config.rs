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
    pub(crate) standard_families: bool,
    pub(crate) left_out: Option<LeftOut>,
}

/// Families that the page leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LeftOut {
    pub(crate) prefix: &'static str,
    /// Families that are shown all the same while they are not 0.
    pub(crate) losses: &'static [&'static str],
}

impl Default for Config {
    fn default() -> Self {
        Self {
            enabled: true,
            series_cap: DEFAULT_SERIES_CAP,
            foreign: true,
            standard_families: true,
            left_out: None,
        }
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

    /// Sets whether the page shows the `hearthnet_*` families of this crate before their first sample, and
    /// `hearthnet_build_info`. On by default. A program that is no HearthNet node switches it off:
    ///
    /// ```
    /// obs_metrics::configure(&obs_metrics::Config::default().standard_families(false))?;
    /// assert!(!obs_metrics::render(obs_metrics::Format::Text).contains("hearthnet_"));
    /// # Ok::<(), obs_metrics::Error>(())
    /// ```
    ///
    /// A family of them that has samples is shown all the same, so that no loss goes unseen:
    /// `hearthnet_metrics_overflow_total`, for example, once a family of the program is full.
    pub fn standard_families(mut self, shown: bool) -> Self {
        self.standard_families = shown;
        self
    }

    /// Leaves families off the page whose names begin with `prefix`, with their samples. They are still recorded.
    ///
    /// A family that `losses` names counts what is lost. It is on the page once one of its samples is not 0.
    ///
    /// ```
    /// use obs_metrics::{Config, Format, Registry};
    ///
    /// let registry = Registry::new();
    /// registry.configure(&Config::default().leave_out("lib_", &["lib_dropped_total"])).unwrap();
    /// registry.counter("lib_calls_total", "Calls.", []).inc([]);
    /// let dropped = registry.counter("lib_dropped_total", "Calls dropped.", []).with([]);
    /// assert_eq!(registry.render(Format::Text), "");
    /// dropped.inc();
    /// assert!(registry.render(Format::Text).ends_with("lib_dropped_total 1\n"));
    /// ```
    pub fn leave_out(mut self, prefix: &'static str, losses: &'static [&'static str]) -> Self {
        self.left_out = Some(LeftOut { prefix, losses });
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
