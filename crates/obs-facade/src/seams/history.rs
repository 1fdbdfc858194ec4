//! The process's one history, which `configure` begins, replaces and ends.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use obs_doctor::machine::Machine;
use obs_history::{Config, History, Stats};
use obs_metrics::Registry;

use super::declared::missing;
use crate::last_guard::{Guard, Guards};

/// Gauge of the free space on the disk of the log. It is set while a history is kept.
const FREE: &str = "hearthnet_log_disk_free_bytes";

/// The running history. Held while one begins, which waits for no disk, so that two calls of `configure` leave one.
static CURRENT: Mutex<Option<Running>> = Mutex::new(None);
static GUARDS: Guards = Guards::new(end_all);
/// Whether this process has kept a history before.
static BEGUN: AtomicBool = AtomicBool::new(false);

struct Running {
    settings: Settings,
    history: History,
}

/// Settings of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) folder: PathBuf,
    /// Folder on the disk whose free space is kept: that of the log.
    pub(crate) disk: PathBuf,
    pub(crate) days: u32,
    pub(crate) max_bytes: u64,
    pub(crate) version: String,
}

/// Begins, replaces or ends the history. The same settings again change nothing.
pub(crate) fn configure(settings: Option<Settings>) -> Guard {
    let guard = GUARDS.guard();
    let mut current = current();
    if current.as_ref().map(|running| &running.settings) != settings.as_ref() {
        let before = current.take();
        *current = settings.and_then(begin);
        end(before);
    }
    guard
}

fn begin(settings: Settings) -> Option<Running> {
    // Relaxed: the lock of the caller orders it.
    let is_resumed = BEGUN.swap(true, Ordering::Relaxed);
    let config = Config::new(&settings.folder)
        .days(settings.days)
        .max_bytes(settings.max_bytes)
        .version(&settings.version)
        .resumed(is_resumed);
    let config = with_free_space(config, settings.disk.clone());
    match History::open(config) {
        Ok(history) => Some(Running { settings, history }),
        // The settings were checked before, so this is a difference between the two checks.
        Err(error) => {
            obs_log::warn!("no history is kept: {error}");
            None
        }
    }
}

/// Has the history keep the free space of a disk.
fn with_free_space(config: Config, disk: PathBuf) -> Config {
    let help = "Free space on the disk of the log, in bytes.";
    let free = match Registry::global().try_gauge(FREE, help, []) {
        Ok(free) => free,
        Err(error) => {
            missing(&error);
            return config;
        }
    };
    config.family(FREE).before_reading(move || {
        // A disk that does not tell has no free space, neither much nor little.
        let space = Machine::default().volumes.of(&disk).map_or(f64::NAN, |disk| disk.available_bytes as f64);
        free.with([]).set(space);
    })
}

/// Drops the history on a thread of its own, because the drop writes the last minute and may wait for a disk.
fn end(before: Option<Running>) {
    if let Some(Running { history, .. }) = before {
        // If no thread can be started, the closure and the history are dropped here, which blocks.
        let _ = thread::Builder::new().name("obs-history-end".to_owned()).spawn(move || drop(history));
    }
}

/// Returns the counters of the history; `None` without one.
///
/// ```
/// assert_eq!(obs_facade::history_stats(), None);
/// ```
#[must_use]
pub fn stats() -> Option<Stats> {
    // A scrape calls this. The lock is held for a copy of counters, and for the begin of a history at most.
    current().as_ref().map(|running| running.history.stats())
}

/// Returns the minute that has begun and its rows so far; `None` without a history.
#[cfg(feature = "console")]
pub(crate) fn begun_minute() -> Option<(i64, Vec<obs_history::Row>)> {
    // The lock is held for a reading of the registry, which waits for nobody.
    current().as_ref().map(|running| running.history.begun_minute())
}

/// Returns whether the history keeps a family. Without a history there is none.
#[cfg(feature = "console")]
pub(crate) fn keeps(family: &str) -> bool {
    current().as_ref().is_some_and(|running| running.history.keeps(family))
}

fn current() -> MutexGuard<'static, Option<Running>> {
    // A panic under the lock leaves the old or no history, both of which are valid.
    CURRENT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes the last minute and the last traces, and ends both histories.
fn end_all() {
    let last = current().take();
    // Outside of the lock: it takes two seconds at most, and must not block a scrape.
    drop(last);
    super::trace_history::end();
}
