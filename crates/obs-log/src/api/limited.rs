//! At most one line a second for each logger and key (L5).

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

use log::kv::Value;
use log::{Level, Log, Metadata, Record};

use crate::api::logger::Logger;
use crate::dispatch;
use crate::json::joined::Joined;
use crate::sync::lock;

/// How far apart the lines of one key are.
const PERIOD: Duration = Duration::from_secs(1);
const SHARDS: usize = 8;
/// Keys that a shard tells apart; further ones of a logger share one entry.
const KEYS_PER_SHARD: usize = 512;
/// Of these, keys of one logger: a flood of made-up keys in one module leaves room for the keys of all others.
const KEYS_OF_A_LOGGER: usize = 384;
/// Loggers that have an entry for their further keys; those of still others share one.
const SHARED_PER_SHARD: usize = 64;
/// The entry that further keys of loggers without such an entry share.
const EVERYBODY: u64 = 0;
/// Of a longer key this much is kept, for the report at the end.
const KEPT_OF_KEY: usize = 128;

static TABLE: LazyLock<Table> = LazyLock::new(Table::default);
static SUPPRESSED: AtomicU64 = AtomicU64::new(0);

/// A logger that lets one line a second through for each place in the code (L5). The next line that comes through
/// says in `suppressed` how many did not.
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

/// A [`RateLimited`] logger for lines of one key, whatever place in the code they come from.
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
    /// Limits what is logged with `logger` through this value.
    #[must_use]
    pub const fn new(logger: Logger) -> RateLimited {
        RateLimited { logger }
    }

    /// The same for lines of one `key`.
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
        let place = format!("{}:{}", record.file().unwrap_or_default(), record.line().unwrap_or_default());
        self.key(place).log(record);
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

/// A line that may go through, with the number of those that might not.
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

/// Asks whether a line may go through. One that its level keeps out is not counted.
#[doc(hidden)]
#[must_use]
pub fn admit<'a>(logger: &'a Logger, level: Level, key: &str) -> Option<Admitted<'a>> {
    if !logger.enabled(&Metadata::builder().level(level).build()) {
        return None;
    }
    let (suppressed, expired) = TABLE.admit(&logger.name(), level, key, Instant::now());
    expired.iter().for_each(Entry::report);
    suppressed.map(|suppressed| Admitted { logger, suppressed })
}

/// Logs what is suppressed and not yet told, for a flush or the end of the process.
pub(crate) fn report_suppressed() {
    if SUPPRESSED.load(Ordering::Relaxed) > 0 {
        TABLE.take_suppressed().iter().for_each(Entry::report);
    }
}

/// Lines suppressed so far.
pub(crate) fn suppressed() -> u64 {
    SUPPRESSED.load(Ordering::Relaxed)
}

/// What is known of each logger and key; bounded, however many keys there are.
#[derive(Debug, Default)]
struct Table {
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Debug, Default)]
struct Shard {
    entries: HashMap<u64, Entry>,
    /// Entries by the hash of their logger.
    of_logger: HashMap<u64, usize>,
    swept: Option<Instant>,
}

#[derive(Clone, Debug)]
struct Entry {
    logger: String,
    /// The hash of the logger's name.
    owner: u64,
    key: String,
    level: Level,
    passed: Instant,
    suppressed: u64,
}

impl Table {
    /// `Some` if the line may go through, with the number suppressed since the last one; and entries that had to go
    /// although lines of theirs were not yet told.
    fn admit(&self, logger: &str, level: Level, key: &str, now: Instant) -> (Option<u64>, Vec<Entry>) {
        let hash = self.hasher.hash_one((logger, key));
        let mut shard = lock(&self.shards[hash as usize % SHARDS]);
        let mut expired = Vec::new();
        if let Some(entry) = shard.entries.get_mut(&hash) {
            return (entry.admit(now), expired);
        }
        let owner = self.hasher.hash_one(logger);
        if shard.is_full_for(owner) {
            expired = shard.sweep(now);
        }
        let (place, key) =
            if shard.is_full_for(owner) { (shard.shared_place(owner), "(other keys)") } else { (hash, key) };
        if let Some(entry) = shard.entries.get_mut(&place) {
            return (entry.admit(now), expired);
        }
        shard.insert(place, Entry::new(logger, owner, key, level, now));
        (Some(0), expired)
    }

