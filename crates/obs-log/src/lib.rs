//! Structured logging for HearthNet: one JSON object a line, one file a day, no line lost without a count.
//!
//! ```json
//! {"ts":"2026-05-26T08:14:22.281Z","level":"info","logger":"hearthnet.bus.router","msg":"routed","capability":"llm.chat","to":"7H4G","ms":12}
//! ```
//!
//! # Start
//!
//! A program configures its log once. From then on, every crate in it that uses [`log`] is in that log:
//!
//! ```
//! # let folder = tempfile::tempdir().unwrap();
//! # let log_dir = folder.path();
//! # let log_dir = || log_dir;
//! let _guard = obs_log::configure(&obs_log::Config::new(log_dir()).level("info,hearthnet.bus=debug"))?;
//! log::info!(peers = 3; "joined");                                // users of plain `log` change nothing
//! # Ok::<(), obs_log::Error>(())
//! ```
//!
//! A module has its own logger and passes it to the same macros, which this crate re-exports:
//!
//! ```
//! use obs_log::{Logger, exception, info, warn_limited};
//!
//! static LOG: Logger = Logger::new(module_path!());               // "hearthnet.bus.router"
//!
//! # let (capability, node) = ("llm.chat", "7H4G");
//! # fn forward() -> Result<(), std::fmt::Error> { Err(std::fmt::Error) }
//! info!(logger: LOG, capability, to:% = node, ms = 12; "routed");
//! warn_limited!(logger: LOG, "peer_quarantined", node; "peer is quarantined");       // once a second
//! if let Err(err) = forward() {
//!     exception!(logger: LOG, err, capability; "forwarding failed");      // with type, causes and backtrace
//! }
//! ```
//!
//! A macro takes fields as `key = value` (numbers, texts, booleans, options, durations in milliseconds; see [`FieldValue`]),
//! `key:% = value` (`Display`), `key:? = value` (`Debug`), `key:err = error` and `key:serde = value` (stays an object), then
//! `;` and the message. A variable's name alone is a field too. Without fields the message follows the logger, or in
//! `warn_limited!` the key and in `exception!` the error.
//!
//! A test reads the lines of its thread through a [`Capture`], without any configuration.
//!
//! # A line
//!
//! Keys have this order: `ts`, `level` (`trace`, `debug`, `info`, `warning`, `error`), `logger`, `msg`, `trace_id` if a
//! trace is current (see [`set_trace_id_source`]), then the fields in the order given. Readers can rely on the following:
//!
//! - A line is one valid JSON object in UTF-8, without a repeated key and without a raw control character. DEL and U+0080 to
//!   U+009F are escaped too.
//! - A field with the name of one of the five keys above gets the prefix `field_`. So does a field with such a name after the
//!   prefix. The last value of a repeated field counts. `r#type` reads `type`.
//! - Numbers stay numbers. An integer beyond ±2^53, which many readers would round, is a string of its digits. `NaN`,
//!   `Infinity` and `-Infinity` are strings, and `null` inside of a nested value. An `f32` has its own shortest text, `0.1`,
//!   in the macros of this crate and inside of a nested value. The macros of `log` pass it on as an `f64`, which reads
//!   `0.10000000149011612`.
//! - Values of a hidden name ([`Config::redact`]) and [`Secret`]s read `[redacted]`, also inside of nested values.
//! - A `Display` that panics, or fails as a value, becomes `[panicked while formatting]`. A message whose `Display` fails ends
//!   there. A `Serialize` that fails becomes
//!   `[not serialisable: …]`. The caller continues.
//! - A line has at most [`MAX_LINE_BYTES`]. In a longer line, the longest values are cut and end in `[n bytes cut]`, and nested
//!   ones become `[n bytes of JSON left out]`. If the keys alone are too long, the line is dropped and counted. While it is
//!   made, a line takes less than 1 MiB of memory, however long its values are, and up to 16 MiB if a value repeats a key or
//!   contains raw JSON.
//!
//! # Files
//!
//! Lines go to `<folder>/<YYYY-MM-DD>.log`, the file of the day of their own `ts`, in UTC. At midnight the next file begins,
//! with or without a line. Files of the last [`LOG_RETENTION_DAYS`] days are kept. An older file is removed if it has exactly
//! the name of a day file and is a regular file. A jump of the clock does not make files old at once: until this process has run
//! for a day, the newest [`LOG_RETENTION_DAYS`] days that exist are kept too, unless the clock was seen to pass their age.
//! Nothing else in the folder is touched. New folders have mode 0700, new files 0600. With [`Config::max_bytes`], a full file
//! is followed by `<YYYY-MM-DD>.1.log`, `<YYYY-MM-DD>.2.log`, and so on. With the feature `compress` and `Config::compress`,
//! a thread of its own turns the files of finished days into `<name>.gz`, which age like the others. [`DayFileName`] reads and
//! orders all these names.
//!
//! Several processes may log into one folder. Each locks the file for the time of a write and appends whole lines.
//!
//! # A killed process
//!
//! Lines wait for the writer in a hand-over file in the folder, `.handover-<process>-<time>-<number>`, which is mapped into
//! memory and as large as the queue. Lines in it survive the process. After a SIGKILL or an abort, the next process that logs
//! into the folder writes them to the day files, each line once and whole. A process that ends in any other way removes its
//! file. If the file cannot be made, lines wait in memory, a message on stderr says so once, and [`Stats::crash_safe`] is
//! `false`. After a loss of power, lines that the disk did not have yet are gone.
//!
//! # Faults
//!
//! A call to log never fails and never panics. It waits only if the disk has been too slow for the whole queue
//! ([`Config::queue_bytes`]): once, and no longer than [`Config::max_wait`]. After that, lines are dropped and counted, debug
//! and trace first, errors last. A line `log lines dropped` reports their number. Written and dropped lines together are all
//! that were sent. [`stats`] returns the numbers.
//!
//! If the disk is full, or the folder or the file cannot be written, one warning goes to stderr, lines wait in the queue, and the
//! writer retries until it works. A folder that was removed, and a file that was deleted or renamed, is made again. A torn line is cut off or ended, so that it does not spoil
//! the next one. A blocked stderr delays only the lines for the console.
//!
//! A signal handler must not log, with this crate or another, because a line takes locks and memory.
//!
//! # End of the process
//!
//! Queued lines are written when the last [`Guard`] is dropped, when `main` returns, at `process::exit`, at a panic, and at
//! SIGTERM, SIGINT and SIGHUP, unless the program handles the signal itself or was started with it ignored
//! ([`Config::signals`]). The process then dies of the signal, or exits with 128 plus the signal's number if it is process 1.
//! [`flush`] does the same at any other time. A forked child without an `exec` does not log, and does not hang.
//!
//! # Why not …
//!
//! - *`fern` alone?* It routes lines here, by level and name. Its file output formats under a lock, flushes each line and has
//!   no retention.
//! - *a lock-free queue?* Threads stage their lines in chunks of their own shard. An uncontended lock costs less than the
//!   traffic of a queue, and large chunks make large writes.
//! - *one write a line?* It costs ten times as much as the line.
//!
//! # Platforms
//!
//! Unix: Linux and macOS.

