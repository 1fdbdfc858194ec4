//! How a trace ended.

use std::fmt;

use serde_core::{Serialize, Serializer};
use smol_str::SmolStr;

/// How a trace ended, or what [`Trace::fail`](crate::Trace::fail) has set so far.
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
    /// It did what it was asked.
    Ok,
    /// It failed with this error code.
    Failed(ErrorCode),
    /// It was dropped before its end: the caller went away.
    Cancelled,
    /// It unwound.
    Panic,
}

/// An error code, at most 64 bytes long; reads as a `str`.
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

impl Status {
    /// `ok`, the error code, `cancelled` or `panic`.
    pub fn as_str(&self) -> &str {
        match self {
            Status::Ok => "ok",
            Status::Failed(code) => code,
            Status::Cancelled => "cancelled",
            Status::Panic => "panic",
        }
    }

    /// Whether the caller is to blame, or went away: no fault of this node.
    #[cfg(feature = "otlp")]
    pub(crate) fn is_callers_doing(&self) -> bool {
        match self {
            Status::Failed(code) => CALLERS_MISTAKES.contains(&&**code),
            Status::Cancelled => true,
            Status::Ok | Status::Panic => false,
        }
    }

    /// Whether it is [`Status::Ok`].
    pub fn is_ok(&self) -> bool {
        matches!(self, Status::Ok)
    }
}

/// The codes of the bus that tell a caller to call differently, later, or not at all.
#[cfg(feature = "otlp")]
const CALLERS_MISTAKES: [&str; 9] = [
    "bad_request",
    "schema_mismatch",
    "invalid_signature",
    "unauthorized",
    "revoked",
    "not_found",
    "expired",
    "rate_limited",
    "capacity_exceeded",
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
