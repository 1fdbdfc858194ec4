//! Value of a field: its key, and the JSON of a number, a text or whatever writes itself.

use log::kv::{self, Value, VisitValue};

use crate::config::redactor::Redactor;
use crate::json::catch::{PANICKED, caught};
use crate::json::float::may_be_f32;
use crate::json::serialize::Nested;
use crate::json::text::copy::{CopyText, put};
use crate::json::text::escape::{write_string, write_text};
use crate::json::text::line_buf::LineBuf;
use crate::limits::MAX_EXACT_INTEGER;

/// Visitor that writes a key and its value.
pub(crate) struct ValueVisitor<'a> {
    pub(crate) line: &'a mut LineBuf,
    pub(crate) key: &'a CopyText,
    /// Value that is being visited.
    pub(crate) value: &'a Value<'a>,
    pub(crate) nested: &'a mut Nested,
    pub(crate) redact: &'a Redactor,
}

impl<'v> VisitValue<'v> for ValueVisitor<'_> {
    /// Writes a value that writes itself: by `Debug`, `Display` or `Serialize`.
    fn visit_any(&mut self, value: Value<'_>) -> Result<(), kv::Error> {
        self.key.write(self.line);
        let start = self.line.len();
        let written = caught(|| self.nested.write(self.line, &value, self.redact));
        if written.is_none() {
            self.line.truncate(start);
            self.line.push(b'"');
            self.line.extend_from_slice(PANICKED.as_bytes());
            self.line.push(b'"');
        }
        Ok(())
    }

    fn visit_null(&mut self) -> Result<(), kv::Error> {
        self.key.write_with(self.line, *b"null", 4);
        Ok(())
    }

    fn visit_u64(&mut self, value: u64) -> Result<(), kv::Error> {
        write_unsigned(self.line, self.key, value);
        Ok(())
    }

    fn visit_i64(&mut self, value: i64) -> Result<(), kv::Error> {
        write_signed(self.line, self.key, value);
        Ok(())
    }

    fn visit_u128(&mut self, value: u128) -> Result<(), kv::Error> {
        push_integer(self.line, self.key, value, value <= u128::from(MAX_EXACT_INTEGER));
        Ok(())
    }

    fn visit_i128(&mut self, value: i128) -> Result<(), kv::Error> {
        push_integer(self.line, self.key, value, value.unsigned_abs() <= u128::from(MAX_EXACT_INTEGER));
        Ok(())
    }

    fn visit_f64(&mut self, value: f64) -> Result<(), kv::Error> {
        let start = self.line.len();
        // Written as an `f64` first, because the length of its text rules out an `f32` in most cases.
        let length = push_float(self.line, self.key, value);
        if may_be_f32(value, length) {
            self.line.truncate(start);
            return self.visit_any(self.value.clone());
        }
        Ok(())
    }

    fn visit_bool(&mut self, value: bool) -> Result<(), kv::Error> {
        write_boolean(self.line, self.key, value);
        Ok(())
    }

    fn visit_str(&mut self, value: &str) -> Result<(), kv::Error> {
        write_string(self.line, self.key, value);
        Ok(())
    }

    fn visit_char(&mut self, value: char) -> Result<(), kv::Error> {
        write_string(self.line, self.key, value.encode_utf8(&mut [0; 4]));
        Ok(())
    }

    fn visit_error(&mut self, error: &(dyn std::error::Error + 'static)) -> Result<(), kv::Error> {
        write_text(self.line, self.key, &format_args!("{error}"));
        Ok(())
    }
}

/// Appends a key and an integer.
#[inline]
pub(crate) fn write_unsigned(line: &mut LineBuf, key: &CopyText, value: u64) {
    match small(value) {
        Some((digits, count)) => key.write_with(line, digits, count),
        None => push_integer(line, key, value, value <= MAX_EXACT_INTEGER),
    }
}