mod api;
mod backtrace;
mod clock;
mod config;
mod console;
mod dispatch;
mod files;
mod journal;
mod json;
mod limits;
mod process;
mod queue;
#[cfg(feature = "reader")]
pub mod reader;
mod record;
mod sync;
mod writer;

pub use crate::api::bridge;
pub use crate::api::configure::{
    Guard, check_places, configure, configured_levels, levels_in_force, override_levels,
};
#[doc(hidden)]
pub use crate::api::error_field::ErrorFieldArgument;
pub use crate::api::error_field::ErrorValue;
pub use crate::api::exception::Exception;
#[doc(hidden)]
pub use crate::api::exception::ExceptionArgument;
pub use crate::api::field::FieldValue;
pub use crate::api::flush::flush;
pub use crate::api::limited::{Keyed, RateLimited};
pub use crate::api::logger::{Logger, get_logger, logger};
pub use crate::api::secret::Secret;
pub use crate::api::stats::{Stats, stats};
pub use crate::api::testing::{Capture, CaptureScope};
pub use crate::config::error::{Error, ErrorKind};
pub use crate::config::{Config, Console, ConsoleFormat, LOG_RETENTION_DAYS, REDACTED_FIELDS};
pub use crate::dispatch::observer::{FaultObserver, set_fault_observer};
pub use crate::files::name::DayFileName;
pub use crate::files::{RemovalHook, set_removal_hook};
pub use crate::json::trace_id::{TraceIdSource, set_trace_id_source};
pub use crate::limits::MAX_LINE_BYTES;
pub use log::{self, log_enabled};

/// Items that the macros of this crate expand to. Not part of its interface.
#[doc(hidden)]
pub mod __private {
    pub use crate::api::error_field::{ErrorFieldBox, ErrorFieldBoxRef, ErrorFieldOwned, ErrorFieldRef};
    pub use crate::api::exception::{Caught, CaughtBox, CaughtBoxRef, CaughtError};
    pub use crate::api::limited::{Admitted, admit};
    pub use crate::api::probe::Probe;
}

/// The snippets of the README compile and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
