//! Errors with their causes and a backtrace (L3).

use std::backtrace::Backtrace;
use std::error::Error;
use std::fmt::{self, Display, Write as _};
use std::ops::Deref;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use log::kv::Value;
use log::{Log, Metadata, Record};

use crate::api::flush;
use crate::api::joined::Joined;
use crate::api::logger::Logger;
use crate::json::catch::caught;
use crate::json::{MAX_LINE_BYTES, PANICKED};
use crate::sync::lock;

/// Backtraces a second that are taken at most: each costs milliseconds, and a peer may be able to provoke errors.
const BACKTRACES: u32 = 16;
/// How long a caller waits for its line to be in the file.
const PATIENCE: Duration = Duration::from_millis(100);
/// Causes that are followed at most; an error may be its own source.
const CAUSES: usize = 64;
/// So much of an error's message is kept, in bytes, and of its causes together: a line must have room for both.
const LONGEST: usize = MAX_LINE_BYTES / 3;

/// Logs an error at level `error` with all there is to know about it, and flushes (L3).
///
/// The line gets these fields behind yours: `error_type`, `error` (its message), `causes` (the messages of its
/// sources, outermost first) and `backtrace` of the place of the call; at most 16 backtraces are taken in a second.
/// The type of a `Box<dyn Error>` reads `dyn Error`, because Rust keeps no more of it.
///
/// ```
/// use obs_log::{Logger, exception};
///
/// static LOG: Logger = Logger::new(module_path!());
///
/// # let capture = obs_log::Capture::new();
/// # let _scope = capture.enter();
/// if let Err(err) = "x".parse::<u16>() {
///     exception!(LOG, err, peer = "7H4G"; "bad port from peer");
///     exception!(LOG, err; "no other fields");
/// }
/// let line = &capture.lines()[0];
/// assert_eq!(line["error_type"], "core::num::error::ParseIntError");
/// assert_eq!(line["error"], "invalid digit found in string");
/// ```
#[macro_export]
macro_rules! exception {
    ($logger:expr, $err:expr; $($rest:tt)+) => { $crate::exception!($logger, $err, $($rest)+) };
    ($logger:expr, $err:expr, $($rest:tt)+) => {{
        #[allow(unused_imports, reason = "an error needs one of the two")]
        use $crate::__private::{CaughtBox as _, CaughtError as _};
        match (&$logger, &$err) {
            (logger, err) => {
                $crate::error!(logger: (&$crate::__private::Probe(err)).caught(logger), $($rest)+);
            }
        }
    }};
}

/// Finds out what kind of value an error is: the methods of the two traits below are told apart by the number of
/// references they take.
#[derive(Debug)]
#[doc(hidden)]
pub struct Probe<'a, T: ?Sized>(pub &'a T);

/// For everything that is an `Error`.
#[doc(hidden)]
pub trait CaughtError<'a> {
    fn caught(&self, logger: &'a Logger) -> Caught<'a>;
}

/// For what points to an error and is none: `Box<dyn Error>`, `anyhow::Error`.
#[doc(hidden)]
pub trait CaughtBox<'a> {
    fn caught(&self, logger: &'a Logger) -> Caught<'a>;
}

impl<'a, T: Error> CaughtError<'a> for Probe<'a, T> {
    fn caught(&self, logger: &'a Logger) -> Caught<'a> {
        Caught {
            logger,
            kind: type_name(self.0),
            message: text(self.0, LONGEST),
            causes: causes(self.0.source()),
        }
    }
}

impl<'a, T: Deref<Target: Error> + Display> CaughtBox<'a> for &Probe<'a, T> {
    fn caught(&self, logger: &'a Logger) -> Caught<'a> {
        let error: &T::Target = self.0;
        Caught {
            logger,
            kind: type_name(error),
            message: text(self.0, LONGEST),
            causes: causes(error.source()),
        }
    }
}

/// An error on its way into a line.
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
        let backtrace = backtrace();
        let ours = [
            ("error_type", Value::from(self.kind)),
            ("error", Value::from(self.message.as_str())),
            ("causes", Value::from_serde(&self.causes)),
            ("backtrace", Value::from(backtrace.as_str())),
        ];
        let fields = Joined { first: &record.key_values(), then: &ours };
        self.logger.log(&record.to_builder().key_values(&fields).build());
        flush::once(PATIENCE);
    }

    fn flush(&self) {
        self.logger.flush();
    }
}

fn type_name<T: ?Sized>(error: &T) -> &'static str {
    let name = std::any::type_name_of_val(error).trim_start_matches('&');
    if name.starts_with("dyn core::error::Error") { "dyn Error" } else { name }
}

/// All of them together are bounded like the message.
fn causes(source: Option<&dyn Error>) -> Vec<String> {
    let mut causes = Vec::new();
    let mut room = LONGEST;
    let mut next = source;
    while let Some(error) = next.filter(|_| causes.len() < CAUSES) {
        let cause = text(&error, room);
        room = room.saturating_sub(cause.len());
        causes.push(cause);
        next = error.source();
    }
    causes
}

/// What `error` displays, up to where its `Display` fails or panics. Of more than `most` bytes the rest is counted.
fn text(error: &dyn Display, most: usize) -> String {
    let mut bounded = Bounded { text: String::new(), most, cut: 0 };
    let shown = caught(|| write!(bounded, "{error}"));
    let Bounded { mut text, cut, .. } = bounded;
    if cut > 0 {
        text.push_str(&format!("[{cut} bytes cut]"));
    }
    if shown.is_none() {
        text.push_str(PANICKED);
    }
    text
}

struct Bounded {
    text: String,
    most: usize,
    cut: usize,
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = if self.cut == 0 { self.most - self.text.len() } else { 0 };
        let (kept, cut) = text.split_at(text.floor_char_boundary(room));
        self.text.push_str(kept);
        self.cut += cut.len();
        Ok(())
    }
}

fn backtrace() -> String {
    static BUDGET: Mutex<Option<(Instant, u32)>> = Mutex::new(None);
    let now = Instant::now();
    let mut budget = lock(&BUDGET);
    let (since, taken) =
        budget.filter(|(since, _)| now - *since < Duration::from_secs(1)).unwrap_or((now, 0));
    *budget = Some((since, taken + 1));
    drop(budget);
    if taken >= BACKTRACES {
        return format!("[left out: more than {BACKTRACES} in this second]");
    }
    Backtrace::force_capture().to_string()
}
