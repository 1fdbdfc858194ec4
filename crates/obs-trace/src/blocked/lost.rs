//! Time that a thread had no processor through no fault of its code: it waited for one, or the machine stood still.

use std::cell::Cell;
use std::time::Duration;

use super::{run_delay, ticker};
use crate::clock::{self, Instant};

/// Maximum age of a note. A reading takes two microseconds, so a thread spends two thousandths of its time on notes at most.
const AGE: Duration = Duration::from_millis(1);

/// Time in which a note is taken if the thread keeps its processor.
const UNDISTURBED: Duration = Duration::from_micros(100);

thread_local! {
    /// The last note of this thread, and its time.
    static NOTE: Cell<(Instant, Duration)> = const { Cell::new((Instant::ZERO, Duration::ZERO)) };
}

/// Returns the time that this thread has lost so far, noted lately, and the time of now.
pub(super) fn note(now: Instant) -> (Instant, Duration) {
    let (noted, lost) = NOTE.get();
    if now.checked_duration_since(noted).is_some_and(|age| age < AGE) {
        return (now, lost);
    }
    let note = take(now);
    NOTE.set(note);
    note
}

/// Reads both. A thread often loses its processor at the end of a system call, and what it waits between the two would be
/// taken off a poll. So it tries again if that took long.
fn take(mut now: Instant) -> (Instant, Duration) {
    const TRIES: u32 = 3;
    let mut lost = Duration::ZERO;
    for _ in 0..TRIES {
        let before = now;
        lost = so_far();
        now = clock::now();
        if clock::between(before, now) < UNDISTURBED {
            break;
        }
    }
    (now, lost)
}

/// Returns the time that this thread has lost since its start.
pub(super) fn so_far() -> Duration {
    run_delay::of_this_thread().unwrap_or_default() + ticker::stalled()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_kept_for_a_while_and_never_goes_back() {
        let now = clock::now();
        let (at, lost) = note(now);
        assert!(at >= now && lost <= so_far());
        assert_eq!(note(at), (at, lost));
        // Taken anew, and so with a time of now.
        let later = at.checked_add(2 * AGE).unwrap();
        let (again, more) = note(later);
        assert!(more >= lost && again != later);
    }
}
