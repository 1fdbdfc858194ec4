//! Errors of the crate.

use std::borrow::Cow;
use std::fmt;

/// Reason why a history cannot be set up or read.
///
/// ```
/// use obs_history::{Config, ErrorKind};
///
/// let error = Config::new("/var/log/hearthnet/history").days(0).check().unwrap_err();
/// assert_eq!((error.kind(), error.field()), (ErrorKind::OutOfRange, "days"));
/// assert_eq!(error.to_string(), "days: 0 is not allowed; set days from 1 to 366");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    field: &'static str,
    problem: Cow<'static, str>,
    advice: Cow<'static, str>,
}

/// Kind of an [`Error`].
///
/// ```
/// let error = obs_history::Reader::open(std::path::Path::new("/nonexistent")).unwrap_err();
/// assert_eq!(error.kind(), obs_history::ErrorKind::Missing);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A setting is outside of what is allowed.
    OutOfRange,
    /// There is no history in the folder.
    Missing,
    /// A later version wrote the file.
    Newer,
    /// The file is damaged, or it is no history.
    Unreadable,
    /// The file cannot be opened or read now.
    Unavailable,
}

impl Error {
    pub(crate) fn new(
        kind: ErrorKind,
        field: &'static str,
        problem: impl Into<Cow<'static, str>>,
        advice: impl Into<Cow<'static, str>>,
    ) -> Self {
        Error { kind, field, problem: problem.into(), advice: advice.into() }
    }

    /// Kind of the mistake.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Name of the setter of [`Config`](crate::Config) at fault. Empty when there is none.
    #[must_use]
    pub fn field(&self) -> &str {
        self.field
    }

    /// Description of the mistake, without the field and the advice.
    #[must_use]
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// Description of a remedy.
    #[must_use]
    pub fn advice(&self) -> &str {
        &self.advice
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.problem)?;
        if !self.advice.is_empty() {
            write!(f, "; {}", self.advice)?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
