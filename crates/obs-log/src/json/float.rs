//! Numbers of type `f32`, written by their own shortest text: `0.1`, not `0.10000000149011612`.
//!
//! `log` holds every floating-point value as an `f64`, so the type has to be found out before or behind it.

use std::any::type_name;

use log::kv::{ToValue, Value};

/// Types of the standard library that `log` sees through to the value inside.
const HOLDERS: [&str; 5] =
    ["&", "core::option::Option<", "alloc::boxed::Box<", "alloc::sync::Arc<", "alloc::rc::Rc<"];

/// Returns a value. That of an `f32` reads as its own shortest text.
#[inline]
pub(crate) fn value_of<T: ToValue + ?Sized>(value: &T) -> Value<'_> {
    let found = value.to_value();
    if is_f32(type_name::<T>()) { with_f32_text(found) } else { found }
}

/// Whether the type of this name is `f32` or holds one. `type_name` promises no exact text. If it gives another text, the
/// value is written like an `f64`.
#[inline]
fn is_f32(name: &str) -> bool {
    // For almost all types the compiler evaluates this to `false`.
    name.trim_end_matches('>').ends_with("f32") && held(name) == "f32"
}

fn held(name: &str) -> &str {
    let mut rest = name.trim_end_matches('>');
    while let Some(inner) = HOLDERS.iter().find_map(|holder| rest.strip_prefix(holder)) {
        rest = inner;
    }
    rest
}

/// Returns the `f64` with the same shortest text as the `f32` in `value`.
fn with_f32_text(value: Value<'_>) -> Value<'_> {
    match value.to_f64() {
        Some(wide) if f64::from(wide as f32) == wide => Value::from(shortest_f64(wide as f32)),
        _ => value,
    }
}

/// Returns the `f64` nearest to the shortest text of `value`. Its own shortest text is the same, because an `f64` tells
/// apart all texts of up to 15 digits and an `f32` needs at most 9.
pub(crate) fn shortest_f64(value: f32) -> f64 {
    if !value.is_finite() {
        return value.into();
    }
    zmij::Buffer::new().format_finite(value).parse().unwrap_or(value.into())
}

/// Whether `value`, whose text has `length` bytes, may be an `f32` behind a `Serialize`, which `log` visits as an `f64`.
/// Returns `false` if both types have the same text anyway.
pub(crate) fn may_be_f32(value: f64, length: usize) -> bool {
    // An `f32` tells apart all texts of 6 digits, and represents all integers up to 2^24.
    let is_same = length <= 7 || (value.fract() == 0.0 && value.abs() < 16_777_216.0);
    // An `f32` widened to an `f64` has zeros in the bits that only an `f64` has.
    let surplus_bits = value.to_bits() << (64 - (f64::MANTISSA_DIGITS - f32::MANTISSA_DIGITS));
    !is_same && surplus_bits == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::rc::Rc;
    use std::sync::Arc;

    fn shown<T: ToValue + ?Sized>(value: &T) -> f64 {
        value_of(value).to_f64().unwrap()
    }

    #[test]
    fn an_f32_is_recognised_in_every_type_that_log_sees_through() {
        let number = 0.1_f32;
        assert_eq!((shown(&number), shown(&&number), shown(&&&number)), (0.1, 0.1, 0.1));
        assert_eq!((shown(&Some(number)), shown(&Some(&number)), shown(&&Some(number))), (0.1, 0.1, 0.1));
        assert_eq!(
            (shown(&Box::new(number)), shown(&Arc::new(number)), shown(&Rc::new(Some(number)))),
            (0.1, 0.1, 0.1)
        );
        assert!(value_of(&None::<f32>).to_f64().is_none());
        assert!(shown(&f32::NAN).is_nan());
        assert_eq!((shown(&f32::INFINITY), shown(&f32::NEG_INFINITY)), (f64::INFINITY, f64::NEG_INFINITY));
    }

    #[test]
    fn other_types_are_unchanged() {
        let wide = f64::from(0.1_f32);
        assert_eq!((shown(&wide), shown(&Some(wide)), shown(&&wide)), (wide, wide, wide));
        assert_eq!(value_of("f32").to_string(), "f32");
        assert_eq!(value_of(&7).to_i64(), Some(7));
    }

    proptest! {
        #[test]
        fn the_text_is_that_of_the_f32_and_reads_back(bits in any::<u32>()) {
            let value = f32::from_bits(bits);
            prop_assume!(value.is_finite());
            let text = zmij::Buffer::new().format_finite(shortest_f64(value)).to_owned();
            prop_assert_eq!(text.parse::<f32>().unwrap().to_bits(), bits);
            let digits = |text: &str| format!("{:e}", text.parse::<f64>().unwrap());
            prop_assert_eq!(digits(&text), digits(zmij::Buffer::new().format_finite(value)));
        }
    }
}
