//! Error of the crate.

use std::borrow::Cow;
use std::fmt;

/// Kind of mistake that an [`Error`] reports.
///
/// ```
/// use obs_metrics::{ErrorKind, Registry};
///
/// let refused = Registry::new().try_histogram("wait_seconds", "Waits.", [], &[2.0, 1.0]);
/// assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidBuckets);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Metric or label name outside Prometheus' character set.
    InvalidName,
    /// Name that the formats use themselves: `le`, `quantile`, or one that begins with `__`.
    ReservedName,
    /// Label that a declaration has twice.
    DuplicateLabel,
    /// Bucket bounds that are NaN, infinite, or not strictly ascending.
    InvalidBuckets,
    /// Declaration that contradicts an earlier one: another kind, other labels, other buckets, or samples whose names
    /// belong to another family. Also a histogram that has series and can no longer become native.
    Conflict,
    /// Label that the family does not have.
    UnknownLabel,
    /// Name without a declared family, asked for by [`testing::sum`](crate::testing::sum).
    UnknownFamily,
    /// Setting that is out of range.
    InvalidConfig,
    /// Another recorder that serves the `metrics` macros of this process.
    RecorderTaken,
}

/// Error of a declaration or a setting.
///
/// ```
/// use obs_metrics::{ErrorKind, Registry};
///
/// let error = Registry::new().try_counter("calls_total", "Calls.", ["le"]).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::ReservedName);
/// assert_eq!(error.field(), "calls_total");
/// assert_eq!(error.to_string(), "calls_total: the label \"le\" is reserved; choose another label");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    field: String,
    problem: Cow<'static, str>,
    advice: Cow<'static, str>,
}

impl Error {
    pub(crate) fn new(
        kind: ErrorKind,
        field: &str,
        problem: impl Into<Cow<'static, str>>,
        advice: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { kind, field: field.to_owned(), problem: problem.into(), advice: advice.into() }
    }

    /// Returns the kind of the mistake.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns the name of the metric, or of the setter of [`Config`](crate::Config), at fault. It is empty when there is
    /// none.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }

    /// Returns what was wrong, without the field and the advice.
    #[must_use]
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// Returns what to do about it.
    #[must_use]
    pub fn advice(&self) -> &str {
        &self.advice
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.field.is_empty() {
            // A refused name may hold any character, control characters of a terminal included.
            write!(f, "{}: ", self.field.escape_debug())?;
        }
        f.write_str(&self.problem)?;
        if !self.advice.is_empty() {
            write!(f, "; {}", self.advice)?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
