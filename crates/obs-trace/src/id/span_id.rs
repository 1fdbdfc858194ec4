//! Span IDs: eight bytes, as W3C Trace Context and OpenTelemetry know them.

use std::fmt;
use std::num::NonZeroU64;

use serde_core::{Serialize, Serializer};

/// ID of a span: eight bytes, never all zero.
///
/// Its text is 16 lower-case hexadecimal digits, as in a W3C `traceparent`.
///
/// ```
/// use obs_trace::SpanId;
///
/// let id = SpanId::from_bytes([0, 0, 0, 0, 0, 0, 0, 0xb7]).unwrap();
/// assert_eq!(id.to_string(), "00000000000000b7");
/// assert_eq!(SpanId::from_bytes(id.to_bytes()), Some(id));
/// assert_eq!(SpanId::from_bytes([0; 8]), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpanId(NonZeroU64);

impl SpanId {
    /// Returns the ID with these bytes, most significant first. `None` if all are zero.
    pub fn from_bytes(bytes: [u8; 8]) -> Option<SpanId> {
        NonZeroU64::new(u64::from_be_bytes(bytes)).map(SpanId)
    }

    /// Returns the eight bytes, most significant first.
    pub fn to_bytes(self) -> [u8; 8] {
        self.0.get().to_be_bytes()
    }

    /// Returns the ID with this number. Zero is not an ID and becomes one.
    pub(crate) fn of_number(number: u64) -> SpanId {
        SpanId(NonZeroU64::new(number).unwrap_or(NonZeroU64::MIN))
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SpanId({self})")
    }
}

impl Serialize for SpanId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