    fn take_suppressed(&self) -> Vec<Entry> {
        let mut told = Vec::new();
        for shard in &self.shards {
            for entry in lock(shard).entries.values_mut().filter(|entry| entry.suppressed > 0) {
                told.push(entry.clone());
                entry.suppressed = 0;
            }
        }
        told
    }
}

impl Shard {
    fn is_full_for(&self, owner: u64) -> bool {
        let of_owner = self.of_logger.get(&owner).copied().unwrap_or_default();
        self.entries.len() >= KEYS_PER_SHARD || of_owner >= KEYS_OF_A_LOGGER
    }

    /// The place of the keys for which there is no room.
    fn shared_place(&self, owner: u64) -> u64 {
        let has_room = self.entries.len() < KEYS_PER_SHARD + SHARED_PER_SHARD;
        if has_room || self.entries.contains_key(&owner) { owner } else { EVERYBODY }
    }

    fn insert(&mut self, place: u64, entry: Entry) {
        *self.of_logger.entry(entry.owner).or_default() += 1;
        self.entries.insert(place, entry);
    }

    /// Forgets keys that have been quiet for a period, at most once in one.
    fn sweep(&mut self, now: Instant) -> Vec<Entry> {
        if self.swept.is_some_and(|swept| now.saturating_duration_since(swept) < PERIOD) {
            return Vec::new();
        }
        self.swept = Some(now);
        let quiet = |entry: &Entry| now.saturating_duration_since(entry.passed) >= PERIOD;
        let gone = self.entries.extract_if(|_, entry| quiet(entry)).map(|(_, entry)| entry);
        let untold = gone.filter(|entry| entry.suppressed > 0).collect();
        self.of_logger.clear();
        for entry in self.entries.values() {
            *self.of_logger.entry(entry.owner).or_default() += 1;
        }
        untold
    }
}

impl Entry {
    fn new(logger: &str, owner: u64, key: &str, level: Level, now: Instant) -> Entry {
        let key = key.chars().scan(0, |bytes, letter| {
            *bytes += letter.len_utf8();
            (*bytes <= KEPT_OF_KEY).then_some(letter)
        });
        Entry { logger: logger.to_owned(), owner, key: key.collect(), level, passed: now, suppressed: 0 }
    }

