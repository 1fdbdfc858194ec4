//! Status of a trace: its form for readers, and the byte that decides it.

use std::fmt;

use serde_core::{Serialize, Serializer};
use smol_str::SmolStr;

/// Status of a trace: its result, or the error code that [`Trace::fail`](crate::Trace::fail) has set so far.
///
/// ```
/// let trace = obs_trace::new_trace("llm.chat");
/// assert!(trace.status().is_ok());
/// trace.fail("timeout");
/// assert_eq!(trace.status().as_str(), "timeout");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// The request was answered.
    Ok,
    /// The request failed with this error code.
    Failed(ErrorCode),
    /// The trace was dropped before its end: the caller went away.
    Cancelled,
    /// The handler panicked.
    Panic,
}

/// An error code of at most 64 bytes. Dereferences to `str`.
///
/// ```
/// # let trace = obs_trace::new_trace("llm.chat");
/// trace.fail("timeout");
/// if let obs_trace::Status::Failed(code) = trace.status() {
///     assert_eq!(&*code, "timeout");
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorCode(pub(crate) SmolStr);

impl std::ops::Deref for ErrorCode {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// Maximum length of an error code.
pub(super) const MAX_CODE_BYTES: usize = 64;

/// End of a trace as one byte. [`Status`] adds the error code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Outcome {
    Ok,
    Failed,
    Cancelled,
    Panic,
}

/// Byte in the place of an [`Outcome`] while the trace runs.
pub(super) const RUNNING: u8 = u8::MAX;

impl Outcome {
    /// Number of outcomes.
    pub(crate) const COUNT: usize = Outcome::Panic as usize + 1;

    /// Returns the outcome with this number.
    pub(super) fn read(byte: u8) -> Option<Outcome> {
        [Outcome::Ok, Outcome::Failed, Outcome::Cancelled, Outcome::Panic]
            .into_iter()
            .find(|one| *one as u8 == byte)
    }

    /// Returns the outcome of a trace that is dropped before its end.
    pub(crate) fn of_drop() -> Outcome {
        if std::thread::panicking() { Outcome::Panic } else { Outcome::Cancelled }
    }
}

impl Status {
    /// Returns `ok`, the error code, `cancelled` or `panic`.
    pub fn as_str(&self) -> &str {
        match self {
            Status::Ok => "ok",
            Status::Failed(code) => code,
            Status::Cancelled => "cancelled",
            Status::Panic => "panic",
        }
    }

    /// Returns whether the caller made a mistake or went away, so that the node has no fault.
    pub(crate) fn is_callers_fault(&self) -> bool {
        match self {
            Status::Failed(code) => CALLER_ERRORS.contains(&&**code),
            Status::Cancelled => true,
            Status::Ok | Status::Panic => false,
        }
    }

    /// Returns whether the status is [`Status::Ok`].
    pub fn is_ok(&self) -> bool {
        matches!(self, Status::Ok)
    }
}

/// Error codes that tell a caller to call differently, later, or not at all: those of the bus, and that of other requests.
const CALLER_ERRORS: [&str; 11] = [
    "http_4xx",
    "bad_request",
    "schema_mismatch",
    "invalid_signature",
    "unauthorized",
    "revoked",
    "not_found",
    "expired",
    "rate_limited",
    "capacity_exceeded",
    "aggregation_too_few_nodes",
];

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Status {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