/// Appends a key and an integer.
#[inline]
pub(crate) fn write_signed(line: &mut LineBuf, key: &CopyText, value: i64) {
    match u64::try_from(value) {
        Ok(value) => write_unsigned(line, key, value),
        Err(_) => push_integer(line, key, value, value.unsigned_abs() <= MAX_EXACT_INTEGER),
    }
}

/// Appends a key and a Boolean.
#[inline]
pub(crate) fn write_boolean(line: &mut LineBuf, key: &CopyText, value: bool) {
    let text = if value { b"true " } else { b"false" };
    key.write_with(line, *text, if value { 4 } else { 5 });
}

/// Digits of a number that has at most four, and their count. Most numbers in a log are that small.
#[inline]
fn small(value: u64) -> Option<([u8; 4], usize)> {
    let value = u32::try_from(value).ok().filter(|value| *value < 10_000)?;
    let digits =
        [value / 1000, value / 100 % 10, value / 10 % 10, value % 10].map(|digit| b'0' + digit as u8);
    // Without branches: leading zeros are shifted out of the word.
    let zeros = usize::from(value < 1000) + usize::from(value < 100) + usize::from(value < 10);
    Some(((u32::from_le_bytes(digits) >> (8 * zeros)).to_le_bytes(), 4 - zeros))
}

/// Returns the shortest text of a number below 10 000 with at most three decimals, and its length. Most fractions in a log are
/// such numbers.
///
/// No other text of as few digits reads back as the same number, because an `f64` tells apart all texts of up to 15 digits.
#[inline]
fn thousandths(value: f64) -> Option<([u8; 8], usize)> {
    // Zero may have a sign.
    if !(0.001..10_000.0).contains(&value) {
        return None;
    }
    let count = (value * 1e3 + 0.5) as u32;
    if f64::from(count) / 1e3 != value {
        return None;
    }
    let (digits, length) = small(u64::from(count / 1000))?;
    let decimals = count % 1000;
    let zeros = if decimals.is_multiple_of(100) { 2 } else { usize::from(decimals.is_multiple_of(10)) };
    let decimals = [decimals / 100, decimals / 10 % 10, decimals % 10].map(|digit| b'0' + digit as u8);
    let [first, second, third] = decimals;
    // Behind the digits, in one word, without branches.
    let tail = u64::from(u32::from_le_bytes([b'.', first, second, third]));
    let text = u64::from(u32::from_le_bytes(digits)) | tail << (8 * length);
    Some((text.to_le_bytes(), length + 4 - zeros))
}

/// Appends a key and an integer. The integer is a string unless it is `exact`.
fn push_integer(line: &mut LineBuf, key: &CopyText, value: impl itoa::Integer, exact: bool) {
    key.write(line);
    let mut buffer = itoa::Buffer::new();
    let text = buffer.format(value).as_bytes();
    if exact {
        put(line, text);
    } else {
        line.push(b'"');
        put(line, text);
        line.push(b'"');
    }
}

/// Appends a key and the shortest text that reads back as `value`. JSON has no `NaN`, `Infinity` and `-Infinity`, so these
/// are strings. Returns the length of a number's text.
#[inline]
pub(crate) fn push_float(line: &mut LineBuf, key: &CopyText, value: f64) -> usize {
    if let Some((text, length)) = thousandths(value) {
        key.write_with(line, text, length);
        return length;
    }
    key.write(line);
    let text: &str = match value {
        _ if value.is_finite() => {
            let mut buffer = zmij::Buffer::new();
            let text = buffer.format_finite(value).as_bytes();
            put(line, text);
            return text.len();
        }
        _ if value.is_nan() => "\"NaN\"",
        _ if value > 0.0 => "\"Infinity\"",
        _ => "\"-Infinity\"",
    };
    line.extend_from_slice(text.as_bytes());
    0
}

#[cfg(test)]
mod tests {
    use super::thousandths;
    use crate::json::Encoder;
    use crate::json::tests::{Panics, encode_with, fields};
    use log::kv::{ToValue, Value};
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use std::fmt;

