//! Trace IDs: ULIDs, which sort by the time at which they were made.

use std::fmt;
use std::str::FromStr;

use serde_core::{Serialize, Serializer};
use ulid::Ulid;

use crate::clock;

/// ID of a trace: a ULID, never nil.
///
/// Its text is 26 characters of Crockford's base 32. Its 16 bytes are a W3C trace ID.
///
/// ```
/// use obs_trace::TraceId;
///
/// let id = TraceId::generate();
/// assert_eq!(id.to_string().parse(), Ok(id));
/// assert!("8ZZZZZZZZZZZZZZZZZZZZZZZZZ".parse::<TraceId>().is_err(), "more than 128 bits");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TraceId(Ulid);

impl TraceId {
    /// Stands in a record that has no trace.
    pub(crate) const LEAST: TraceId = TraceId(Ulid(1));

    /// Makes a new ID from the wall clock and this thread's random generator.
    pub fn generate() -> TraceId {
        TraceId::at_unix_ns(clock::unix_ns(clock::now()))
    }

    pub(crate) fn at_unix_ns(unix_ns: u64) -> TraceId {
        let ms = unix_ns / 1_000_000;
        // All 80 low bits are uniformly random, as the flag `propagation::RANDOM` promises. Only a clock at zero can make
        // a nil ID, so the loop hardly ever repeats.
        loop {
            let id = Ulid::from_parts(ms, fastrand::u128(..));
            if !id.is_nil() {
                return TraceId(id);
            }
        }
    }

    /// Returns the ID with these 16 bytes, most significant first, as in a W3C `trace-id`. `None` if all are zero.
    pub fn from_bytes(bytes: [u8; 16]) -> Option<TraceId> {
        let ulid = Ulid::from_bytes(bytes);
        (!ulid.is_nil()).then_some(TraceId(ulid))
    }

    /// Returns the 16 bytes, most significant first.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_bytes()
    }

    /// Returns the canonical text in upper-case ASCII, without an allocation.
    pub fn to_text(self) -> [u8; 26] {
        let mut text = [0; 26];
        self.0.array_to_str(&mut text);
        text
    }

    /// Returns the milliseconds since the Unix epoch at which the ID was made, by the clock of its maker.
    pub fn timestamp_ms(self) -> u64 {
        self.0.timestamp_ms()
    }
}

/// Error of a text that is not a trace ID.
///
/// ```
/// let error = "not an id".parse::<obs_trace::TraceId>().unwrap_err();
/// assert_eq!(error.to_string(), "not a trace ID: 26 characters of base 32, the first at most 7, are needed");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseIdError(());

impl fmt::Display for ParseIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a trace ID: 26 characters of base 32, the first at most 7, are needed")
    }
}

impl std::error::Error for ParseIdError {}

impl FromStr for TraceId {
    type Err = ParseIdError;

    /// Parses exactly 26 base-32 characters that fit in 128 bits and are not all zero. Case does not matter, as the ULID
    /// specification says.
    fn from_str(text: &str) -> Result<TraceId, ParseIdError> {
        // The `ulid` crate ignores the excess bits of a first character above `7`.
        if text.len() != 26 || !matches!(text.as_bytes()[0], b'0'..=b'7') {
            return Err(ParseIdError(()));
        }
        let ulid = Ulid::from_string(text).map_err(|_| ParseIdError(()))?;
        if ulid.is_nil() { Err(ParseIdError(())) } else { Ok(TraceId(ulid)) }
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0.array_to_str(&mut [0; 26]))
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceId({self})")
    }
}

impl Serialize for TraceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.array_to_str(&mut [0; 26]))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_sort_by_time_and_differ() {
        let early = TraceId::at_unix_ns(1_000_000_000);
        let late = TraceId::at_unix_ns(1_001_000_000);
        assert!(early < late && early.to_string() < late.to_string());
        assert_eq!(late.timestamp_ms(), 1_001);
        assert_ne!(TraceId::at_unix_ns(1), TraceId::at_unix_ns(1));
    }

    /// Each of the low 56 bits is set in half of the IDs, and no two bits correlate, as the flag `random` of `traceparent`
    /// promises. The limits are eight standard deviations away.
    #[test]
    fn the_low_56_bits_of_an_id_are_uniform() {
        const IDS: u32 = 20_000;
        let mut set = [[0_u32; 56]; 56];
        for _ in 0..IDS {
            let low = TraceId::generate().to_bytes()[9..]
                .iter()
                .fold(0_u64, |low, byte| low << 8 | u64::from(*byte));
            for (bit, row) in set.iter_mut().enumerate().filter(|(bit, _)| low >> bit & 1 == 1) {
                (0..=bit).for_each(|other| row[other] += (low >> other & 1) as u32);
            }
        }
        for (bit, row) in set.iter().enumerate() {
            for (other, count) in row.iter().enumerate().take(bit + 1) {
                let share = if bit == other { 0.5 } else { 0.25 };
                let expected = f64::from(IDS) * share;
                let deviation = (f64::from(IDS) * share * (1.0 - share)).sqrt();
                let off = (f64::from(*count) - expected).abs();
                assert!(off < 8.0 * deviation, "bits {bit} and {other}: {count} of {IDS}");
            }
        }
        assert!((0..1_000).all(|_| TraceId::at_unix_ns(0).to_bytes() != [0; 16]));
    }

    #[test]
    fn hostile_texts_are_refused() {
        for text in [
            "",
            "01HXR3F2Q4T6V8X0Z2B4D6F8H",   // 25
            "01HXR3F2Q4T6V8X0Z2B4D6F8HJK", // 27
            "81HXR3F2Q4T6V8X0Z2B4D6F8HJ",  // 131 bits
            "00000000000000000000000000",  // nil
            "01HXR3F2Q4T6V8X0Z2B4D6F8HU",  // no letter of the alphabet
            " 1HXR3F2Q4T6V8X0Z2B4D6F8HJ",
            "+1HXR3F2Q4T6V8X0Z2B4D6F8HJ",
            "01HXR3F2Q4T6V8X0Z2B4D6F8é", // 26 bytes, 25 characters
        ] {
            assert!(text.parse::<TraceId>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn text_and_bytes_round_trip(bytes: [u8; 16]) {
            prop_assume!(bytes != [0; 16]);
            let id = TraceId::from_bytes(bytes).unwrap();
            prop_assert_eq!(id.to_bytes(), bytes);
            prop_assert_eq!(id.to_string().to_lowercase().parse(), Ok(id));
        }

        #[test]
        fn no_bytes_cause_a_panic(text in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Some(id) = crate::propagation::parse_request_id(&text) {
                prop_assert!(text.eq_ignore_ascii_case(&id.to_text()));
            }
        }
    }
}
