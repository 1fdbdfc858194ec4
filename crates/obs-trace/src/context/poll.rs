//! Polls in a trace, measured for those that hold their worker.

#[cfg(feature = "rt")]
use std::time::Duration;

#[cfg(feature = "rt")]
use super::frame::{self, Position};
#[cfg(feature = "rt")]
use crate::blocked::{self, BlockedPoll, Mark};

/// Polls a future by `f`. If the poll holds its worker for long, the innermost enclosing span is told.
///
/// To be called where the frame of the future is in force. Without a trace `f` runs at once.
#[inline]
pub(crate) fn measured<R>(f: impl FnOnce() -> R) -> R {
    #[cfg(feature = "rt")]
    let _measured = frame::is_watched().then(|| Measured(blocked::begin()));
    f()
}

/// Runs code that blocks and does not hold up its worker, inside of [`tokio::task::block_in_place`].
///
/// The time is left out of the polls that are reported as blocked. Without it a poll with `block_in_place` is reported if
/// the thread that took over the worker's other tasks is busy with them when the poll ends.
///
/// ```
/// # let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
/// # runtime.block_on(async {
/// let text = tokio::task::block_in_place(|| obs_trace::off_worker(|| std::fs::read_to_string("Cargo.toml")));
/// # assert!(text.is_ok());
/// # });
/// ```
///
/// [`tokio::task::block_in_place`]: https://docs.rs/tokio/latest/tokio/task/fn.block_in_place.html
pub fn off_worker<R>(f: impl FnOnce() -> R) -> R {
    #[cfg(feature = "rt")]
    let _off = Off(blocked::begin_by_the_clock());
    f()
}

/// Takes the time until it is dropped out of the polls around it.
#[cfg(feature = "rt")]
struct Off(Mark);

#[cfg(feature = "rt")]
impl Drop for Off {
    fn drop(&mut self) {
        blocked::note_reported(self.0.duration());
    }
}

/// Measures until it is dropped, also while unwinding: a poll may block and then panic.
#[cfg(feature = "rt")]
struct Measured(Mark);

#[cfg(feature = "rt")]
impl Drop for Measured {
    #[inline]
    fn drop(&mut self) {
        if let Some(duration) = self.0.end()
            && duration >= LEAST
        {
            judge(self.0, duration);
        }
    }
}

/// The lowest threshold that can be set.
#[cfg(feature = "rt")]
const LEAST: Duration = Duration::from_millis(1);

/// Reports a poll that took long, if it held a worker.
#[cfg(feature = "rt")]
#[cold]
fn judge(mark: Mark, duration: Duration) {
    let Some(Position { trace, parent }) = frame::position() else { return };
    let Some(threshold) = trace.0.blocked_threshold().filter(|threshold| duration > *threshold) else {
        return;
    };
    if !blocked::is_worker() {
        return;
    }
    let held = duration.saturating_sub(mark.lost());
    if held <= threshold {
        return;
    }
    blocked::note_reported(duration);
    trace.0.note_blocked(parent, held);
    let span = parent.map(|span| trace.0.span_name(span));
    blocked::tell(&BlockedPoll::new(trace.capability(), span, held));
}
