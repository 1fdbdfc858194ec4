//! Names of fields whose values are redacted.

use std::sync::atomic::{AtomicU64, Ordering};

/// Text that replaces a hidden value.
pub(crate) const REDACTED: &str = "[redacted]";

/// Configured field names. Most fields are told from all of them by their length alone.
#[derive(Debug)]
pub(crate) struct Redactor {
    id: u64,
    names: Vec<String>,
    /// One bit for each length of a name.
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
        // Relaxed: only the numbers have to differ.
        Redactor { id: MADE.fetch_add(1, Ordering::Relaxed), names: names.to_vec(), lengths }
    }

    /// Number of this redactor. Never 0, and unique in the process.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Whether values of `field` are redacted.
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
    fn a_name_is_hidden_in_any_case_but_only_as_a_whole() {
        let redactor = Redactor::new(&["password".to_owned(), "k".repeat(80)]);
        assert!(redactor.hides("password") && redactor.hides("PassWord") && redactor.hides(&"K".repeat(80)));
        assert!(
            !redactor.hides("passwords") && !redactor.hides("nickname") && !redactor.hides(&"k".repeat(81))
        );
        assert!(!Redactor::default().hides("password"));
    }
}
