//! Report of a poll that held its worker.

use std::sync::{PoisonError, RwLock};
use std::time::Duration;

#[cfg(feature = "rt")]
use std::panic::{AssertUnwindSafe, catch_unwind};
#[cfg(feature = "rt")]
use std::sync::Mutex;
#[cfg(feature = "rt")]
use std::time::Instant;

/// Poll that held its worker for longer than [`Config::blocked_worker_ms`](crate::Config::blocked_worker_ms). See
/// [`set_blocked_observer`].
#[derive(Clone, Copy, Debug)]
pub struct BlockedPoll<'a> {
    capability: &'a str,
    span: Option<&'static str>,
    held: Duration,
}

impl<'a> BlockedPoll<'a> {
    #[cfg(feature = "rt")]
    pub(crate) fn new(capability: &'a str, span: Option<&'static str>, held: Duration) -> BlockedPoll<'a> {
        BlockedPoll { capability, span, held }
    }

    /// Returns the capability of the trace; at most 128 bytes. Untrusted text.
    pub fn capability(&self) -> &'a str {
        self.capability
    }

    /// Returns the name of the innermost span that held the worker. `(root)` if the trace's own code did, outside of all
    /// spans.
    pub fn span(&self) -> &'static str {
        self.span.unwrap_or("(root)")
    }

    /// Returns how long the poll held the worker. Time in which the thread waited for a processor, or the machine
    /// stood still, is left out where the system tells it.
    pub fn held(&self) -> Duration {
        self.held
    }
}

// A lock, because it is read once for each blocked poll only. No code of a user runs under it.
static OBSERVER: RwLock<Option<fn(&BlockedPoll<'_>)>> = RwLock::new(None);

/// Sets the function that is told of each poll that held its worker, for a metric and a log line of the program. The last
/// call counts.
///
/// It runs on the worker, in the context of the poll: the trace is current. Without an observer the crate logs a warning
/// with target `hearthnet.trace` itself, at most once a second, with the number of warnings left out in `suppressed`.
///
/// ```
/// obs_trace::set_blocked_observer(|poll| {
///     eprintln!("{} held its worker for {:?} in {}", poll.capability(), poll.held(), poll.span());
/// });
/// ```
pub fn set_blocked_observer(observer: fn(&BlockedPoll<'_>)) {
    *OBSERVER.write().unwrap_or_else(PoisonError::into_inner) = Some(observer);
}

/// Tells the observer, or logs a warning.
#[cfg(feature = "rt")]
pub(crate) fn tell(poll: &BlockedPoll<'_>) {
    let observer = *OBSERVER.read().unwrap_or_else(PoisonError::into_inner);
    // A panic of the observer or the logger must not end the task. During unwinding it would abort the process.
    let _ = catch_unwind(AssertUnwindSafe(|| match observer {
        Some(observer) => observer(poll),
        None => warn(poll),
    }));
}

/// Time of the last warning, and the warnings left out since.
#[cfg(feature = "rt")]
static WARNED: Mutex<(Option<Instant>, u64)> = Mutex::new((None, 0));

#[cfg(feature = "rt")]
fn warn(poll: &BlockedPoll<'_>) {
    const TARGET: &str = "hearthnet.trace";
    if !log::log_enabled!(target: TARGET, log::Level::Warn) {
        return;
    }
    let Some(suppressed) = admit(Instant::now()) else { return };
    let ms = crate::clock::ms(poll.held());
    log::warn!(
        target: TARGET, capability = poll.capability(), span = poll.span(), blocked_ms = ms, suppressed;
        "a poll blocked its worker"
    );
}

/// Returns the number of warnings left out before this one. `None` if this one is left out too.
#[cfg(feature = "rt")]
fn admit(now: Instant) -> Option<u64> {
    let mut warned = WARNED.lock().unwrap_or_else(PoisonError::into_inner);
    let (last, suppressed) = *warned;
    let is_quiet = last.is_none_or(|last| now.saturating_duration_since(last) >= Duration::from_secs(1));
    *warned = if is_quiet { (Some(now), 0) } else { (last, suppressed + 1) };
    is_quiet.then_some(suppressed)
}

#[cfg(all(test, feature = "rt"))]
mod tests {
    use super::*;

    #[test]
    fn one_warning_a_second_has_the_number_of_the_others() {
        // Later than any warning of another test.
        let now = Instant::now() + Duration::from_secs(3_600);
        assert!(admit(now).is_some());
        assert_eq!([0, 1, 999].map(|ms| admit(now + Duration::from_millis(ms))), [None; 3]);
        assert_eq!(admit(now + Duration::from_secs(1)), Some(3));
    }
}
