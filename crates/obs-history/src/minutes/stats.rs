//! Counters of the history itself.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// Counts of a [`History`](crate::History) since it was opened.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// let history = obs_history::History::open(obs_history::Config::new(folder.path().join("history")))?;
/// assert_eq!((history.stats().minutes_written, history.stats().minutes_lost), (0, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Minutes in the file.
    pub minutes_written: u64,
    /// Minutes that wait in memory because the file cannot be written.
    pub minutes_waiting: u64,
    /// Minutes that were lost because too many had to wait.
    pub minutes_lost: u64,
    /// Minutes that were removed before their time, because the file had its maximum size. The oldest go first.
    pub minutes_removed: u64,
    /// Failed attempts to write.
    pub write_errors: u64,
    /// Damaged files that were moved aside.
    pub files_set_aside: u64,
    /// Bytes of the file and of the log beside it.
    pub file_bytes: u64,
    /// Whether the last attempt to write failed.
    pub is_failing: bool,
}

/// Written by the history's thread, read by anybody. Relaxed: each number stands alone.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) written: AtomicU64,
    pub(super) waiting: AtomicU64,
    pub(super) lost: AtomicU64,
    pub(super) removed: AtomicU64,
    pub(super) errors: AtomicU64,
    pub(super) set_aside: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) is_failing: AtomicBool,
}

impl Counters {
    pub(super) fn read(&self) -> Stats {
        Stats {
            minutes_written: self.written.load(Relaxed),
            minutes_waiting: self.waiting.load(Relaxed),
            minutes_lost: self.lost.load(Relaxed),
            minutes_removed: self.removed.load(Relaxed),
            write_errors: self.errors.load(Relaxed),
            files_set_aside: self.set_aside.load(Relaxed),
            file_bytes: self.bytes.load(Relaxed),
            is_failing: self.is_failing.load(Relaxed),
        }
    }
}