    #[test]
    fn values_keep_their_kind() {
        let cases: [(Value<'_>, &str); 20] = [
            (true.into(), "true"),
            (().to_value(), "null"),
            (None::<u8>.to_value(), "null"),
            ('x'.into(), "\"x\""),
            (12_u64.into(), "12"),
            ((-3_i64).into(), "-3"),
            ((1_u64 << 53).into(), "9007199254740992"),
            (((1_u64 << 53) + 1).into(), "\"9007199254740993\""),
            (i64::MIN.into(), "\"-9223372036854775808\""),
            (Value::from(&u128::MAX), "\"340282366920938463463374607431768211455\""),
            (Value::from(&5_i128), "5"),
            (0.1.into(), "0.1"),
            (12.0.into(), "12.0"),
            ((-0.0).into(), "-0.0"),
            (1e300.into(), "1e+300"),
            (f64::NAN.into(), "\"NaN\""),
            (f64::INFINITY.into(), "\"Infinity\""),
            (f64::NEG_INFINITY.into(), "\"-Infinity\""),
            (Value::from_debug(&Some("a\"b")), "\"Some(\\\"a\\\\\\\"b\\\")\""),
            (Value::from_display(&"a\u{9b}\n"), "\"a\\u009b\\n\""),
        ];
        for (value, expected) in cases {
            assert_eq!(fields(&[("v", value)]), format!(",\"v\":{expected}"));
        }
    }

    #[test]
    fn hidden_names_and_secrets_are_redacted() {
        let secret = crate::Secret::new("hunter2");
        let all = [("password", 1.into()), ("PassWord", "x".into()), ("key", secret.to_value())];
        assert_eq!(
            fields(&all),
            ",\"password\":\"[redacted]\",\"PassWord\":\"[redacted]\",\"key\":\"[redacted]\""
        );
        let nested = BTreeMap::from([("key", &secret)]);
        assert_eq!(fields(&[("v", Value::from_serde(&nested))]), ",\"v\":{\"key\":\"[redacted]\"}");
    }

    #[test]
    fn a_panic_or_an_error_in_a_display_gives_one_clean_line() {
        struct Refuses;
        impl fmt::Display for Refuses {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("begun")?;
                Err(fmt::Error)
            }
        }
        let mut encoder = Encoder::default();
        let line = encode_with(
            &mut encoder,
            format_args!("{Panics}"),
            &[("v", Value::from_display(&Panics)), ("n", 1.into())],
        );
        let line: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        assert_eq!(line["msg"], "half a \"text[panicked while formatting]");
        assert_eq!(line["v"], "[panicked while formatting]");
        assert_eq!(line["n"], 1);
        let line = encode_with(&mut encoder, format_args!("{Refuses}"), &[("n", 2.into())]).unwrap();
        assert!(line.ends_with("\"msg\":\"begun\",\"n\":2}\n"), "{line}");
    }

    /// Checks a number that has or has not at most three decimals.
    fn check_float(value: f64, is_short: bool) {
        let text = zmij::Buffer::new().format_finite(value).to_owned();
        let found = thousandths(value).map(|(text, length)| text[..length].to_vec());
        assert_eq!(found, is_short.then(|| text.clone().into_bytes()), "{value:?}");
        assert_eq!(fields(&[("v", value.into())]), format!(",\"v\":{text}"));
    }

    #[test]
    fn only_numbers_of_three_decimals_below_ten_thousand_are_counted_in_thousandths() {
        for value in [0.001, 0.01, 0.1, 1.0, 0.999, 10.0, 100.05, 1_000.0, 9_999.999] {
            check_float(value, true);
        }
        for value in [0.0, -0.0, 0.000_5, 1e-300, 9_999.999_9, 10_000.0, 1e300, -0.5] {
            check_float(value, false);
        }
    }

    proptest! {
        #[test]
        fn a_count_of_thousandths_has_the_shortest_text(count in 1..10_000_000_u32) {
            let value = f64::from(count) / 1e3;
            check_float(value, true);
            check_float(value.next_down(), false);
            check_float(value.next_up(), false);
        }
    }
}
