//! Errors as fields: `key:err = value`.

use std::error::Error;
use std::ops::Deref;

use crate::api::probe::Probe;

/// Value that `key:err = value` accepts: a type that implements [`std::error::Error`] and borrows nothing, or one that points to
/// such a type, such as `Box<dyn Error>` and `anyhow::Error`, or a reference to either. The line has its message and causes.
///
/// ```
/// # let capture = obs_log::Capture::new();
/// # let _scope = capture.enter();
/// let result = "x".parse::<u16>();
/// if let Err(err) = &result {
///     obs_log::warn!(error:err = err; "bad port");
/// }
/// assert_eq!(capture.lines()[0]["error"], "invalid digit found in string");
/// ```
///
/// Nothing implements this trait. The compiler names it when it meets another type:
///
/// ```compile_fail,E0277
/// obs_log::warn!(error:err = "only text"; "it failed");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an error that `:err` can log",
    label = "neither a `std::error::Error` without borrowed parts nor a pointer to one",
    note = "write `key:% = value` for its `Display`, or `key:? = value` for its `Debug`"
)]
pub trait ErrorValue {}

/// Conversion of any other type, which the compiler refuses.
#[doc(hidden)]
pub trait ErrorFieldArgument<'a, T: ?Sized> {
    fn error(&self) -> &'a (dyn Error + 'static)
    where
        T: ErrorValue;
}

impl<'a, T: ?Sized> ErrorFieldArgument<'a, T> for Probe<'a, T> {
    fn error(&self) -> &'a (dyn Error + 'static)
    where
        T: ErrorValue,
    {
        // Never called, because no type is an `ErrorValue`.
        &std::fmt::Error
    }
}

/// Conversion of a reference to an error. It goes before that of an error: a reference is an error too, of a shorter life.
#[doc(hidden)]
pub trait ErrorFieldRef<'a> {
    fn error(&self) -> &'a (dyn Error + 'static);
}

/// Conversion of an error.
#[doc(hidden)]
pub trait ErrorFieldOwned<'a> {
    fn error(&self) -> &'a (dyn Error + 'static);
}

/// Conversion of a type that points to an error and is none itself.
#[doc(hidden)]
pub trait ErrorFieldBox<'a> {
    fn error(&self) -> &'a (dyn Error + 'static);
}

/// Conversion of a reference to such a type.
#[doc(hidden)]
pub trait ErrorFieldBoxRef<'a> {
    fn error(&self) -> &'a (dyn Error + 'static);
}

impl<'a, T: AsError + ?Sized> ErrorFieldRef<'a> for &&&&Probe<'a, &T> {
    fn error(&self) -> &'a (dyn Error + 'static) {
        self.0.as_error()
    }
}

impl<'a, T: AsError + ?Sized> ErrorFieldOwned<'a> for &&&Probe<'a, T> {
    fn error(&self) -> &'a (dyn Error + 'static) {
        self.0.as_error()
    }
}

impl<'a, T: Deref<Target: AsError>> ErrorFieldBox<'a> for &&Probe<'a, T> {
    fn error(&self) -> &'a (dyn Error + 'static) {
        (**self.0).as_error()
    }
}

impl<'a, T: Deref<Target: AsError>> ErrorFieldBoxRef<'a> for &Probe<'a, &T> {
    fn error(&self) -> &'a (dyn Error + 'static) {
        (***self.0).as_error()
    }
}

/// Errors of a known size, and those behind a `dyn`.
#[doc(hidden)]
pub trait AsError {
    fn as_error(&self) -> &(dyn Error + 'static);
}

impl<T: Error + 'static> AsError for T {
    fn as_error(&self) -> &(dyn Error + 'static) {
        self
    }
}

impl AsError for dyn Error + 'static {
    fn as_error(&self) -> &(dyn Error + 'static) {
        self
    }
}

impl AsError for dyn Error + Send + 'static {
    fn as_error(&self) -> &(dyn Error + 'static) {
        self
    }
}

impl AsError for dyn Error + Send + Sync + 'static {
    fn as_error(&self) -> &(dyn Error + 'static) {
        self
    }
}
