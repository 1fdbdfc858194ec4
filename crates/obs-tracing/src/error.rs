//! Errors of the set-up.

use std::borrow::Cow;
use std::fmt;

/// Reason why [`configure`](crate::configure) refused a configuration. Nothing has changed when it is returned.
///
/// ```
/// let error = obs_tracing::configure(&obs_tracing::Config::new().roots([""])).unwrap_err();
/// assert_eq!(error.kind(), obs_tracing::ErrorKind::Root);
/// assert_eq!(error.to_string(), "roots: `` is not a target; write it as in `my_crate::jobs`");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    problem: Cow<'static, str>,
    advice: Cow<'static, str>,
}

/// Kind of an [`Error`].
///
/// ```
/// # let error = obs_tracing::configure(&obs_tracing::Config::new().roots([""])).unwrap_err();
/// match error.kind() {
///     obs_tracing::ErrorKind::Root => println!("fix the target"),
///     _ => println!("{error}"),
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Another dispatcher is installed in the `tracing` crate.
    OtherDispatcher,
    /// A root is no target.
    Root,
}

impl Error {
    pub(crate) fn new(
        kind: ErrorKind,
        problem: impl Into<Cow<'static, str>>,
        advice: impl Into<Cow<'static, str>>,
    ) -> Error {
        Error { kind, problem: problem.into(), advice: advice.into() }
    }

    /// Kind of the mistake.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Name of the setting at fault: the setter of [`Config`](crate::Config). Empty when there is none.
    #[must_use]
    pub fn field(&self) -> &str {
        match self.kind {
            ErrorKind::Root => "roots",
            ErrorKind::OtherDispatcher => "",
        }
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
        if !self.field().is_empty() {
            write!(f, "{}: ", self.field())?;
        }
        write!(f, "{}; {}", self.problem, self.advice)
    }
}

impl std::error::Error for Error {}
