//! Loggers that pass at most one line a second for each key.

use std::borrow::Cow;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use log::kv::Value;
use log::{Level, Log, Metadata, Record};

use crate::api::logger::Logger;
use crate::dispatch::rate_table::{Entry, RateTable};
use crate::dispatch::{self, capture, sinks};
use crate::json::joined::Joined;

/// Rate limits of the process. A test's capture has its own.
static TABLE: LazyLock<RateTable> = LazyLock::new(RateTable::default);

/// Lines suppressed so far.
static SUPPRESSED: AtomicU64 = AtomicU64::new(0);

/// The writer knows that a key has suppressed lines. It reports them once the key is quiet.
static WATCHED: AtomicBool = AtomicBool::new(false);

/// Logger that passes one line a second for each place in the code. The next line that passes has the number of suppressed
/// ones in the field `suppressed`. If there is none, a line `lines suppressed` has it within 10 s.
///
/// ```
/// use obs_log::{Logger, RateLimited, warn};
///
/// static NOISY: RateLimited = RateLimited::new(Logger::new("hearthnet.discovery"));
///
/// # let capture = obs_log::Capture::new();
/// # let _scope = capture.enter();
/// for _ in 0..100 {
///     warn!(logger: NOISY, "peer unreachable");
/// }
/// for node in ["a", "b"] {
///     warn!(logger: NOISY.key(node), node; "peer unreachable");      // one a second for each node
/// }
/// # assert_eq!(capture.lines().len(), 3);
/// ```
#[derive(Clone, Debug)]
pub struct RateLimited {
    logger: Logger,
}

/// [`RateLimited`] logger for lines of one key, wherever they stand in the code.
///
/// ```
/// use obs_log::{Logger, RateLimited, info};
///
/// let limited = RateLimited::new(Logger::new("hearthnet.bus"));
/// info!(logger: limited.key("heartbeat"), "alive");
/// ```
#[derive(Clone, Debug)]
pub struct Keyed<'a> {
    logger: &'a Logger,
    key: Cow<'a, str>,
}

impl RateLimited {
    /// Returns a logger that limits the lines it passes to `logger`.
    #[must_use]
    pub const fn new(logger: Logger) -> RateLimited {
        RateLimited { logger }
    }

    /// Returns a logger for lines of one `key`.
    #[must_use]
    pub fn key<'a>(&'a self, key: impl Into<Cow<'a, str>>) -> Keyed<'a> {
        Keyed { logger: &self.logger, key: key.into() }
    }
}

impl Log for RateLimited {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.logger.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        let call_site =
            format!("{}:{}", record.file().unwrap_or_default(), record.line().unwrap_or_default());
        self.key(call_site).log(record);
    }

    fn flush(&self) {
        self.logger.flush();
    }
}

impl Log for Keyed<'_> {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.logger.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if let Some(admitted) = admit(self.logger, record.level(), &self.key) {
            admitted.log(record);
        }
    }

    fn flush(&self) {
        self.logger.flush();
    }
}

/// Line that may pass, with the number of lines suppressed before it.
#[derive(Debug)]
#[doc(hidden)]
pub struct Admitted<'a> {
    logger: &'a Logger,
    suppressed: u64,
}

impl Log for Admitted<'_> {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.logger.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if self.suppressed == 0 {
            return self.logger.log(record);
        }
        let suppressed = [("suppressed", Value::from(self.suppressed))];
        let fields = Joined { first: &record.key_values(), then: &suppressed };
        self.logger.log(&record.to_builder().key_values(&fields).build());
    }

    fn flush(&self) {
        self.logger.flush();
    }
}

/// Checks whether a line may pass. A line that its level keeps out is not counted.
#[doc(hidden)]
#[must_use]
pub fn admit<'a>(logger: &'a Logger, level: Level, key: &str) -> Option<Admitted<'a>> {
    if !logger.enabled(&Metadata::builder().level(level).build()) {
        return None;
    }
    if capture::any()
        && let Some(captured) = capture::innermost()
    {
        return admit_by(captured.rates(), logger, level, key);
    }
    let admitted = admit_by(&TABLE, logger, level, key);
    if admitted.is_none() {
        note_suppressed();
    }
    admitted
}

fn admit_by<'a>(table: &RateTable, logger: &'a Logger, level: Level, key: &str) -> Option<Admitted<'a>> {
    let (suppressed, expired) = table.admit(&logger.name(), level, key, Instant::now());
    // Outside of the shard's lock, because a line may take the same lock again.
    expired.iter().for_each(report);
    suppressed.map(|suppressed| Admitted { logger, suppressed })
}

/// Counts a suppressed line, and tells the writer that there is one.
fn note_suppressed() {
    // Relaxed: this is only a total.
    SUPPRESSED.fetch_add(1, Ordering::Relaxed);
    // Relaxed: the lock of the shard orders this load after the store in `report_quiet`, whose look into the shard came
    // before the suppression.
    if !WATCHED.load(Ordering::Relaxed) {
        watch();
    }
}

