//! Values that must not reach a log (L12).

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use log::kv::{ToValue, Value};
use serde_core::{Serialize, Serializer};

/// What stands in the place of a hidden value.
pub(crate) const REDACTED: &str = "[redacted]";

/// A value that every form of output shows as `[redacted]`: `Display`, `Debug` and a log field.
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
    pub const fn new(value: T) -> Secret<T> {
        Secret(value)
    }

    /// The value itself. The name is there to be seen in a review.
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

/// The configured field names, made quick to miss: most fields fail the test of their length.
#[derive(Debug)]
pub(crate) struct Redactor {
    id: u64,
    names: Vec<String>,
    lengths: u64,
}

/// Hides nothing.
impl Default for Redactor {
    fn default() -> Redactor {
        Redactor::new(&[])
    }
}

impl Redactor {
    pub(crate) fn new(names: &[String]) -> Redactor {
        static MADE: AtomicU64 = AtomicU64::new(1);
        let lengths = names.iter().fold(0, |bits, name| bits | length_bit(name));
        Redactor { id: MADE.fetch_add(1, Ordering::Relaxed), names: names.to_vec(), lengths }
    }

    /// A number that no other redactor has, and that is not 0.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn hides(&self, field: &str) -> bool {
        self.lengths & length_bit(field) != 0
            && self.names.iter().any(|name| name.eq_ignore_ascii_case(field))
    }
}

fn length_bit(name: &str) -> u64 {
    1 << name.len().min(63)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hides_by_exact_name_in_any_case() {
        let redactor = Redactor::new(&["password".to_owned(), "k".repeat(80)]);
        assert!(redactor.hides("password") && redactor.hides("PassWord") && redactor.hides(&"K".repeat(80)));
        assert!(
            !redactor.hides("passwords") && !redactor.hides("nickname") && !redactor.hides(&"k".repeat(81))
        );
        assert!(!Redactor::default().hides("password"));
    }
}
