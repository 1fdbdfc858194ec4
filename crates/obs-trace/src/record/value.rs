//! Values of fields.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde_core::{Serialize, Serializer};
use smol_str::SmolStr;

use crate::{clock, text};

/// Value of a field: text, a number or a Boolean.
///
/// Text of up to 23 bytes needs no allocation. [`SpanBuilder::field`](crate::SpanBuilder::field) makes a value by `From`. A
/// [`Duration`] becomes milliseconds with three decimals, as everywhere in records and log lines.
///
/// ```
/// use obs_trace::Value;
///
/// assert_eq!(Value::from("peer").to_string(), "peer");
/// assert_eq!(Value::from(12_u32).to_string(), "12");
/// assert_eq!(Value::from(f64::NAN).to_string(), "NaN");
/// assert_eq!(Value::from(2_u8), Value::from(2_i64), "integers are equal by value");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Value(Kind);

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Text(SmolStr),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Bool(bool),
}

impl Value {
    /// Returns the displayed text of `value`, for types without a `From` here.
    pub fn display(value: impl fmt::Display) -> Value {
        Value(Kind::Text(smol_str::format_smolstr!("{value}")))
    }

    /// Returns the text. `None` for a number or a Boolean.
    pub fn as_str(&self) -> Option<&str> {
        match &self.0 {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns a number with a fraction. `None` for text, a whole number or a Boolean.
    #[cfg(feature = "rt")]
    pub(super) fn as_f64(&self) -> Option<f64> {
        match &self.0 {
            Kind::Float(number) => Some(*number),
            _ => None,
        }
    }

    pub(crate) fn kind(&self) -> &Kind {
        &self.0
    }

    /// Returns the value as a field of a log line.
    pub(super) fn for_log(&self) -> log::kv::Value<'_> {
        match &self.0 {
            Kind::Text(text) => text.as_str().into(),
            Kind::Signed(number) => (*number).into(),
            Kind::Unsigned(number) => (*number).into(),
            Kind::Float(number) => (*number).into(),
            Kind::Bool(truth) => (*truth).into(),
        }
    }

    /// Cuts text to at most `limit` bytes.
    pub(crate) fn bound(&mut self, limit: usize) {
        if let Kind::Text(text) = &mut self.0
            && text.len() > limit
        {
            *text = text::bounded(text, limit);
        }
    }

    /// Returns the bytes of text that are allocated.
    pub(crate) fn heap_bytes(&self) -> usize {
        match &self.0 {
            Kind::Text(text) if text.is_heap_allocated() => text.len(),
            _ => 0,
        }
    }
}

/// Integers are equal by their value, whether their type has a sign or not: a `2` in a test is an `i32`.
impl PartialEq for Kind {
    fn eq(&self, other: &Kind) -> bool {
        match (self, other) {
            (Kind::Text(a), Kind::Text(b)) => a == b,
            (Kind::Signed(a), Kind::Signed(b)) => a == b,
            (Kind::Unsigned(a), Kind::Unsigned(b)) => a == b,
            (Kind::Signed(a), Kind::Unsigned(b)) | (Kind::Unsigned(b), Kind::Signed(a)) => {
                u64::try_from(*a) == Ok(*b)
            }
            (Kind::Float(a), Kind::Float(b)) => a == b,
            (Kind::Bool(a), Kind::Bool(b)) => a == b,
            _ => false,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Text(text) => f.pad(text),
            Kind::Signed(number) => number.fmt(f),
            Kind::Unsigned(number) => number.fmt(f),
            Kind::Float(number) => number.fmt(f),
            Kind::Bool(truth) => truth.fmt(f),
        }
    }
}

/// Serialises numbers as numbers. Those that JSON cannot write become the texts `NaN`, `inf` and `-inf`.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Kind::Text(text) => serializer.serialize_str(text),
            Kind::Signed(number) => serializer.serialize_i64(*number),
            Kind::Unsigned(number) => serializer.serialize_u64(*number),
            Kind::Float(number) if number.is_finite() => serializer.serialize_f64(*number),
            Kind::Float(number) => serializer.collect_str(number),
            Kind::Bool(truth) => serializer.serialize_bool(*truth),
        }
    }
}

macro_rules! value_from {
    ($($from:ty => |$value:ident| $kind:expr;)*) => {$(
        impl From<$from> for Value {
            fn from($value: $from) -> Value {
                Value($kind)
            }
        }
    )*};
}

