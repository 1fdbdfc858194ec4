//! Exemplar: one observation and the trace in which it was made.

use std::time::SystemTime;

/// Maximum length of a trace ID in bytes. OpenMetrics allows 128 characters for the label names and values of an
/// exemplar together.
const MAX_ID_BYTES: usize = 64;

/// Observation with its trace ID. The ID is stored in place, so that an exemplar is taken without an allocation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exemplar {
    id: [u8; MAX_ID_BYTES],
    id_len: u8,
    pub(crate) value: f64,
    pub(crate) at: SystemTime,
}

impl Exemplar {
    /// Returns `None` if the text is not a trace ID: 1 to 64 ASCII letters, digits, `-` or `_`.
    pub(crate) fn new(id: &str, value: f64) -> Option<Self> {
        if !is_id(id) {
            return None;
        }
        let mut bytes = [0; MAX_ID_BYTES];
        bytes[..id.len()].copy_from_slice(id.as_bytes());
        Some(Self { id: bytes, id_len: id.len() as u8, value, at: SystemTime::now() })
    }

    pub(crate) fn trace_id(&self) -> &str {
        std::str::from_utf8(&self.id[..usize::from(self.id_len)]).unwrap_or_default()
    }
}

fn is_id(text: &str) -> bool {
    (1..=MAX_ID_BYTES).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}
