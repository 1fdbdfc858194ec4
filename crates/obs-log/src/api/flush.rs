//! Flush of everything that is queued, on demand and at the end of the process.

use std::time::{Duration, Instant};

use crate::api::limited;
use crate::dispatch::sinks;
use crate::process::fork::in_forked_child;
use crate::process::stderr;

/// Waits until all lines made before the call are in their file, at most `timeout`. Returns whether they are.
///
/// Counts of lines that the rate limit holds back are written first. A line is in the file when the operating system has it.
/// Before [`configure`](crate::configure) there is nothing to wait for. With a `timeout` of zero, the result tells whether
/// any line is left. It is `false` while the writer is at work.
///
/// ```
/// assert!(obs_log::flush(std::time::Duration::from_secs(1)));
/// ```
pub fn flush(timeout: Duration) -> bool {
    // In a forked child, locks that another thread of the parent held are held for ever.
    if in_forked_child() {
        return false;
    }
    limited::report_for_flush();
    sinks::flush(timeout)
}

/// Writes everything before the process ends.
pub(crate) fn end(timeout: Duration) {
    limited::report_suppressed();
    sinks::end(Instant::now() + timeout);
    stderr::finish();
}