/// Tells the writer that a line was suppressed. Called once for all lines until the next report.
#[cold]
fn watch() {
    WATCHED.store(true, Ordering::Relaxed);
    // A lock of the writer's state orders the store before the writer's next look.
    sinks::notice_held_back();
}

/// Returns whether the writer has numbers of suppressed lines to report.
pub(crate) fn holds_back() -> bool {
    WATCHED.load(Ordering::Relaxed)
}

/// Logs the numbers of suppressed lines of keys that are quiet, without waiting for room in the queue: the writer calls this.
pub(crate) fn report_quiet() {
    // Before the look. A line that is suppressed behind it sets the flag again.
    WATCHED.store(false, Ordering::Relaxed);
    let (quiet, is_any_left) = TABLE.take_quiet(Instant::now());
    if is_any_left {
        WATCHED.store(true, Ordering::Relaxed);
    }
    quiet.iter().for_each(|entry| report_by(entry, dispatch::send_at_once));
}

/// Logs the numbers of suppressed lines that were not reported yet, for a flush. In a test's scope these are those of its
/// capture.
pub(crate) fn report_for_flush() {
    if capture::any()
        && let Some(captured) = capture::innermost()
    {
        return captured.rates().take_suppressed().iter().for_each(report);
    }
    report_suppressed();
}

/// Logs the numbers of suppressed lines of the process that were not reported yet.
pub(crate) fn report_suppressed() {
    // Most processes suppress nothing and need not look into the table.
    if SUPPRESSED.load(Ordering::Relaxed) > 0 {
        TABLE.take_suppressed().iter().for_each(report);
    }
}

/// Returns the number of lines suppressed so far.
pub(crate) fn suppressed() -> u64 {
    SUPPRESSED.load(Ordering::Relaxed)
}

fn report(entry: &Entry) {
    report_by(entry, dispatch::send);
}

fn report_by(entry: &Entry, send: fn(&str, &Record<'_>)) {
    let fields = [("key", Value::from(entry.key.as_str())), ("suppressed", Value::from(entry.suppressed))];
    let fields = &fields.as_slice();
    let mut record = Record::builder();
    record.level(entry.level).key_values(fields);
    send(&entry.logger, &record.args(format_args!("lines suppressed")).build());
}

/// Logs a warning at most once a second for a logger and a key.
///
/// The key is any text. The rest is as for the `log` macros, and is not evaluated for a suppressed line. `logger:` may be left
/// out before the logger.
///
/// ```
/// use obs_log::{Logger, warn_limited};
///
/// static LOG: Logger = Logger::new(module_path!());
///
/// let node = "7H4G-Y9KL";
/// # let capture = obs_log::Capture::new();
/// # let _scope = capture.enter();
/// warn_limited!(logger: LOG, "peer_quarantined", node:% = node; "peer is quarantined");
/// warn_limited!(logger: LOG, "peer_gone"; "peer {node} is gone");             // without fields
/// warn_limited!(logger: LOG, node, "a key from a variable");
/// warn_limited!(LOG, "peer_back", node; "peer is back");
/// # assert_eq!(capture.lines().len(), 4);
/// ```
#[macro_export]
macro_rules! warn_limited {
    ($($arg:tt)+) => { $crate::__limited!($crate::log::Level::Warn, $($arg)+) };
}

/// Logs at `info` at most once a second for a logger and a key; see [`warn_limited!`].
///
/// ```
/// # static LOG: obs_log::Logger = obs_log::Logger::new("example");
/// obs_log::info_limited!(logger: LOG, "heartbeat", peers = 3; "alive");
/// obs_log::info_limited!(logger: LOG, "beat"; "alive");                       // without fields
/// ```
#[macro_export]
macro_rules! info_limited {
    ($($arg:tt)+) => { $crate::__limited!($crate::log::Level::Info, $($arg)+) };
}

/// Logs an error at most once a second for a logger and a key; see [`warn_limited!`].
///
/// ```
/// # static LOG: obs_log::Logger = obs_log::Logger::new("example");
/// obs_log::error_limited!(logger: LOG, "disk", free = 0; "disk is full");
/// obs_log::error_limited!(logger: LOG, "fan"; "fan is stuck");                // without fields
/// ```
#[macro_export]
macro_rules! error_limited {
    ($($arg:tt)+) => { $crate::__limited!($crate::log::Level::Error, $($arg)+) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __limited {
    ($level:expr, logger: $logger:expr, $($rest:tt)+) => { $crate::__limited!($level, $logger, $($rest)+) };
    ($level:expr, $logger:expr, $key:expr; $($rest:tt)+) => {
        $crate::__limited!($level, $logger, $key, $($rest)+)
    };
    ($level:expr, $logger:expr, $key:expr, $($rest:tt)+) => {{
        let level = $level;
        if level <= $crate::log::STATIC_MAX_LEVEL && level <= $crate::log::max_level() {
            if let Some(admitted) = $crate::__private::admit(&$logger, level, ::std::convert::AsRef::<str>::as_ref(&$key)) {
                $crate::__log_fields!(level, [logger: admitted,] $($rest)+);
            }
        }
    }};
}
