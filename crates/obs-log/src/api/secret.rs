//! Values that must not reach a log.

use std::fmt;

use log::kv::{ToValue, Value};
use serde_core::{Serialize, Serializer};

use crate::config::redactor::REDACTED;

/// Value that is written as `[redacted]` in every form: `Display`, `Debug`, `Serialize` and a log field.
///
/// ```
/// use obs_log::{Secret, info};
///
/// let key = Secret::new("hunter2".to_owned());
/// info!(key; "unlocked");                             // "key":"[redacted]"
/// assert_eq!(format!("{key} {key:?}"), "[redacted] [redacted]");
/// assert_eq!(key.expose(), "hunter2");
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Hides `value`.
    #[must_use]
    pub const fn new(value: T) -> Secret<T> {
        Secret(value)
    }

    /// Returns the value itself. The name makes each use visible in a review.
    #[must_use]
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> From<T> for Secret<T> {
    fn from(value: T) -> Secret<T> {
        Secret(value)
    }
}

impl<T> fmt::Display for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl<T> ToValue for Secret<T> {
    fn to_value(&self) -> Value<'_> {
        Value::from(REDACTED)
    }
}

impl<T> Serialize for Secret<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(REDACTED)
    }
}
