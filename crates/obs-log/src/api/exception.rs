//! Errors with their causes and a backtrace.

use std::error::Error;
use std::fmt::{self, Display};
use std::ops::Deref;

use log::kv::Value;
use log::{Log, Metadata, Record};

use crate::api::logger::Logger;
use crate::api::probe::Probe;
use crate::backtrace::{self, Trace};
use crate::dispatch::sinks;
use crate::json::joined::Joined;
use crate::json::text::display::bounded_text;
use crate::limits::MAX_LINE_BYTES;

/// Maximum number of causes that are followed. An error may be its own source.
const MAX_CAUSES: usize = 64;
/// Maximum length in bytes of an error's message, and of its causes together. A line must have room for both.
const MAX_TEXT_BYTES: usize = MAX_LINE_BYTES / 3;

/// Logs an error at level `error` with its type, causes and backtrace, and wakes the writer.
///
/// The line gets these fields after yours: `error_type`, `error` (its message), `causes` (the messages of its sources,
/// outermost first) and `backtrace`, which begins with the function that has the call. At most 16 backtraces are taken in a
/// second. The type of a `Box<dyn Error>` reads `dyn Error`, because Rust keeps no more of it.
///
/// The call does not wait. The writer thread looks up the symbols of the backtrace and writes the line. If the process is
/// killed before that, the line is kept like any other. Its `backtrace` then has the addresses of the calling functions, which
/// `addr2line` turns into names.
///
/// ```
/// use obs_log::{Logger, exception};
///
/// static LOG: Logger = Logger::new(module_path!());
///
/// # let capture = obs_log::Capture::new();
/// # let _scope = capture.enter();
/// if let Err(err) = "x".parse::<u16>() {
///     exception!(logger: LOG, err, peer = "7H4G"; "bad port from peer");
///     exception!(logger: LOG, err; "bad port");                       // without fields
///     exception!(LOG, err; "`logger:` may be left out");
/// }
/// let line = &capture.lines()[0];
/// assert_eq!(line["error_type"], "core::num::error::ParseIntError");
/// assert_eq!(line["error"], "invalid digit found in string");
/// ```
///
/// See [`Exception`] for the types of errors.
#[macro_export]
macro_rules! exception {
    (logger: $logger:expr, $err:expr; $($rest:tt)+) => { $crate::__exception!($logger, $err, $($rest)+) };
    (logger: $logger:expr, $err:expr, $($rest:tt)+) => { $crate::__exception!($logger, $err, $($rest)+) };
    ($logger:expr, $err:expr; $($rest:tt)+) => { $crate::__exception!($logger, $err, $($rest)+) };
    ($logger:expr, $err:expr, $($rest:tt)+) => { $crate::__exception!($logger, $err, $($rest)+) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __exception {
    ($logger:expr, $err:expr, $($rest:tt)+) => {{
        #[allow(unused_imports, reason = "an error needs one of them")]
        use $crate::__private::{CaughtBox as _, CaughtBoxRef as _, CaughtError as _};
        #[allow(unused_imports, reason = "an error needs one of them")]
        use $crate::ExceptionArgument as _;
        match (&$logger, &$err) {
            (logger, err) => {
                $crate::error!(logger: (&&&&$crate::__private::Probe(err)).caught(logger), $($rest)+);
            }
        }
    }};
}

/// Errors that [`exception!`](crate::exception) accepts: a type that implements [`std::error::Error`], or one that points to
/// such a type, such as `Box<dyn Error>` and `anyhow::Error`, or a reference to either.
///
/// Nothing implements this trait. The compiler names it when it meets another type:
///
/// ```compile_fail,E0277
/// # static LOG: obs_log::Logger = obs_log::Logger::new("example");
/// obs_log::exception!(logger: LOG, "only text"; "it failed");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an error that `exception!` can log",
    label = "neither a `std::error::Error` nor a pointer to one",
    note = "implement `std::error::Error` for it, or log it as a field: `error!(logger: LOG, error:% = value; \"...\")`, with \
            `:?` for its `Debug`"
)]
pub trait Exception {}

