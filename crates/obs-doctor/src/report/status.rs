//! Verdicts and reasons for skips.

use serde::{Deserialize, Serialize};

/// Verdict of a check.
///
/// ```
/// use obs_doctor::Status;
/// assert!(Status::Warn.is_ok() && Status::Skip.is_ok());
/// assert!(!Status::Error.is_ok());
/// assert_eq!(Status::Fail.as_str(), "fail");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// No fault was found.
    Pass,
    /// It works and needs attention.
    Warn,
    /// It does not work.
    Fail,
    /// It was not checked, for a reason.
    Skip,
    /// The check itself panicked or exceeded its deadline.
    Error,
}

impl Status {
    /// Returns whether it counts as healthy: pass, warn and skip do.
    #[must_use]
    pub fn is_ok(self) -> bool {
        matches!(self, Self::Pass | Self::Warn | Self::Skip)
    }

    /// Returns the word of the JSON form: `pass`, `warn`, `fail`, `skip` or `error`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Skip => "skip",
            Self::Error => "error",
        }
    }
}

/// Reason for a skip.
///
/// ```
/// use obs_doctor::{CheckResult, SkipReason};
/// let result = CheckResult::skip(SkipReason::NotConfigured, "no weather station");
/// assert!(result.ok);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SkipReason {
    /// A check that it depends on failed; see [`CheckResult::caused_by`](crate::CheckResult::caused_by).
    Dependency,
    /// It needs the internet and the run is offline.
    Offline,
    /// It needs a running node.
    NoNode,
    /// Nothing of the kind is configured.
    NotConfigured,
    /// It is disabled in the configuration.
    Disabled,
    /// There are too few samples for a verdict.
    TooFewSamples,
    /// The reference that it compares with could not be reached.
    Unreachable,
    /// It needs root.
    NotRoot,
    /// Left out by request.
    Excluded,
    /// This build, platform or security profile cannot check it.
    Unsupported,
}
