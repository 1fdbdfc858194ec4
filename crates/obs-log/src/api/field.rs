//! Values that a field of a line accepts without a modifier.

use std::fmt;
use std::time::Duration;

use log::kv::{ToValue, Value};

use crate::json::float;

/// Value that a field accepts as it is: `key = value`.
///
/// | type | in the line |
/// |---|---|
/// | integers, floats | number |
/// | `bool` | `true`, `false` |
/// | `str`, `String`, `Cow<str>`, `char` | text |
/// | [`Duration`] | milliseconds, a number with three decimals, like `ms` in the line `done` of a trace |
/// | [`Secret`](crate::Secret) | `[redacted]` |
/// | `Option`, `()` | the value, or `null` |
/// | references, and `Box`, `Arc`, `Rc` of all but `Duration` | the value |
/// | [`log::kv::Value`], types that implement [`log::kv::ToValue`] | by its kind |
///
/// Another type needs a modifier: `key:% = value` for its `Display`, `key:? = value` for its `Debug`, `key:err = value` for an
/// error, `key:serde = value` for its `Serialize`. The compiler says so:
///
/// ```compile_fail,E0277
/// struct Peer;
/// obs_log::info!(peer = Peer; "joined");
/// ```
///
/// `How` is one of two ways to a value. The compiler finds it. Implement `log::kv::ToValue` for a type of your own.
///
/// ```
/// use std::time::Duration;
///
/// # let capture = obs_log::Capture::new();
/// # let _scope = capture.enter();
/// obs_log::info!(took = Duration::from_micros(12_340), again = None::<Duration>; "routed");
/// # let line = &capture.text()[0];
/// # assert!(line.ends_with(r#""took":12.34,"again":null}"#), "{line}");
/// ```
#[diagnostic::on_unimplemented(
    message = "a value of type `{Self}` cannot be a field as it is",
    label = "not a number, text, Boolean or `Duration`",
    note = "write `key:% = value` for its `Display`, `key:? = value` for its `Debug`, `key:err = value` for an error, \
            `key:serde = value` for its `Serialize`"
)]
pub trait FieldValue<How> {
    /// Returns the value in the form of the `log` crate.
    fn value(&self) -> Value<'_>;

    #[doc(hidden)]
    #[inline]
    fn field(&self) -> Field<'_, Self> {
        Field { value: self, convert: Self::value }
    }
}

/// Way of a value that the `log` crate knows.
#[doc(hidden)]
#[derive(Debug)]
pub struct ByLog;

/// Way of a value that this crate converts.
#[doc(hidden)]
#[derive(Debug)]
pub struct ByUnit;

impl<T: ToValue + ?Sized> FieldValue<ByLog> for T {
    #[inline]
    fn value(&self) -> Value<'_> {
        float::value_of(self)
    }
}

impl<T: InUnit + ?Sized> FieldValue<ByUnit> for T {
    #[inline]
    fn value(&self) -> Value<'_> {
        self.in_unit()
    }
}

/// Field with its conversion. Unlike [`FieldValue`] it always has a value, so that the compiler reports a wrong type once.
#[doc(hidden)]
pub struct Field<'a, T: ?Sized> {
    value: &'a T,
    convert: for<'b> fn(&'b T) -> Value<'b>,
}

impl<T: ?Sized> ToValue for Field<'_, T> {
    #[inline]
    fn to_value(&self) -> Value<'_> {
        (self.convert)(self.value)
    }
}

impl<T: ?Sized> fmt::Debug for Field<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Field").field(&self.to_value()).finish()
    }
}

/// Value that is written as a number in a fixed unit.
pub trait InUnit {
    /// Returns the number.
    fn in_unit(&self) -> Value<'_>;
}

impl InUnit for Duration {
    #[inline]
    fn in_unit(&self) -> Value<'_> {
        // Rounded to microseconds, as in the records of traces.
        Value::from((self.as_nanos() as f64 / 1e3).round() / 1e3)
    }
}

impl<T: InUnit + ?Sized> InUnit for &T {
    #[inline]
    fn in_unit(&self) -> Value<'_> {
        (**self).in_unit()
    }
}

impl<T: InUnit> InUnit for Option<T> {
    #[inline]
    fn in_unit(&self) -> Value<'_> {
        self.as_ref().map_or_else(Value::null, InUnit::in_unit)
    }
}
