//! Trace context in headers: strict parsers, and the writer of `traceparent`.
//!
//! The functions take the bytes of one header value. A value from a peer is exactly right or refused. The caller makes sure
//! that a request has exactly one value, and neither echoes nor logs a refused one.

pub(crate) mod remote;
mod trace_state;

pub use self::trace_state::TraceState;
use crate::{SpanId, TraceId};

/// Parses `X-HearthNet-Request-Id`: a ULID of exactly 26 characters that fits in 128 bits and is not nil.
///
/// Case does not matter, as the ULID specification says.
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

/// Parses a W3C `traceparent`: the trace ID, the span ID of the caller, and the flags.
///
/// Version 00 must be exactly 55 bytes of lower-case hexadecimal digits. A later version must begin with the same 55 bytes,
/// followed by `-` or nothing. Its flags are reduced to [`SAMPLED`], the only one that the standard defines for later
/// versions. Version ff and IDs that are all zero are refused.
///
/// ```
/// use obs_trace::propagation::parse_traceparent;
///
/// let (id, span_id, flags) =
///     parse_traceparent(b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();
/// assert_eq!(id.to_bytes()[0], 0x0a);
/// assert_eq!((span_id.to_string().as_str(), flags), ("b7ad6b7169203331", 1));
/// ```
pub fn parse_traceparent(value: &[u8]) -> Option<(TraceId, SpanId, u8)> {
    let (known, rest) = value.split_at_checked(LENGTH)?;
    let [version] = hex(&known[..2])?;
    if known[2] != b'-' || known[35] != b'-' || known[52] != b'-' {
        return None;
    }
    let id = TraceId::from_bytes(hex(&known[3..35])?)?;
    let span_id = SpanId::from_bytes(hex(&known[36..52])?)?;
    let [flags] = hex(&known[53..])?;
    let flags = match (version, rest) {
        (0, []) => flags,
        (1..=0xfe, [] | [b'-', ..]) => flags & SAMPLED,
        _ => return None,
    };
    Some((id, span_id, flags))
}

/// Writes a `traceparent` of version 00: 55 bytes of ASCII.
///
/// ```
/// use obs_trace::{SpanId, TraceId, propagation};
///
/// let (id, span_id) = (TraceId::generate(), SpanId::from_bytes([1; 8]).unwrap());
/// let text = propagation::format_traceparent(id, span_id, propagation::SAMPLED);
/// assert_eq!(propagation::parse_traceparent(&text), Some((id, span_id, 1)));
/// ```
pub fn format_traceparent(id: TraceId, span_id: SpanId, flags: u8) -> [u8; 55] {
    let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
    write_hex(&id.to_bytes(), &mut text[3..35]);
    write_hex(&span_id.to_bytes(), &mut text[36..52]);
    write_hex(&[flags], &mut text[53..]);
    text
}

/// Flag of `traceparent`: the caller may have recorded the trace.
pub const SAMPLED: u8 = 1;

/// Flag of `traceparent` Level 2: the low 56 bits of the trace ID are uniformly random.
///
/// A node that continues a trace passes it on unchanged.
pub const RANDOM: u8 = 2;

/// Length of version 00 in bytes. Later versions begin with the same fields.
const LENGTH: usize = 55;

/// Parses exactly `2 * N` lower-case digits.
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
    fn cases_of_the_w3c_suite() {
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
        fn a_formatted_traceparent_is_parsed_again(id: [u8; 16], span_id: [u8; 8], flags: u8) {
            prop_assume!(id != [0; 16] && span_id != [0; 8]);
            let (id, span_id) = (TraceId::from_bytes(id).unwrap(), SpanId::from_bytes(span_id).unwrap());
            let text = format_traceparent(id, span_id, flags);
            prop_assert_eq!(parse_traceparent(&text), Some((id, span_id, flags)));
        }

        #[test]
        fn no_bytes_cause_a_panic(value in proptest::collection::vec(any::<u8>(), 0..120)) {
            let _ = parse_traceparent(&value);
        }

        #[test]
        fn a_changed_byte_is_accepted_only_if_formatting_gives_it_back(place in 0..55_usize, byte: u8) {
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