/// Conversion of any other type, which the compiler refuses.
#[doc(hidden)]
pub trait ExceptionArgument<'a, T: ?Sized> {
    fn caught(&self, logger: &'a Logger) -> Caught<'a>
    where
        T: Exception;
}

impl<'a, T: ?Sized> ExceptionArgument<'a, T> for Probe<'a, T> {
    fn caught(&self, logger: &'a Logger) -> Caught<'a>
    where
        T: Exception,
    {
        // Never called, because no type is an `Exception`.
        Caught { logger, kind: type_name(self.0), message: String::new(), causes: Vec::new() }
    }
}

/// Conversion of a type that is an `Error`.
#[doc(hidden)]
pub trait CaughtError<'a> {
    fn caught(&self, logger: &'a Logger) -> Caught<'a>;
}

/// Conversion of a type that points to an `Error` and is none itself: `Box<dyn Error>`, `anyhow::Error`.
#[doc(hidden)]
pub trait CaughtBox<'a> {
    fn caught(&self, logger: &'a Logger) -> Caught<'a>;
}

/// Conversion of a reference to such a type.
#[doc(hidden)]
pub trait CaughtBoxRef<'a> {
    fn caught(&self, logger: &'a Logger) -> Caught<'a>;
}

impl<'a, T: Error> CaughtError<'a> for &&&Probe<'a, T> {
    fn caught(&self, logger: &'a Logger) -> Caught<'a> {
        Caught {
            logger,
            kind: type_name(self.0),
            message: bounded_text(self.0, MAX_TEXT_BYTES),
            causes: causes(self.0.source()),
        }
    }
}

impl<'a, T: Deref<Target: Error> + Display> CaughtBox<'a> for &&Probe<'a, T> {
    fn caught(&self, logger: &'a Logger) -> Caught<'a> {
        caught_box(self.0, logger)
    }
}

impl<'a, T: Deref<Target: Error> + Display> CaughtBoxRef<'a> for &Probe<'a, &T> {
    fn caught(&self, logger: &'a Logger) -> Caught<'a> {
        caught_box(*self.0, logger)
    }
}

fn caught_box<'a, T: Deref<Target: Error> + Display>(pointer: &T, logger: &'a Logger) -> Caught<'a> {
    let error: &T::Target = pointer;
    Caught {
        logger,
        kind: type_name(error),
        message: bounded_text(pointer, MAX_TEXT_BYTES),
        causes: causes(error.source()),
    }
}

/// Logger that adds the fields of an error to the line.
#[doc(hidden)]
pub struct Caught<'a> {
    logger: &'a Logger,
    kind: &'static str,
    message: String,
    causes: Vec<String>,
}

impl fmt::Debug for Caught<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caught").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Log for Caught<'_> {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.logger.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.logger.enabled(record.metadata()) {
            return;
        }
        let ours = [
            ("error_type", Value::from(self.kind)),
            ("error", Value::from(self.message.as_str())),
            ("causes", Value::from_serde(&self.causes)),
        ];
        let fields = Joined { first: &record.key_values(), then: &ours };
        let record = record.to_builder().key_values(&fields).build();
        // The macro made this logger in the frame of its caller.
        match Trace::current(std::ptr::from_ref(self).addr()) {
            Trace::Known(text) => backtrace::with_text(&record, &text, |record| self.logger.log(record)),
            Trace::Unresolved(trace) => self.logger.log_unresolved(&record, &trace),
        }
        sinks::ask();
    }

    fn flush(&self) {
        self.logger.flush();
    }
}

fn type_name<T: ?Sized>(error: &T) -> &'static str {
    let name = std::any::type_name_of_val(error).trim_start_matches('&');
    if name.starts_with("dyn core::error::Error") { "dyn Error" } else { name }
}

/// Returns the messages of the sources, which together are bounded like the message.
pub(crate) fn causes(source: Option<&dyn Error>) -> Vec<String> {
    let mut causes = Vec::new();
    let mut room = MAX_TEXT_BYTES;
    let mut next = source;
    while let Some(error) = next.filter(|_| causes.len() < MAX_CAUSES) {
        let cause = bounded_text(&error, room);
        room = room.saturating_sub(cause.len());
        causes.push(cause);
        next = error.source();
    }
    causes
}
