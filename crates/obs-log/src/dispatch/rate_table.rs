//! Table of rate-limited keys: the time of the last line of each, and the lines suppressed since.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use log::Level;

use crate::sync::lock;

/// Shortest time between two lines of a key.
const PERIOD: Duration = Duration::from_secs(1);
/// Time since the last line of a key after which the lines suppressed since are reported without another one. Longer than
/// [`PERIOD`], because a key in use gives the number with its next line.
const QUIET: Duration = Duration::from_secs(3);
/// Number of shards, so that threads with different keys rarely share a lock.
const SHARDS: usize = 8;
/// Maximum number of keys with an entry of their own in a shard. Further keys of a logger share one entry.
const KEYS_PER_SHARD: usize = 512;
/// Maximum number of those keys that belong to one logger. A flood of made-up keys in one module leaves room for others.
const KEYS_PER_LOGGER: usize = 384;
/// Maximum number of loggers in a shard with a shared entry for their further keys. Still other loggers share one entry.
const SHARED_PER_SHARD: usize = 64;
/// Slot of the entry that all remaining loggers share.
const COMMON_SLOT: u64 = 0;
/// Maximum length in bytes of a key in the report of suppressed lines.
const MAX_KEY_BYTES: usize = 128;

/// Table of the keys that were used recently. Its size is bounded for any number of keys.
#[derive(Debug, Default)]
pub(crate) struct RateTable {
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Debug, Default)]
struct Shard {
    entries: HashMap<u64, Entry>,
    /// Number of entries of each logger, by the hash of its name.
    of_logger: HashMap<u64, usize>,
    swept: Option<Instant>,
}

/// Key of a logger.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) logger: String,
    /// Hash of the logger's name.
    owner: u64,
    pub(crate) key: String,
    pub(crate) level: Level,
    /// Time of the last line that passed.
    passed: Instant,
    pub(crate) suppressed: u64,
}

impl RateTable {
    /// Returns the number of lines suppressed since the last one if this line may pass. Also returns entries that were removed
    /// while suppressed lines of theirs were not reported.
    pub(crate) fn admit(
        &self,
        logger: &str,
        level: Level,
        key: &str,
        now: Instant,
    ) -> (Option<u64>, Vec<Entry>) {
        let hash = self.hasher.hash_one((logger, key));
        // The lock covers one look-up and one insertion. Lines are logged after its release.
        let mut shard = lock(&self.shards[hash as usize % SHARDS]);
        let mut expired = Vec::new();
        if let Some(entry) = shard.entries.get_mut(&hash) {
            return (entry.admit(now), expired);
        }
        let owner = self.hasher.hash_one(logger);
        if shard.is_full_for(owner) {
            expired = shard.sweep(now);
        }
        let (slot, key) =
            if shard.is_full_for(owner) { (shard.shared_slot(owner), "(other keys)") } else { (hash, key) };
        if let Some(entry) = shard.entries.get_mut(&slot) {
            return (entry.admit(now), expired);
        }
        shard.insert(slot, Entry::new(logger, owner, key, level, now));
        (Some(0), expired)
    }

    /// Returns the entries with suppressed lines that were not reported, and counts them as reported.
    pub(crate) fn take_suppressed(&self) -> Vec<Entry> {
        self.take_suppressed_if(|_| true).0
    }

    /// Does the same for the keys without a line for a while. Also returns whether another key has suppressed lines.
    pub(crate) fn take_quiet(&self, now: Instant) -> (Vec<Entry>, bool) {
        self.take_suppressed_if(|entry| now.saturating_duration_since(entry.passed) >= QUIET)
    }

    fn take_suppressed_if(&self, mut is_due: impl FnMut(&Entry) -> bool) -> (Vec<Entry>, bool) {
        let (mut told, mut is_any_left) = (Vec::new(), false);
        for shard in &self.shards {
            for entry in lock(shard).entries.values_mut().filter(|entry| entry.suppressed > 0) {
                if is_due(entry) {
                    told.push(entry.clone());
                    entry.suppressed = 0;
                } else {
                    is_any_left = true;
                }
            }
        }
        (told, is_any_left)
    }
}

impl Shard {
    fn is_full_for(&self, owner: u64) -> bool {
        let of_owner = self.of_logger.get(&owner).copied().unwrap_or_default();
        self.entries.len() >= KEYS_PER_SHARD || of_owner >= KEYS_PER_LOGGER
    }