    fn admit(&mut self, now: Instant) -> Option<u64> {
        if now.saturating_duration_since(self.passed) < PERIOD {
            self.suppressed += 1;
            SUPPRESSED.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        self.passed = now;
        Some(std::mem::take(&mut self.suppressed))
    }

    fn report(&self) {
        let fields = [("key", Value::from(self.key.as_str())), ("suppressed", Value::from(self.suppressed))];
        let fields = &fields.as_slice();
        let mut record = Record::builder();
        record.level(self.level).key_values(fields);
        dispatch::send(&self.logger, &record.args(format_args!("lines suppressed")).build());
    }
}

/// Logs a warning at most once a second for a logger and a key (L5).
///
/// The key is any text; the rest is as for the `log` macros. Nothing of the rest is evaluated for a suppressed line.
///
/// ```
/// use obs_log::{Logger, warn_limited};
///
/// static LOG: Logger = Logger::new(module_path!());
///
/// let node = "7H4G-Y9KL";
/// warn_limited!(LOG, "peer_quarantined", node:% = node; "peer is quarantined");
/// warn_limited!(LOG, node, "peer is quarantined");
/// ```
#[macro_export]
macro_rules! warn_limited {
    ($($arg:tt)+) => { $crate::__limited!($crate::log::Level::Warn, $($arg)+) };
}

/// Logs at `info` at most once a second for a logger and a key; see [`warn_limited!`].
///
/// ```
/// # static LOG: obs_log::Logger = obs_log::Logger::new("example");
/// obs_log::info_limited!(LOG, "heartbeat", peers = 3; "alive");
/// ```
#[macro_export]
macro_rules! info_limited {
    ($($arg:tt)+) => { $crate::__limited!($crate::log::Level::Info, $($arg)+) };
}

/// Logs an error at most once a second for a logger and a key; see [`warn_limited!`].
///
/// ```
/// # static LOG: obs_log::Logger = obs_log::Logger::new("example");
/// obs_log::error_limited!(LOG, "disk", free = 0; "disk is full");
/// ```
#[macro_export]
macro_rules! error_limited {
    ($($arg:tt)+) => { $crate::__limited!($crate::log::Level::Error, $($arg)+) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __limited {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: Instant, millis: u64) -> Instant {
        start + Duration::from_millis(millis)
    }

    #[test]
    fn l5_one_a_second_for_each_logger_and_key() {
        let (table, start) = (Table::default(), Instant::now());
        let ask = |logger, key, ms| table.admit(logger, Level::Warn, key, at(start, ms)).0;
        assert_eq!(ask("a", "k", 0), Some(0));
        assert_eq!(ask("a", "k", 1), None);
        assert_eq!(ask("a", "k", 999), None);
        assert_eq!(ask("b", "k", 999), Some(0));
        assert_eq!(ask("a", "other", 999), Some(0));
        assert_eq!(ask("a", "k", 1000), Some(2));
        assert_eq!(ask("a", "k", 2000), Some(0));
    }

    #[test]
    fn l5_flood_of_one_call_site_is_counted_exactly_by_many_threads() {
        let (table, start) = (Table::default(), Instant::now());
        let (passed, told) = (AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for ms in 0..10_000 {
                        if let (Some(suppressed), _) = table.admit("l", Level::Warn, "k", at(start, ms)) {
                            passed.fetch_add(1, Ordering::Relaxed);
                            told.fetch_add(suppressed, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        let left = table.take_suppressed().iter().map(|entry| entry.suppressed).sum::<u64>();
        assert_eq!(passed.load(Ordering::Relaxed) + told.load(Ordering::Relaxed) + left, 40_000);
        assert!(passed.load(Ordering::Relaxed) >= 10);
    }

    #[test]
    fn a_flood_of_keys_in_some_loggers_silences_no_other() {
        let (table, start) = (Table::default(), Instant::now());
        let ask = |logger: &str, key: &str, ms| table.admit(logger, Level::Warn, key, at(start, ms)).0;
        for n in 0..100_000 {
            let _ = ask(["flood.a", "flood.b"][n % 2], &format!("made.up.{n}"), 0);
        }
        for key in ["disk", "peer"] {
            let quiet = format!("quiet.{key}");
            assert_eq!(ask(&quiet, key, 1), Some(0), "{quiet}");
            assert_eq!(ask(&quiet, key, 2), None, "it is limited as ever");
            assert!(ask(&quiet, key, 1_001).is_some(), "{quiet}");
        }
        for n in 0..10_000 {
            let _ = ask(&format!("logger.{n}"), "k", 2);
        }
        let entries = |shard: &Mutex<Shard>| lock(shard).entries.len();
        assert!(table.shards.iter().all(|shard| entries(shard) <= KEYS_PER_SHARD + SHARED_PER_SHARD + 1));
    }

    #[test]
    fn l5_unbounded_keys_use_bounded_memory_and_stay_exact() {
        let (table, start) = (Table::default(), Instant::now());
        let (mut sent, mut passed, mut told) = (0, 0, 0);
        for round in 0..3 {
            for key in 0..20_000 {
                let key = format!("{round}:{}", "k".repeat(200) + &key.to_string());
                for ms in [0, 1] {
                    let (admitted, expired) =
                        table.admit("l", Level::Info, &key, at(start, round * 1000 + ms));
                    sent += 1;
                    passed += u64::from(admitted.is_some());
                    told += admitted.unwrap_or(0) + expired.iter().map(|entry| entry.suppressed).sum::<u64>();
                }
            }
        }
        told += table.take_suppressed().iter().map(|entry| entry.suppressed).sum::<u64>();
        assert_eq!(passed + told, sent);
        for shard in &table.shards {
            let shard = lock(shard);
            assert!(shard.entries.len() <= KEYS_OF_A_LOGGER + 1);
            assert!(shard.entries.values().all(|entry| entry.key.len() <= KEPT_OF_KEY));
        }
    }
}
