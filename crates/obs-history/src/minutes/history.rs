//! History of this process, which a thread of its own keeps.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::begun::Begun;
use super::config::Config;
use super::file::reader::Reader;
use super::file::rows::{Range, Row};
use super::sampling::clock::Moment;
use super::stats::{Counters, Stats};
use super::worker::Worker;
use crate::error::Error;

/// Interval between two readings of the gauges: often enough for the extremes of a minute, too seldom to cost anything.
const LOOK: Duration = Duration::from_secs(5);

/// Maximum wait of a drop for the last minute. The end of a node must not depend on a slow disk.
const PATIENCE: Duration = Duration::from_secs(2);

/// History of this process: once a minute, what its metrics did in it goes to a file.
///
/// A thread of its own reads the registry and writes the file, so that nobody waits for a disk. Dropping the history writes
/// the minute that has begun, which takes two seconds at most. A kill loses the minute that has begun, and nothing else.
///
/// If the file cannot be written, the minutes of an hour wait in memory, and further ones are lost and counted. The
/// history logs that once, and goes on by itself when it can.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use obs_history::{Config, History, Reader};
///
/// # let place = tempfile::tempdir()?;
/// # let folder = place.path().join("history");
/// let history = History::open(Config::new(&folder))?;
/// obs_metrics::standard::requests_total().with(["llm.chat", "ok"]).inc();
/// drop(history); // writes the minute that has begun
///
/// let now = SystemTime::now();
/// let range = Reader::open(&folder)?.range(now - Duration::from_secs(3600), now)?;
/// assert!(range.rows.iter().any(|row| row.series.label("capability") == Some("llm.chat")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct History {
    config: Config,
    begun: Arc<Begun>,
    stats: Arc<Counters>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    #[default]
    Running,
    /// The thread is asked to write the last minute and end.
    Ending,
    Ended,
}

impl History {
    /// Begins a history. It returns at once: the thread opens the file, and logs if it cannot.
    ///
    /// Counts of the registry from before this call are not part of the history.
    ///
    /// # Errors
    ///
    /// If a setting is not allowed. See [`Config::check`].
    pub fn open(config: Config) -> Result<History, Error> {
        config.check()?;
        let (stats, shared) = (Arc::new(Counters::default()), Arc::new(Shared::default()));
        let start = Instant::now();
        let now = Moment::now(start);
        let (of_thread, mut worker) =
            (shared.clone(), Worker::new(config.clone(), now, &process(now), stats.clone()));
        let begun = worker.begun();
        let started = thread::Builder::new().name("obs-history".to_owned()).spawn(move || {
            worker.open();
            of_thread.run(&mut worker, start);
        });
        if let Err(error) = started {
            // Without a thread there is no history, and the node runs.
            log::warn!("the history cannot be kept, because its thread did not start: {error}");
            shared.set(State::Ended);
        }
        Ok(History { config, begun, stats, shared })
    }

    /// Returns what it did since it was opened.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.stats.read()
    }

    /// Returns the folder of the file.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.config.folder()
    }

    /// Returns the minute that has begun and its rows so far, which the file does not have yet. They are of the run 0. It has
    /// counters and histograms; the registry has the gauges.
    #[must_use]
    pub fn begun_minute(&self) -> (i64, Vec<Row>) {
        self.begun.rows(&self.config)
    }

    /// Returns whether the history keeps a family.
    #[must_use]
    pub fn keeps(&self, family: &str) -> bool {
        self.config.keeps(family)
    }

    /// Reads the minutes of a span of time from the file. The minute that has begun is not in it. See [`Reader::range`].
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or if there is none yet.
    pub fn range(&self, since: SystemTime, until: SystemTime) -> Result<Range, Error> {
        Reader::open(self.folder())?.range(since, until)
    }

    /// Writes the minute that has begun and ends the history. Returns whether that was done within `patience`.
    ///
    /// Later calls wait for the same end.
    pub fn end(&self, patience: Duration) -> bool {
        self.shared.set(State::Ending);
        let state = self.shared.lock();
        let wait = self.shared.changed.wait_timeout_while(state, patience, |state| *state != State::Ended);
        let (state, _) = wait.unwrap_or_else(PoisonError::into_inner);
        *state == State::Ended
    }
}

impl Drop for History {
    fn drop(&mut self) {
        self.end(PATIENCE);
    }
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("History")
            .field("folder", &self.folder())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl Shared {
    fn run(&self, worker: &mut Worker, begun: Instant) {
        while self.wait(Moment::now(begun).until_next().min(LOOK)) == State::Running {
            worker.tick(Moment::now(begun));
        }
        worker.end(Moment::now(begun));
        self.set(State::Ended);
    }

    /// Waits for the time, or for the end of the history.
    fn wait(&self, time: Duration) -> State {
        let waited = self.changed.wait_timeout_while(self.lock(), time, |state| *state == State::Running);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Goes on to a later state.
    fn set(&self, state: State) {
        let mut current = self.lock();
        *current = state.max(*current);
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic leaves one of the states.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns a name for this history that no other one has, of this or another process.
fn process(now: Moment) -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static OPENED: AtomicU64 = AtomicU64::new(0);
    // Relaxed: the number only has to be unique.
    let number = OPENED.fetch_add(1, Ordering::Relaxed);
    format!("{}-{}-{number}", now.unix_ms, std::process::id())
}
