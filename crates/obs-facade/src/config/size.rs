//! Sizes in bytes, as a number or in words.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

/// Size in bytes. In a file it is an integer, or a text with a unit such as `"100MB"`.
pub(super) struct Size(pub(super) i128);

/// Units in small letters. Those with an `i` are powers of 1024, as in IEC 80000-13, and the others powers of 1000.
const UNITS: [(&str, u64); 9] = [
    ("b", 1),
    ("kb", 1000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
];

/// Maximum number of digits of a size and of its fraction, so that the arithmetic cannot overflow.
const MAX_DIGITS: usize = 18;

/// Advice on a text that is no size.
const ADVICE: &str = "write a number and a unit, such as \"100MB\" (1 MB is 1000000 bytes) or \"100MiB\" (1 MiB is 1048576 \
                      bytes)";

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Size, D::Error> {
        deserializer.deserialize_any(Text)
    }
}

struct Text;

impl Visitor<'_> for Text {
    type Value = Size;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of bytes, or a size such as \"100MB\"")
    }

    fn visit_i64<E: Error>(self, bytes: i64) -> Result<Size, E> {
        Ok(Size(bytes.into()))
    }

    fn visit_u64<E: Error>(self, bytes: u64) -> Result<Size, E> {
        Ok(Size(bytes.into()))
    }

    fn visit_i128<E: Error>(self, bytes: i128) -> Result<Size, E> {
        Ok(Size(bytes))
    }

    fn visit_u128<E: Error>(self, bytes: u128) -> Result<Size, E> {
        Ok(Size(i128::try_from(bytes).unwrap_or(i128::MAX)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Size, E> {
        parse(text).map(Size).ok_or_else(|| {
            let shown: String = text.chars().take(40).collect();
            E::custom(format_args!("`{shown}` is not a size; {ADVICE}"))
        })
    }
}

/// Parses a number, perhaps with a fraction, and its unit. Parts of a byte are left out.
fn parse(text: &str) -> Option<i128> {
    let text = text.trim();
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
    let (number, unit) = text.split_at(end);
    let unit = unit.trim().to_ascii_lowercase();
    let (_, bytes) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| match text.len() {
        1..=MAX_DIGITS => text.parse::<i128>().ok(),
        _ => None,
    };
    let parts =
        10_i128.pow(u32::try_from(fraction.len()).ok().filter(|length| *length as usize <= MAX_DIGITS)?);
    let (whole, fraction) = (digits(whole)?, digits(fraction)?);
    Some(whole * i128::from(bytes) + fraction * i128::from(bytes) / parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_number_with_a_unit() {
        for (text, bytes) in [
            ("100MB", 100_000_000),
            ("1 GB", 1_000_000_000),
            ("1gb", 1_000_000_000),
            ("1GiB", 1 << 30),
            ("100 MiB", 100 << 20),
            ("1.5MB", 1_500_000),
            ("0.5 kB", 500),
            ("0b", 0),
            ("2TB", 2_000_000_000_000),
            ("1TiB", 1 << 40),
            (" 7kib ", 7168),
        ] {
            assert_eq!(parse(text), Some(bytes), "{text}");
        }
        for text in [
            "",
            "100",
            "MB",
            "100M",
            "100 megabytes",
            "-1MB",
            "+1MB",
            "1,5MB",
            "1.MB",
            ".5MB",
            "1.2.3MB",
            "1e3MB",
            "1_000MB",
            "1234567890123456789MB",
            "100MB\0",
            "\u{661}MB",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
        assert!(parse("999999999999999999TiB").is_some(), "no overflow");
    }
}
