//! The crate's error: what was wrong, with which name, and what would be right.

use std::fmt;

/// What kind of mistake an [`Error`] reports.
///
/// ```
/// use obs_metrics::{ErrorKind, Registry};
///
/// let refused = Registry::new().try_histogram("wait_seconds", "Waits.", [], &[2.0, 1.0]);
/// assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidBuckets);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A metric or label name outside Prometheus' character set.
    InvalidName,
    /// A name that the formats keep for themselves: `le`, `quantile`, or one that begins with `__`.
    ReservedName,
    /// The same label twice in one declaration.
    DuplicateLabel,
    /// Bucket bounds that are NaN, infinite, or not strictly ascending.
    InvalidBuckets,
    /// A name that is already declared with another kind, other labels or other buckets, one whose samples would read like
    /// those of another family, or a family that has series already and can become native no more.
    Conflict,
    /// A label that the family does not have.
    UnknownLabel,
    /// A setting out of range.
    InvalidConfig,
    /// Another recorder serves the `metrics` macros of this process already.
    RecorderTaken,
}

/// Why a declaration or a setting was refused.
///
/// ```
/// use obs_metrics::{ErrorKind, Registry};
///
/// let registry = Registry::new();
/// let error = registry.try_counter("no spaces", "Help.", []).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::InvalidName);
/// assert_eq!(error.name(), "no spaces");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    name: String,
    detail: String,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, name: &str, detail: impl Into<String>) -> Self {
        Self { kind, name: name.to_owned(), detail: detail.into() }
    }

    /// What kind of mistake it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The metric or the setting that was refused.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.name, self.detail)
    }
}

impl std::error::Error for Error {}
