//! What is on its way and what became of it (L13).

use std::sync::OnceLock;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use log::Level;

use crate::api::limited;
use crate::console::Terminal;
use crate::dispatch::pipeline::Pipeline;
use crate::files::lockless;
use crate::process::at_exit;
use crate::process::stderr;

/// How long `Log::flush`, which has no time limit of its own, waits.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// The process's way to the day files, from the first `configure` on.
pub(crate) static PIPELINE: OnceLock<Pipeline> = OnceLock::new();
/// The process's way to the console, once there is one.
pub(crate) static TERMINAL: OnceLock<Terminal> = OnceLock::new();

/// Waits until all lines made before the call are in their file, at most `timeout`; `true` if they are (L13).
///
/// Lines that the rate limit holds back are counted in the file first. In the file means: handed to the operating
/// system. Before [`configure`](crate::configure) there is nothing to wait for. A `timeout` of zero asks whether any line
/// is left; while the writer is looking the answer is `false`.
///
/// ```
/// assert!(obs_log::flush(std::time::Duration::from_secs(1)));
/// ```
pub fn flush(timeout: Duration) -> bool {
    all(timeout)
}

pub(crate) fn all(timeout: Duration) -> bool {
    // Locks that another thread of the parent held when it forked are held for ever here.
    if at_exit::in_forked_child() {
        return false;
    }
    limited::report_suppressed();
    lines(timeout)
}

/// The process ends.
pub(crate) fn end(timeout: Duration) {
    limited::report_suppressed();
    let deadline = Instant::now() + timeout;
    if let Some(pipeline) = PIPELINE.get() {
        pipeline.end(deadline);
    }
    if let Some(terminal) = TERMINAL.get() {
        terminal.flush(deadline);
    }
    stderr::finish();
}

/// The process goes on after all, after [`end`].
pub(crate) fn resume() {
    if let Some(pipeline) = PIPELINE.get() {
        pipeline.resume();
    }
}

/// Counts a line that is not even queued.
pub(crate) fn count_dropped(level: Level) {
    if let Some(pipeline) = PIPELINE.get() {
        pipeline.shared().batch.count_dropped(level, 1);
    }
}

/// Waits until the lines so far are in their file, or cannot be written now: whoever has met an error or panics does not
/// wait for a disk that is out of order, nor for a terminal.
pub(crate) fn once(timeout: Duration) {
    PIPELINE.get().map(|pipeline| pipeline.flush_once(Instant::now() + timeout));
}

/// Has the writer write at once what is queued, and waits for nothing.
pub(crate) fn ask() {
    if let Some(pipeline) = PIPELINE.get().filter(|_| !at_exit::in_forked_child()) {
        pipeline.shared().batch.wake.ask();
    }
}

pub(crate) fn lines(timeout: Duration) -> bool {
    let now = Instant::now();
    let deadline = now.checked_add(timeout).unwrap_or(now + Duration::from_secs(86_400));
    let written = PIPELINE.get().is_none_or(|pipeline| pipeline.flush(deadline));
    TERMINAL.get().is_none_or(|terminal| terminal.flush(deadline)) && written
}

/// What has become of lines since the process began (L13).
///
/// ```
/// let stats = obs_log::stats();
/// println!("{} written, {} dropped", stats.written, stats.dropped);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Lines of callers that are in a file.
    pub written: u64,
    /// Lines that were given up because the queue was full or they were too long.
    pub dropped: u64,
    /// The same by level: error, warning, info, debug, trace.
    pub dropped_by_level: [u64; 5],
    /// Lines that the rate limit held back.
    pub suppressed: u64,
    /// Bytes of the written lines.
    pub bytes: u64,
    /// Lines that earlier processes had accepted and not written, and that are in a file now.
    pub recovered: u64,
    /// Lines of which only a part was found, after a kill or a crash. They were cut away, or ended with a newline where
    /// the file may only grow.
    pub torn: u64,
    /// Whether lines survive a SIGKILL of this process: `false` while there is no hand-over file, because the disk is
    /// full, say.
    pub crash_safe: bool,
    /// Attempts to write or to open a file that failed. No line is lost by one alone.
    pub write_errors: u64,
    /// Whether day files are written without a lock, because their file system has none. Several processes that
    /// write to one folder can then break each other's lines.
    pub unlocked: bool,
}

/// The figures so far; zero before [`configure`](crate::configure).
///
/// ```
/// assert_eq!(obs_log::stats().write_errors, 0);
/// ```
#[must_use]
pub fn stats() -> Stats {
    let mut stats = Stats { suppressed: limited::suppressed(), ..Stats::default() };
    if let Some(pipeline) = PIPELINE.get() {
        let shared = pipeline.shared();
        stats.dropped_by_level = shared.batch.dropped();
        stats.dropped = stats.dropped_by_level.iter().sum();
        stats.written = shared.counts.written.load(Ordering::Relaxed);
        stats.bytes = shared.counts.bytes.load(Ordering::Relaxed);
        stats.recovered = shared.counts.recovered.load(Ordering::Relaxed);
        stats.torn = shared.counts.torn.load(Ordering::Relaxed);
        stats.crash_safe = shared.counts.crash_safe.load(Ordering::Relaxed);
        stats.unlocked = lockless::was_noted();
        stats.write_errors = shared.counts.write_errors.load(Ordering::Relaxed);
    }
    stats
}
