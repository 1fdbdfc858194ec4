//! Mistakes in the set-up of the console.

use std::borrow::Cow;
use std::fmt;

/// Kind of an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The file with the token cannot be read or written.
    Io,
    /// The file with the token can be read by other users, or has another owner.
    Permissions,
    /// The file does not hold a token.
    Malformed,
}

/// Error of the set-up.
///
/// ```
/// use obs_console::{ErrorKind, Token};
///
/// # let place = tempfile::tempdir()?;
/// let error = Token::read(place.path().join("none")).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Io);
/// assert!(error.advice().contains("hearthnet run"));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    problem: Cow<'static, str>,
    advice: Cow<'static, str>,
}

impl Error {
    pub(crate) fn new(
        kind: ErrorKind,
        problem: impl Into<Cow<'static, str>>,
        advice: impl Into<Cow<'static, str>>,
    ) -> Self {
        Error { kind, problem: problem.into(), advice: advice.into() }
    }

    /// Kind of the mistake.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Name of the setting at fault, `token`.
    #[must_use]
    pub fn field(&self) -> &str {
        "token"
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
        write!(f, "{}: {}; {}", self.field(), self.problem, self.advice)
    }
}

impl std::error::Error for Error {}
