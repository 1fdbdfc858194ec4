//! Errors of a configuration.

use std::borrow::Cow;
use std::fmt;

/// Reason why a configuration was refused.
///
/// ```
/// use obs_trace::{Config, ErrorKind};
///
/// let error = obs_trace::configure(&Config::default().ring_capacity(0)).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::OutOfRange);
/// assert_eq!(error.field(), "ring_capacity");
/// assert_eq!(error.problem(), "0 is out of range");
/// assert_eq!(error.advice(), "set a number from 1 to 1000000");
/// assert_eq!(error.to_string(), "ring_capacity: 0 is out of range; set a number from 1 to 1000000");
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
/// use obs_trace::{Config, ErrorKind, Store};
///
/// let error = Store::new(Config::default().max_spans(1_000)).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::OutOfRange);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A limit or a duration is out of its range.
    OutOfRange,
    /// The address of the collector cannot be used.
    #[cfg(feature = "otlp")]
    Endpoint,
    /// A header for the collector cannot be sent.
    #[cfg(feature = "otlp")]
    Header,
    /// The system starts no further thread.
    #[cfg(feature = "otlp")]
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
        Err(Error {
            kind: ErrorKind::OutOfRange,
            field,
            problem: format!("{value}{unit} is out of range").into(),
            advice: range.into(),
        })
    }

    /// Adds to the advice that 0 switches the setting off.
    pub(crate) fn or_off(self) -> Error {
        Error { advice: format!("{}, or 0 for off", self.advice).into(), ..self }
    }

    /// Kind of the mistake.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Name of the setter whose value was refused, or `endpoint` for the address of a collector. Empty when there is none.
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

#[cfg(feature = "otlp")]
impl From<obs_otlp::Error> for Error {
    fn from(error: obs_otlp::Error) -> Error {
        let kind = match error.kind() {
            obs_otlp::ErrorKind::Endpoint => ErrorKind::Endpoint,
            obs_otlp::ErrorKind::Header => ErrorKind::Header,
            obs_otlp::ErrorKind::Thread => ErrorKind::Thread,
            _ => ErrorKind::OutOfRange,
        };
        // The setters of this crate name what they count.
        let field = match error.field() {
            "batch_items" => "batch_spans",
            "request_items" => "request_spans",
            "queue_items" => "queue_traces",
            field => field,
        };
        Error {
            kind,
            field,
            problem: error.problem().to_owned().into(),
            advice: error.advice().to_owned().into(),
        }
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