    /// Returns the slot for keys that there is no room for.
    fn shared_slot(&self, owner: u64) -> u64 {
        let has_room = self.entries.len() < KEYS_PER_SHARD + SHARED_PER_SHARD;
        if has_room || self.entries.contains_key(&owner) { owner } else { COMMON_SLOT }
    }

    fn insert(&mut self, slot: u64, entry: Entry) {
        *self.of_logger.entry(entry.owner).or_default() += 1;
        self.entries.insert(slot, entry);
    }

    /// Removes keys without a line for a period. Does so at most once in a period, because it visits every key.
    fn sweep(&mut self, now: Instant) -> Vec<Entry> {
        if self.swept.is_some_and(|swept| now.saturating_duration_since(swept) < PERIOD) {
            return Vec::new();
        }
        self.swept = Some(now);
        let quiet = |entry: &Entry| now.saturating_duration_since(entry.passed) >= PERIOD;
        let gone = self.entries.extract_if(|_, entry| quiet(entry)).map(|(_, entry)| entry);
        let untold = gone.filter(|entry| entry.suppressed > 0).collect();
        // Counted anew, because entries of any logger may have gone.
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
            (*bytes <= MAX_KEY_BYTES).then_some(letter)
        });
        Entry { logger: logger.to_owned(), owner, key: key.collect(), level, passed: now, suppressed: 0 }
    }

    fn admit(&mut self, now: Instant) -> Option<u64> {
        if now.saturating_duration_since(self.passed) < PERIOD {
            self.suppressed += 1;
            return None;
        }
        self.passed = now;
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    fn at(start: Instant, millis: u64) -> Instant {
        start + Duration::from_millis(millis)
    }

    #[test]
    fn one_line_a_second_passes_for_each_logger_and_key() {
        let (table, start) = (RateTable::default(), Instant::now());
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
    fn a_key_that_falls_silent_is_reported_once_and_one_in_use_is_not() {
        let (table, start) = (RateTable::default(), Instant::now());
        for (key, ms) in
            [("silent", 0), ("silent", 999), ("silent", 999), ("in use", 2_500), ("in use", 2_600)]
        {
            let _ = table.admit("l", Level::Warn, key, at(start, ms));
        }
        assert_eq!(table.take_quiet(at(start, 2_999)).0.len(), 0);
        let (quiet, is_any_left) = table.take_quiet(at(start, 3_000));
        let counts: Vec<_> = quiet.iter().map(|entry| (entry.key.as_str(), entry.suppressed)).collect();
        assert_eq!((counts, is_any_left), (vec![("silent", 2)], true));
        let (rest, is_any_left) = table.take_quiet(at(start, 5_500));
        assert_eq!((rest.len(), is_any_left), (1, false));
        assert_eq!(table.admit("l", Level::Warn, "silent", at(start, 6_000)).0, Some(0));
    }

    #[test]
    fn a_flood_from_many_threads_is_counted_exactly() {
        let (table, start) = (RateTable::default(), Instant::now());
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
        let (table, start) = (RateTable::default(), Instant::now());
        let ask = |logger: &str, key: &str, ms| table.admit(logger, Level::Warn, key, at(start, ms)).0;
        for n in 0..100_000 {
            let _ = ask(["flood.a", "flood.b"][n % 2], &format!("made.up.{n}"), 0);
        }
        for key in ["disk", "peer"] {
            let quiet = format!("quiet.{key}");
            assert_eq!(ask(&quiet, key, 1), Some(0), "{quiet}");
            assert_eq!(ask(&quiet, key, 2), None, "the limit still holds");
            assert!(ask(&quiet, key, 1_001).is_some(), "{quiet}");
        }
        for n in 0..10_000 {
            let _ = ask(&format!("logger.{n}"), "k", 2);
        }
        let entries = |shard: &Mutex<Shard>| lock(shard).entries.len();
        assert!(table.shards.iter().all(|shard| entries(shard) <= KEYS_PER_SHARD + SHARED_PER_SHARD + 1));
    }

    #[test]
    fn any_number_of_keys_takes_bounded_memory_and_is_counted_exactly() {
        let (table, start) = (RateTable::default(), Instant::now());
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
            assert!(shard.entries.len() <= KEYS_PER_LOGGER + 1);
            assert!(shard.entries.values().all(|entry| entry.key.len() <= MAX_KEY_BYTES));
        }
    }
}
