//! Values that a field of a span accepts.

use super::Value;

/// Value that a field of a span or trace accepts: what converts into a [`Value`], which are numbers, texts, Booleans, durations
/// and trace IDs.
///
/// Another type is shown by [`Value::display`]. The compiler says so:
///
/// ```compile_fail,E0277
/// struct Peer;
/// obs_trace::span("forward").field("to", Peer).run(|| ());
/// ```
///
/// `How` is one of two ways to a value. The compiler finds it. Implement `From<T> for Value` for a type of your own.
///
/// ```
/// use obs_trace::Value;
///
/// struct Peer;
/// impl From<Peer> for Value {
///     fn from(_: Peer) -> Value {
///         "7H4G-Y9KL".into()
///     }
/// }
///
/// obs_trace::span("forward").field("to", Peer).field("attempt", 2).run(|| ());
/// ```
#[diagnostic::on_unimplemented(
    message = "a value of type `{Self}` cannot be a field of a span",
    label = "not a number, text, Boolean or `Duration`",
    note = "write `Value::display(value)` for its `Display`, `Value::display(format_args!(\"{{value:?}}\"))` for its `Debug`, or \
            implement `From` of it for `obs_trace::Value`"
)]
pub trait IntoValue<How> {
    /// Returns the value.
    fn into_value(self) -> Value;
}

/// Way of a type that converts into a value.
#[doc(hidden)]
#[derive(Debug)]
pub struct ByInto;

/// Way of no type. With two ways, the compiler names [`IntoValue`] for a type that has neither. With one, it would name the
/// condition of that one.
#[doc(hidden)]
#[derive(Debug)]
pub struct ByNothing;

/// Implemented by no type.
#[doc(hidden)]
pub trait Nothing {
    /// Returns the value.
    fn value(self) -> Value;
}

impl<T: Into<Value>> IntoValue<ByInto> for T {
    #[inline]
    fn into_value(self) -> Value {
        self.into()
    }
}

impl<T: Nothing> IntoValue<ByNothing> for T {
    fn into_value(self) -> Value {
        self.value()
    }
}
