//! Lines of level `warning` and `error` as problems.

use std::cell::RefCell;
use std::fmt::{self, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};

use obs_history::problems::Occurrence;
use obs_log::log::kv::{Error, Key, Value, VisitSource};
use obs_log::log::{Level, Record};

use super::process::{PROBLEMS, now_ms};
use super::{offered, waking};
use crate::counted;

/// Logger of the lines of obs-trace.
const TRACES: &str = "hearthnet.trace";

/// Maximum length in bytes of a text that is looked at.
const MAX_BYTES: usize = 1_024;

thread_local! {
    /// Buffers of a thread. They keep their size, which is bounded.
    static TEXTS: RefCell<Texts> = const { RefCell::new(Texts::new()) };
}

/// Counts a line. It is the observer of the log's faults.
pub(super) fn note(logger: &str, record: &Record<'_>) {
    if counted::is_counted() {
        return;
    }
    // Values of the program are formatted here, and a panic in one must not reach the caller, who only logs.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        // The buffers are in use if a value logs while it is formatted, and gone at the end of the thread.
        let done = TEXTS.try_with(|texts| texts.try_borrow_mut().map(|mut texts| texts.note(logger, record)));
        if !matches!(done, Ok(Ok(()))) {
            Texts::new().note(logger, record);
        }
    }));
}

/// Texts of a line.
struct Texts {
    logger: String,
    message: String,
    /// Error of the line, and its first cause.
    error: String,
    cause: String,
    panic: String,
    capability: String,
    /// Lines that were held back before this one.
    suppressed: u64,
}

impl Texts {
    const fn new() -> Texts {
        Texts {
            logger: String::new(),
            message: String::new(),
            error: String::new(),
            cause: String::new(),
            panic: String::new(),
            capability: String::new(),
            suppressed: 0,
        }
    }

    fn note(&mut self, logger: &str, record: &Record<'_>) {
        for text in [&mut self.error, &mut self.cause, &mut self.panic, &mut self.capability] {
            text.clear();
        }
        self.suppressed = 0;
        self.logger.clear();
        // The name that the line has in the log.
        let mut parts = logger.split("::");
        self.logger.push_str(parts.next().unwrap_or_default());
        parts.for_each(|part| _ = write!(self.logger, ".{part}"));
        write(&mut self.message, record.args());
        if is_counted_elsewhere(&self.logger, &self.message) {
            return;
        }
        let _ = record.key_values().visit(self);
        if !self.cause.is_empty() {
            let separator = if self.error.is_empty() { "" } else { ": " };
            let _ = write!(Bounded(&mut self.error), "{separator}{}", self.cause);
        }
        let mut is_counted = false;
        obs_trace::with_current_id(&mut |id| {
            is_counted = true;
            self.count(record.level(), Some(id));
        });
        if !is_counted {
            self.count(record.level(), None);
        }
    }

    fn count(&self, level: Level, trace_id: Option<&str>) {
        let line = Line { message: &self.message, error: &self.error };
        let occurrence = Occurrence {
            at_ms: now_ms(),
            count: self.suppressed.saturating_add(1),
            is_error: level == Level::Error,
            example: &line,
            trace_id,
        };
        let news = if self.logger == TRACES && !self.panic.is_empty() {
            let panic = Occurrence { example: &self.panic, ..occurrence };
            PROBLEMS.observe_panic(offered::place(&self.capability), &self.panic, &panic)
        } else {
            let because = Some(&*self.error).filter(|because| !because.is_empty());
            PROBLEMS.observe_line(&self.logger, &self.message, because, &occurrence)
        };
        if news.is_some() {
            waking::wake();
        }
    }
}

/// Whether a line tells of the end of a trace, which is counted itself, or only of lines that a rate limit held back.
fn is_counted_elsewhere(logger: &str, message: &str) -> bool {
    matches!((logger, message), (TRACES, "done") | (_, "lines suppressed"))
}

impl<'kvs> VisitSource<'kvs> for Texts {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
        match key.as_str() {
            "error" | "err" => write(&mut self.error, &value),
            "cause" | "reason" => write(&mut self.cause, &value),
            "causes" => write_first(&mut self.cause, &value),
            "panic" => write(&mut self.panic, &value),
            "capability" => write(&mut self.capability, &value),
            "suppressed" => self.suppressed = value.to_u64().unwrap_or_default(),
            _ => {}
        }
        Ok(())
    }
}

/// Message of a line with its error and the first cause of that.
struct Line<'a> {
    message: &'a str,
    error: &'a str,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = if self.error.is_empty() { "" } else { ": " };
        write!(f, "{}{separator}{}", self.message, self.error)
    }
}

/// Replaces a text by the start of a value.
fn write(text: &mut String, value: &dyn fmt::Display) {
    text.clear();
    // A full buffer ends the value.
    let _ = write!(Bounded(text), "{value}");
}

/// Replaces a text by the first of a list, which is formatted as `["one", "other"]`.
fn write_first(text: &mut String, list: &dyn fmt::Display) {
    write(text, list);
    let begin = text.len() - text.trim_start_matches(['[', '"']).len();
    text.drain(..begin);
    text.truncate(text.find(['"', ']']).unwrap_or(text.len()));
}

struct Bounded<'a>(&'a mut String);

impl fmt::Write for Bounded<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = MAX_BYTES.saturating_sub(self.0.len());
        self.0.push_str(&text[..text.floor_char_boundary(room)]);
        if text.len() > room { Err(fmt::Error) } else { Ok(()) }
    }
}
