//! Numbers of lines written, dropped, suppressed and recovered.

use std::sync::atomic::Ordering;

use crate::api::limited;
use crate::dispatch::sinks::PIPELINE;
use crate::files::lockless;

/// Numbers of lines since the process began.
///
/// ```
/// let stats = obs_log::stats();
/// println!("{} written, {} dropped", stats.written, stats.dropped);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Lines of this process that are in a file.
    pub written: u64,
    /// Lines that were dropped because the queue was full or they were too long.
    pub dropped: u64,
    /// Dropped lines by level: error, warning, info, debug, trace.
    pub dropped_by_level: [u64; 5],
    /// Lines that the rate limit held back.
    pub suppressed: u64,
    /// Bytes of the written lines.
    pub bytes: u64,
    /// Lines that earlier processes had accepted and not written, and that are in a file now.
    pub recovered: u64,
    /// Lines of which only a part was found, after a kill or a crash. They were cut off, or ended with a newline where the
    /// file may only grow.
    pub torn: u64,
    /// Whether lines survive a SIGKILL of this process. `false` while there is no hand-over file, for example because the
    /// disk is full.
    pub crash_safe: bool,
    /// Failed attempts to open or write a file. A failed attempt alone loses no line.
    pub write_errors: u64,
    /// Whether day files are written without a lock, because their file system has none. Several processes that write to
    /// one folder can then break each other's lines.
    pub unlocked: bool,
}

/// Returns the numbers so far. All are zero before [`configure`](crate::configure).
///
/// ```
/// assert_eq!(obs_log::stats().write_errors, 0);
/// ```
#[must_use]
pub fn stats() -> Stats {
    let mut stats = Stats { suppressed: limited::suppressed(), ..Stats::default() };
    if let Some(pipeline) = PIPELINE.get() {
        let shared = pipeline.shared();
        // Relaxed loads: the numbers are independent, and a reader gets each at some moment of the call.
        stats.dropped_by_level = shared.queue.dropped();
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