value_from! {
    &str => |value| Kind::Text(SmolStr::new(value));
    &&str => |value| Kind::Text(SmolStr::new(value));
    &String => |value| Kind::Text(SmolStr::new(value));
    String => |value| Kind::Text(SmolStr::from(value));
    Cow<'_, str> => |value| Kind::Text(SmolStr::new(value));
    &Cow<'_, str> => |value| Kind::Text(SmolStr::new(value));
    crate::TraceId => |value| Kind::Text(SmolStr::new(std::str::from_utf8(&value.to_text()).unwrap_or_default()));
    bool => |value| Kind::Bool(value);
    i8 => |value| Kind::Signed(value.into());
    i16 => |value| Kind::Signed(value.into());
    i32 => |value| Kind::Signed(value.into());
    i64 => |value| Kind::Signed(value);
    isize => |value| Kind::Signed(value as i64);
    u8 => |value| Kind::Unsigned(value.into());
    u16 => |value| Kind::Unsigned(value.into());
    u32 => |value| Kind::Unsigned(value.into());
    u64 => |value| Kind::Unsigned(value);
    usize => |value| Kind::Unsigned(value as u64);
    i128 => |value| integer(value);
    u128 => |value| u64::try_from(value).map_or_else(|_| digits(value), Kind::Unsigned);
    f32 => |value| Kind::Float(as_shown(value));
    f64 => |value| Kind::Float(value);
    Duration => |value| Kind::Float(clock::ms(value));
}

/// Returns an integer as a number if one of 64 bits can hold it, else as text.
fn integer(value: i128) -> Kind {
    match (i64::try_from(value), u64::try_from(value)) {
        (Ok(number), _) => Kind::Signed(number),
        (_, Ok(number)) => Kind::Unsigned(number),
        _ => digits(value),
    }
}

fn digits(value: impl fmt::Display) -> Kind {
    Kind::Text(smol_str::format_smolstr!("{value}"))
}

/// Converts by way of the shortest text that reads back as `value`, so that 0.1 stays 0.1.
fn as_shown(value: f32) -> f64 {
    smol_str::format_smolstr!("{value:e}").parse().unwrap_or(value.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_equal_by_value() {
        assert_eq!(Value::from(2_u64), Value::from(2));
        assert_eq!(Value::from(i64::MAX), Value::from(i64::MAX as u64));
        assert_ne!(Value::from(-1), Value::from(u64::MAX));
        assert_ne!(Value::from(2), Value::from(2.0));
        assert_ne!(Value::from(1), Value::from(true));
        assert_ne!(Value::from(1), Value::from("1"));
    }

    #[test]
    fn every_value_is_json() {
        let cases = [
            (Value::from("a\"b\n"), r#""a\"b\n""#),
            (Value::from(String::from("peer")), r#""peer""#),
            (Value::from(-3_i8), "-3"),
            (Value::from(u64::MAX), "18446744073709551615"),
            (Value::from(-3_i128), "-3"),
            (Value::from(i128::from(u64::MAX)), "18446744073709551615"),
            (Value::from(i128::MIN), r#""-170141183460469231731687303715884105728""#),
            (Value::from(3_u128), "3"),
            (Value::from(u128::MAX), r#""340282366920938463463374607431768211455""#),
            (Value::from(1.5_f32), "1.5"),
            (Value::from(0.1_f32), "0.1"),
            (Value::from(0.1_f64 + 0.2), "0.30000000000000004"),
            (Value::from(f64::from(0.1_f32)), "0.10000000149011612"),
            (Value::from(f32::NAN), r#""NaN""#),
            (Value::from(f32::NEG_INFINITY), r#""-inf""#),
            (Value::from(Duration::from_nanos(12_345_678)), "12.346"),
            (Value::from(f64::NAN), r#""NaN""#),
            (Value::from(f64::INFINITY), r#""inf""#),
            (Value::from(f64::NEG_INFINITY), r#""-inf""#),
            (Value::from(true), "true"),
            (Value::display(std::net::Ipv4Addr::LOCALHOST), r#""127.0.0.1""#),
        ];
        for (value, expected) in cases {
            assert_eq!(serde_json::to_string(&value).unwrap(), expected);
        }
    }
}
