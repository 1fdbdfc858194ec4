//! Finished traces that outlive the process.
//!
//! The thread that ends a trace copies it in a packed form into the hand-over file, which is mapped into memory and is in
//! memory itself where the system has a place for it. What is stored in a shared mapping belongs to the operating system, so a
//! SIGKILL, an abort or a crash of the process loses nothing that was complete. A thread writes the new ones to the file on the
//! disk every five minutes, in a flood more often, and at the end. A power cut loses the traces since then.
//!
//! `recorder.rs` is the way of a trace, `flush.rs` its way to the disk, `scan.rs` that of a file which is read, and `keeper.rs`
//! the thread beside them.

mod disk;
mod file;
mod flush;
mod format;
mod handover;
mod keeper;
mod map;
mod names;
mod owner;
mod recorder;
mod ring;
mod scan;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use obs_trace::Store;

use self::file::Place;
use self::keeper::{Keeper, Shared};

/// History of a store's traces on disk, until it is dropped.
///
/// Each trace that ends in the store outlives the process from the moment at which the call that ended it returns, and is in
/// the file `traces.ring` minutes later. The next history in the folder puts the last ones back into its store, and the failed
/// and the slowest of each capability.
///
/// Nothing here fails a start. A file that cannot be used is said in one line of the log, by the logger `hearthnet.history`,
/// and the store works without it. A full disk or a process that still ends is tried again every minute.
///
/// ```
/// use obs_history::TraceHistory;
/// use obs_trace::Store;
///
/// let folder = tempfile::tempdir()?;
/// let first = Store::default();
/// let history = TraceHistory::start(&first, folder.path(), 1 << 20);
/// let scope = first.enter();
/// obs_trace::new_trace("llm.chat").finish();
/// drop((scope, history));
///
/// let second = Store::default();
/// let history = TraceHistory::start(&second, folder.path(), 1 << 20);
/// assert!(history.wait(std::time::Duration::from_secs(20)));
/// assert_eq!(second.get_recent(1)[0].capability(), "llm.chat");
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "the history ends when it is dropped"]
pub struct TraceHistory {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// State of a [`TraceHistory`].
///
/// ```
/// let folder = tempfile::tempdir()?;
/// let history = obs_history::TraceHistory::start(&obs_trace::Store::default(), folder.path(), 1 << 20);
/// assert!(history.stats().is_recording);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TraceHistoryStats {
    /// Whether traces that end are recorded.
    pub is_recording: bool,
    /// Traces of earlier runs that were put into the store.
    pub restored: u64,
    /// Traces that ended while they could not be recorded.
    pub missed: u64,
    /// Whether the last write to the disk failed. The last traces outlive the process all the same, and not a loss of power.
    pub disk_fails: bool,
    /// Bytes of records that newer ones replaced in memory before the disk had them: in a flood, or while the disk failed.
    pub skipped_bytes: u64,
}

impl TraceHistory {
    /// Default size of the file in bytes: 32 MiB. It holds 10 000 traces of 25 spans, or as many of 10 spans with fields.
    pub const DEFAULT_BYTES: u64 = 32 << 20;
    /// Minimum size of the file in bytes.
    pub const MIN_BYTES: u64 = format::MIN_FILE_BYTES;
    /// Maximum size of the file in bytes.
    pub const MAX_BYTES: u64 = format::MAX_FILE_BYTES;

    /// Begins to record the traces that end in `store`, in a file of `max_bytes` in the folder `dir`, and puts those of
    /// earlier runs into it.
    ///
    /// Sizes out of the range from [`MIN_BYTES`](TraceHistory::MIN_BYTES) to [`MAX_BYTES`](TraceHistory::MAX_BYTES) are
    /// brought into it. Returns after a few milliseconds; the traces of earlier runs are read by a thread.
    pub fn start(store: &Store, dir: impl Into<PathBuf>, max_bytes: u64) -> TraceHistory {
        let shared = Arc::new(Shared::new(store.clone(), Place { dir: dir.into(), max_bytes }));
        let mut keeper = Keeper::new(Arc::clone(&shared));
        let (give, take) = std::sync::mpsc::channel::<Keeper>();
        let run = move || {
            if let Ok(keeper) = take.recv() {
                keeper.run();
            }
        };
        let thread = Builder::new().name("obs-history-traces".to_owned()).spawn(run).ok();
        keeper.begin(thread.as_ref().map(|thread| thread.thread().clone()));
        let is_observed = store.observe(Arc::<recorder::Recorder>::clone(&shared.recorder));
        if thread.is_none() || !is_observed {
            let problem =
                if is_observed { "no thread can be started" } else { "the store has too many observers" };
            log::warn!(target: keeper::TARGET, "traces are not kept over a restart: {problem}");
            shared.recorder.close();
            shared.end();
        }
        // Received by the thread, if there is one.
        let _ = give.send(keeper);
        TraceHistory { shared, thread }
    }

    /// Puts the traces of the folder `dir` into `store`, and returns their number. It writes nothing, takes no lock and records
    /// nothing, so that it may look at the folder of a process that runs or is about to.
    ///
    /// It reads the file as a whole, and the last traces of a process that was killed.
    ///
    /// ```
    /// use obs_history::TraceHistory;
    /// use obs_trace::Store;
    ///
    /// let folder = tempfile::tempdir()?;
    /// let history = TraceHistory::start(&Store::default(), folder.path(), 1 << 20);
    /// assert_eq!(TraceHistory::read(&Store::default(), folder.path())?, 0);
    /// # drop(history);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If there is no file, if it cannot be read, or if it is damaged or of a later version.
    pub fn read(store: &Store, dir: impl Into<PathBuf>) -> io::Result<usize> {
        keeper::read(&mut Place { dir: dir.into(), max_bytes: 0 }.open_earlier()?, store)
    }

    /// Waits until the traces of earlier runs are in the store. Returns `false` if the time is over.
    pub fn wait(&self, timeout: Duration) -> bool {
        self.shared.wait(timeout)
    }

    /// Returns the state now.
    pub fn stats(&self) -> TraceHistoryStats {
        TraceHistoryStats {
            is_recording: self.shared.recorder.is_open(),
            restored: self.shared.restored().unwrap_or(0) as u64,
            missed: self.shared.recorder.missed(),
            disk_fails: self.shared.recorder.disk_fails(),
            skipped_bytes: self.shared.recorder.skipped_bytes(),
        }
    }
}

impl Drop for TraceHistory {
    fn drop(&mut self) {
        self.shared.recorder.close();
        self.shared.end();
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // The next history of this process in the folder finds the file free.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for TraceHistory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TraceHistory").field(&self.stats()).finish()
    }
}
