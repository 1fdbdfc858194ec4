//! Label values: any text, of bounded length.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hasher};

/// Maximum length of a label value in bytes.
pub const MAX_VALUE_BYTES: usize = 128;

/// Value of the untrusted labels of the series that a full family uses for new values.
pub const OVERFLOW: &str = "__overflow__";

/// Length of the mark of a shortened value: `~` and 16 hexadecimal digits.
const MARK_BYTES: usize = 17;

/// Shortens a value of more than 128 bytes to its beginning, `~`, and a 64-bit hash of the whole, so that long values with
/// the same beginning stay different. The hash has no secret: the same value reads the same after a restart.
pub(crate) fn bounded(value: &str) -> Cow<'_, str> {
    if value.len() <= MAX_VALUE_BYTES {
        return Cow::Borrowed(value);
    }
    // Cut where a character ends, so that the text stays UTF-8.
    let kept = &value[..value.floor_char_boundary(MAX_VALUE_BYTES - MARK_BYTES)];
    let mut hasher = DefaultHasher::new();
    hasher.write(value.as_bytes());
    Cow::Owned(format!("{kept}~{:016x}", hasher.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_are_cut_between_characters_and_stay_different() {
        let long = "é".repeat(100);
        let cut = bounded(&long);
        assert!(cut.len() <= MAX_VALUE_BYTES && cut.starts_with("éé") && cut.contains('~'));
        assert_ne!(bounded(&format!("{long}a")), bounded(&format!("{long}b")));
        assert_eq!(bounded(&long), bounded(&long.clone()));
    }

    #[test]
    fn values_that_fit_stay_unchanged() {
        let fits = "é".repeat(64);
        assert!(matches!(bounded(&fits), Cow::Borrowed(value) if value == fits));
    }
}
