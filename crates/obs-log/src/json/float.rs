//! Numbers of type `f32`, which are shown by their own shortest text: `0.1`, not `0.10000000149011612`.

use std::any::type_name;

use log::kv::{ToValue, Value};

/// Types of the standard library that `log` takes for what they hold.
const HOLDERS: [&str; 5] =
    ["&", "core::option::Option<", "alloc::boxed::Box<", "alloc::sync::Arc<", "alloc::rc::Rc<"];

/// A field's value, with its type still known.
#[derive(Debug)]
#[doc(hidden)]
pub struct Field<'a, T: ?Sized>(pub &'a T);

impl<T: ToValue + ?Sized> ToValue for Field<'_, T> {
    #[inline]
    fn to_value(&self) -> Value<'_> {
        let value = self.0.to_value();
        if is_single(type_name::<T>()) { narrowed(value) } else { value }
    }
}

/// Whether the type of this name is `f32` or holds one. `type_name` promises no exact text: where it gives another one,
/// the value is shown like an `f64`.
#[inline]
fn is_single(name: &str) -> bool {
    // Almost all types end here, while the program is compiled.
    name.trim_end_matches('>').ends_with("f32") && held(name) == "f32"
}

fn held(name: &str) -> &str {
    let mut rest = name.trim_end_matches('>');
    while let Some(inner) = HOLDERS.iter().find_map(|holder| rest.strip_prefix(holder)) {
        rest = inner;
    }
    rest
}

/// `value`, made of an `f32`, as the `f64` that has the same shortest text.
fn narrowed(value: Value<'_>) -> Value<'_> {
    match value.to_f64() {
        Some(wide) if f64::from(wide as f32) == wide => Value::from(as_shown(wide as f32)),
        _ => value,
    }
}

/// The `f64` nearest to the shortest text that reads back as `value`; its own shortest text is the same, because an
/// `f64` tells apart all texts of up to 15 digits and an `f32` needs at most 9.
pub(crate) fn as_shown(value: f32) -> f64 {
    if !value.is_finite() {
        return value.into();
    }
    zmij::Buffer::new().format_finite(value).parse().unwrap_or(value.into())
}

/// Whether `value`, whose text has `length` bytes, may be an `f32` behind a `Serialize`, which `log` visits as an `f64`;
/// `false` also where both types have the same text.
pub(crate) fn may_be_single(value: f64, length: usize) -> bool {
    // An `f32` tells apart all texts of 6 digits, and has all integers up to 2^24.
    let is_same = length <= 7 || (value.fract() == 0.0 && value.abs() < 16_777_216.0);
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
        Field(value).to_value().to_f64().unwrap()
    }

    #[test]
    fn an_f32_is_known_wherever_log_takes_one() {
        let number = 0.1_f32;
        assert_eq!((shown(&number), shown(&&number), shown(&&&number)), (0.1, 0.1, 0.1));
        assert_eq!((shown(&Some(number)), shown(&Some(&number)), shown(&&Some(number))), (0.1, 0.1, 0.1));
        assert_eq!(
            (shown(&Box::new(number)), shown(&Arc::new(number)), shown(&Rc::new(Some(number)))),
            (0.1, 0.1, 0.1)
        );
        assert!(Field(&None::<f32>).to_value().to_f64().is_none());
        assert!(shown(&f32::NAN).is_nan());
        assert_eq!((shown(&f32::INFINITY), shown(&f32::NEG_INFINITY)), (f64::INFINITY, f64::NEG_INFINITY));
    }

    #[test]
    fn other_types_stay_as_they_are() {
        let wide = f64::from(0.1_f32);
        assert_eq!((shown(&wide), shown(&Some(wide)), shown(&&wide)), (wide, wide, wide));
        assert_eq!(Field("f32").to_value().to_string(), "f32");
        assert_eq!(Field(&7).to_value().to_i64(), Some(7));
    }

    proptest! {
        #[test]
        fn the_text_is_the_f32_s_own_and_reads_back_as_it(bits in any::<u32>()) {
            let value = f32::from_bits(bits);
            prop_assume!(value.is_finite());
            let text = zmij::Buffer::new().format_finite(as_shown(value)).to_owned();
            prop_assert_eq!(text.parse::<f32>().unwrap().to_bits(), bits);
            let digits = |text: &str| format!("{:e}", text.parse::<f64>().unwrap());
            prop_assert_eq!(digits(&text), digits(zmij::Buffer::new().format_finite(value)));
        }
    }
}
