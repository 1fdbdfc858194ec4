//! Errors of a configuration.

use std::borrow::Cow;
use std::fmt;

/// Reason why a configuration was refused.
///
/// ```
/// use obs_otlp::{Config, ErrorKind, Signal};
///
/// let error = Config::new(Signal::Logs, "collector").check().unwrap_err();
/// assert_eq!((error.kind(), error.field()), (ErrorKind::Endpoint, "endpoint"));
/// assert!(error.advice().contains("http://host:4318"));
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
/// use obs_otlp::{Config, ErrorKind, Signal};
///
/// let error = Config::new(Signal::Logs, "http://127.0.0.1:4318").queue_items(0).check().unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::OutOfRange);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A limit or a duration is out of its range.
    OutOfRange,
    /// The address of the collector cannot be used.
    Endpoint,
    /// A header for the collector cannot be sent.
    Header,
    /// The system starts no further thread.
    Thread,
}

impl Error {
    /// Checks that a value is in its range. `unit` follows the numbers in the text, such as ` ms`.
    pub(crate) fn check_range(
        field: &'static str,
        value: usize,
        least: usize,
        most: usize,
        unit: &str,
    ) -> Result<(), Error> {
        if (least..=most).contains(&value) {
            return Ok(());
        }
        let range = match most {
            usize::MAX => format!("set at least {least}{unit}"),
            _ if unit.is_empty() => format!("set a number from {least} to {most}"),
            _ => format!("set {least}{unit} to {most}{unit}"),
        };
        let problem = format!("{value}{unit} is out of range").into();
        Err(Error { kind: ErrorKind::OutOfRange, field, problem, advice: range.into() })
    }

    pub(crate) fn endpoint(problem: &'static str) -> Error {
        Error {
            kind: ErrorKind::Endpoint,
            field: "endpoint",
            problem: problem.into(),
            advice: "set the collector's OTLP/HTTP address, such as http://host:4318".into(),
        }
    }

    pub(crate) fn header(problem: &'static str) -> Error {
        Error {
            kind: ErrorKind::Header,
            field: "header",
            problem: problem.into(),
            advice: "set headers that the collector expects, such as authorization=Bearer KEY".into(),
        }
    }

    pub(crate) fn thread(error: &std::io::Error) -> Error {
        Error {
            kind: ErrorKind::Thread,
            field: "",
            problem: format!("the thread of the export cannot be started: {error}").into(),
            advice: "raise the limit of threads (ulimit -u, or the cgroup's pids.max)".into(),
        }
    }

    /// Kind of the mistake.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Name of the setter whose value was refused. Empty when there is none.
    #[must_use]
    pub fn field(&self) -> &'static str {
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
        write!(f, "{}; {}", self.problem, self.advice)
    }
}

impl std::error::Error for Error {}
