//! Structured logging for HearthNet: one JSON object a line, one file a day, nothing lost on the way.
//!
//! ```json
//! {"ts":"2026-05-26T08:14:22.281Z","level":"info","logger":"hearthnet.bus.router","msg":"routed","capability":"llm.chat","to":"7H4G","ms":12}
//! ```
//!
//! # Start
//!
//! A program says once where its log goes. Every crate in it that uses [`log`] is in that log then:
//!
//! ```
//! # let folder = tempfile::tempdir().unwrap();
//! # let log_dir = folder.path();
//! # let log_dir = || log_dir;
//! let _guard = obs_log::configure(&obs_log::Config::new(log_dir()).level("info,hearthnet.bus=debug"))?;
//! log::info!(peers = 3; "joined");                                // plain `log` users need not change a line
//! # Ok::<(), obs_log::Error>(())
//! ```
//!
//! A module has a logger of its own and hands it to the same macros, which this crate re-exports:
//!
//! ```
//! use obs_log::{Logger, exception, info, warn_limited};
//!
//! static LOG: Logger = Logger::new(module_path!());               // "hearthnet.bus.router"
//!
//! # let (capability, node) = ("llm.chat", "7H4G");
//! # fn forward() -> Result<(), std::fmt::Error> { Err(std::fmt::Error) }
//! info!(logger: LOG, capability, to:% = node, ms = 12; "routed");
//! warn_limited!(LOG, "peer_quarantined", node; "peer is quarantined");       // once a second
//! if let Err(err) = forward() {
//!     exception!(LOG, err, capability; "forwarding failed");      // with type, causes and backtrace
//! }
//! ```
//!
//! A macro takes fields as `key = value` (numbers, texts, booleans, options), `key:% = value` (`Display`),
//! `key:? = value` (`Debug`), `key:err = error` and `key:serde = value` (stays an object), then `;` and the message.
//!
//! A test looks at the lines of its thread through a [`Capture`], with nothing configured.
//!
//! # A line
//!
//! Keys come in this order: `ts`, `level` (`trace`, `debug`, `info`, `warning`, `error`), `logger`, `msg`, `trace_id`
//! when a trace is current (see [`set_trace_id_source`]), then the fields as they were given. What a reader can rely
//! on, whatever was logged:
//!
//! - A line is one valid JSON object in UTF-8 without a repeated key and without a raw control character; DEL and
//!   U+0080 to U+009F are escaped too.
//! - A field that is called like one of the five keys above is kept with `field_` before its name; so is one that
//!   is called like that, and so on. Of a repeated field the last one counts. `r#type` reads `type`.
//! - Numbers stay numbers. An integer beyond ±2^53, which many readers would round, is a string of its digits; `NaN`,
//!   `Infinity` and `-Infinity` are strings (inside a nested value they are `null`). An `f32` has its own shortest text,
//!   `0.1`, in the macros of this crate and inside a nested value; the macros of `log` hand it on as an `f64`, which reads
//!   `0.10000000149011612`.
//! - Values under a hidden name ([`Config::redact`]) and [`Secret`]s read `[redacted]`, nested ones too.
//! - A `Display` that panics becomes `[panicked while formatting]` in its value, a `Serialize` that fails
//!   `[not serialisable: …]`. The caller goes on.
//! - A line has at most [`MAX_LINE_BYTES`]. Of a longer one the longest values are cut and end in `[n bytes cut]`,
//!   nested ones become `[n bytes of JSON left out]`; if that is not enough, because the keys alone are too long, it
//!   counts as dropped. However long a value is, its line takes less than 1 MiB of memory while it is made; up
//!   to 16 MiB if it repeats a key or brings raw JSON.
//!
//! # Files
//!
//! `<folder>/<YYYY-MM-DD>.log`; a line is in the file of the day of its own `ts`, in UTC. At midnight the next file
//! begins, with or without a line. Files of the last [`LOG_RETENTION_DAYS`] days stay; an older one is removed if it has
//! exactly the name of a day file and is a regular file. A clock that jumps does not make files old at once: until this
//! process has run for a day, those of the newest [`LOG_RETENTION_DAYS`] days that there are stay too, unless the clock
//! was seen to pass their age. Nothing else in the folder is touched. A folder that this crate
//! makes has mode 0700, a file 0600. With [`Config::max_bytes`] a full file is followed by `<YYYY-MM-DD>.1.log`,
//! `<YYYY-MM-DD>.2.log`, and so on. With the feature `compress` and `Config::compress` the files of finished days become
//! `<name>.gz`, made by a thread of its own; they age like the others. [`DayFileName`] reads and orders all these names.
//!
//! Several processes may log into one folder: each locks the file for the time of a write and appends whole lines.
//!
//! # A killed process
//!
//! Lines wait for the writer in a hand-over file in the folder, `.handover-<process>-<time>-<number>`, which is mapped
//! into memory and as large as the queue. What `log!` has put there is not lost with the process: after a SIGKILL or an abort
//! the next process that logs into the folder writes it to the day files, each line once and whole. A process that ends
//! in any other way removes its file. Where none can be made, lines wait in memory; stderr says so once, and
//! [`Stats::crash_safe`] is `false`. After a loss of power, what the disk had not yet got is gone.
//!
//! # What can go wrong
//!
//! A call to log never fails, never panics, and waits only when the disk has been too slow for the whole queue
//! ([`Config::queue_bytes`]): once, and no longer than [`Config::max_wait`]. After that, lines are dropped and counted,
//! debug and trace first, errors last, and a line `log lines dropped` says how many. Written and dropped lines together
//! are all that were sent; [`stats`] has the figures.
//!
//! When the disk is full, the folder gone or the file deleted, renamed or no longer writable, one warning goes to
//! stderr, lines wait in the queue, and the writer tries again until it works. A torn line is cut off or ended, so that it
//! does not spoil the next. A stderr that stands still holds up nobody but what is to be shown on it.
//!
//! From a signal handler nothing may be logged, with this crate or another: a line takes locks and memory.
//!
//! # The end
//!
//! What is queued is written when the last [`Guard`] is dropped, when `main` returns, at `process::exit`, at a panic, and
//! at SIGTERM, SIGINT and SIGHUP, unless the program handles the signal itself or was started with it ignored
//! ([`Config::signals`]); it dies of the signal then, or ends with 128 and the signal's number where it is process 1. At any
//! other time [`flush`] waits for it. A child that was forked off without an `exec` does not log, and does not hang.
//!
//! # Why not …
//!
//! - *`fern` alone?* It routes lines here, by level and name. Its file output formats under a lock, flushes each line and
//!   has no retention.
//! - *a lock-free queue?* Threads stage their lines in chunks of their own shard; a lock that nobody else takes costs
//!   less than a queue's traffic, and large chunks make large writes.
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
mod sync;
mod writer;

pub use crate::api::configure::{Guard, configure};
pub use crate::api::flush::flush;
pub use crate::api::limited::{Keyed, RateLimited};
pub use crate::api::logger::{Logger, get_logger};
pub use crate::api::secret::Secret;
pub use crate::api::stats::{Stats, stats};
pub use crate::api::testing::{Capture, CaptureScope};
pub use crate::config::error::{Error, ErrorKind};
pub use crate::config::{Config, Console, LOG_RETENTION_DAYS, REDACTED_FIELDS};
pub use crate::files::name::DayFileName;
pub use crate::json::trace_id::{TraceIdSource, set_trace_id_source};
pub use crate::limits::MAX_LINE_BYTES;
pub use log::{self, log_enabled};

/// What the macros of this crate expand to; not part of its interface.
#[doc(hidden)]
pub mod __private {
    pub use crate::api::exception::{Caught, CaughtBox, CaughtError, Probe};
    pub use crate::api::limited::{Admitted, admit};
    pub use crate::json::float::Field;
}

/// The snippets of the README compile and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
