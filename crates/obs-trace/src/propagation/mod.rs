//! Trace IDs in headers, read strictly: what comes from a peer is either exactly right or not there (T7).
//!
//! Pure functions on the bytes of one header value. That there is exactly one value is for the
//! caller to see to, as is to forget a refused text: it is never to be echoed or logged.

pub(crate) mod remote;
pub(crate) mod trace_state;

use crate::TraceId;
pub use crate::propagation::trace_state::TraceState;

/// Reads `X-HearthNet-Request-Id`: a ULID of exactly 26 characters that fits in 128 bits and is not nil.
///
/// Lower case is read as upper case, as the ULID specification says.
///
/// ```
/// use obs_trace::propagation::parse_request_id;
///
/// assert!(parse_request_id(b"01HXR3F2Q4T6V8X0Z2B4D6F8HJ").is_some());
/// assert!(parse_request_id(b"8ZZZZZZZZZZZZZZZZZZZZZZZZZ").is_none(), "130 bits");
/// assert!(parse_request_id(b"01HXR3F2Q4T6V8X0Z2B4D6F8HJ ").is_none());
/// ```
pub fn parse_request_id(value: &[u8]) -> Option<TraceId> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// Reads a W3C `traceparent`: the trace ID, the span ID of the caller, and the flags.
///
/// Version 00 must be exactly 55 bytes of lower-case hex. Of a later version the same part is read,
/// which must be followed by `-` or nothing, and of the flags only [`SAMPLED`], the only one that the
/// standard lets a reader assume there; version ff and IDs that are all zero are refused.
///
/// ```
/// use obs_trace::propagation::parse_traceparent;
///
/// let (id, span_id, flags) =
///     parse_traceparent(b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();
/// assert_eq!(id.to_bytes()[0], 0x0a);
/// assert_eq!((span_id[0], flags), (0xb7, 1));
/// ```
pub fn parse_traceparent(value: &[u8]) -> Option<(TraceId, [u8; 8], u8)> {
    let (known, rest) = value.split_at_checked(LENGTH)?;
    let [version] = hex(&known[..2])?;
    if known[2] != b'-' || known[35] != b'-' || known[52] != b'-' {
        return None;
    }
    let id = TraceId::from_bytes(hex(&known[3..35])?)?;
    let span_id: [u8; 8] = hex(&known[36..52])?;
    let [flags] = hex(&known[53..])?;
    let flags = match (version, rest) {
        (0, []) => flags,
        (1..=0xfe, [] | [b'-', ..]) => flags & SAMPLED,
        _ => return None,
    };
    (span_id != [0; 8]).then_some((id, span_id, flags))
}

/// Writes a `traceparent` of version 00: 55 bytes of ASCII.
///
/// ```
/// use obs_trace::{TraceId, propagation};
///
/// let id = TraceId::generate();
/// let text = propagation::format_traceparent(id, [1; 8], propagation::SAMPLED);
/// assert_eq!(propagation::parse_traceparent(&text), Some((id, [1; 8], 1)));
/// ```
pub fn format_traceparent(id: TraceId, span_id: [u8; 8], flags: u8) -> [u8; 55] {
    let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
    write_hex(&id.to_bytes(), &mut text[3..35]);
    write_hex(&span_id, &mut text[36..52]);
    write_hex(&[flags], &mut text[53..]);
    text
}

/// The flag that says that the caller may have recorded the trace.
pub const SAMPLED: u8 = 1;

/// The flag of Level 2 that says that the low 56 bits of the trace ID are uniformly random.
///
/// Whoever continues a trace passes it on as it was.
pub const RANDOM: u8 = 2;

/// The length of version 00, and of what every later version begins with.
const LENGTH: usize = 55;

/// `N` bytes out of exactly `2 * N` lower-case digits.
fn hex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    if pairs.len() != N {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

fn digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

fn write_hex(bytes: &[u8], text: &mut [u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (byte, pair) in bytes.iter().zip(text.chunks_exact_mut(2)) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn parse(text: &str) -> Option<u8> {
        parse_traceparent(text.as_bytes()).map(|(_, _, flags)| flags)
    }

    #[test]
    fn t7_the_cases_of_the_w3c_suite() {
        let id = "0af7651916cd43dd8448eb211c80319c";
        let span = "b7ad6b7169203331";
        assert_eq!(parse(GOOD), Some(1));
        assert_eq!(parse(&format!("00-{id}-{span}-ff")), Some(0xff));
        let accepted = [
            format!("01-{id}-{span}-01"),
            format!("cc-{id}-{span}-01"),
            format!("cc-{id}-{span}-01-what-the-future-will-be-like"),
            format!("cc-{id}-{span}-03-"),
            format!("fe-{id}-{span}-01"),
        ];
        for text in accepted {
            assert_eq!(parse(&text), Some(1), "{text}");
        }
        let refused = [
            String::new(),
            format!("ff-{id}-{span}-01"),
            format!("00-{id}-{span}-01-what-the-future-will-be-like"),
            format!("00-{id}-{span}-01-"),
            format!("00-{id}-{span}-01."),
            format!("cc-{id}-{span}-01.what-the-future-will-be-like"),
            format!("cc-{id}-{span}-0"),
            format!("00-{id}-{span}"),
            format!("00-{id}-{span}-"),
            format!("00-{id}-{span}-1"),
            format!("00-{id}-{span}-001"),
            format!("00-{id}-{span}-.0"),
            format!("00-{id}-{span}-+1"),
            format!("0-{id}-{span}-01"),
            format!("000-{id}-{span}-01"),
            format!(".0-{id}-{span}-01"),
            format!("00-{}-{span}-01", "0".repeat(32)),
            format!("00-{id}-{}-01", "0".repeat(16)),
            format!("00-{}-{span}-01", id.to_uppercase()),
            format!("00-{id}-{}-01", span.to_uppercase()),
            format!("00-{}-{span}-01", &id[1..]),
            format!("00-{id}0-{span}-01"),
            format!("00-{id}-{}-01", &span[1..]),
            format!("00-.{}-{span}-01", &id[1..]),
            format!("00-{id}-.{}-01", &span[1..]),
            format!("00 {id} {span} 01"),
            format!(" {GOOD}"),
            format!("{GOOD} "),
            format!("{GOOD},{GOOD}"),
        ];
        for text in refused {
            assert_eq!(parse(&text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(id: [u8; 16], span_id: [u8; 8], flags: u8) {
            prop_assume!(id != [0; 16] && span_id != [0; 8]);
            let id = TraceId::from_bytes(id).unwrap();
            let text = format_traceparent(id, span_id, flags);
            prop_assert_eq!(parse_traceparent(&text), Some((id, span_id, flags)));
        }

        #[test]
        fn no_bytes_make_it_panic(value in proptest::collection::vec(any::<u8>(), 0..120)) {
            let _ = parse_traceparent(&value);
        }

        #[test]
        fn one_changed_byte_is_read_only_if_it_is_written_so(place in 0..55_usize, byte: u8) {
            let mut value = *GOOD.as_bytes().first_chunk::<55>().unwrap();
            value[place] = byte;
            if let Some((id, span_id, flags)) = parse_traceparent(&value)
                && value[..2] == *b"00"
            {
                prop_assert_eq!(format_traceparent(id, span_id, flags), value);
            }
        }
    }
}
