//! Time that a thread waited for a processor.
//!
//! A thread that the kernel has taken off its processor holds its worker too, but its code does not block. Linux counts
//! that time for each thread. Elsewhere, and where `/proc` is out of reach, it counts as part of the poll.

use std::cell::Cell;
use std::time::Duration;

use crate::clock::{self, Instant};

/// Maximum age of a note. A reading takes two microseconds, so a thread spends two thousandths of its time on notes at most.
const AGE: Duration = Duration::from_millis(1);

/// Time in which a note is taken if the thread keeps its processor.
const UNDISTURBED: Duration = Duration::from_micros(100);

thread_local! {
    /// The last note of this thread, and its time.
    static NOTE: Cell<(Instant, Duration)> = const { Cell::new((Instant::ZERO, Duration::ZERO)) };
}

/// Returns the time that this thread has waited so far, noted lately, and the time of now.
pub(super) fn note(now: Instant) -> (Instant, Duration) {
    let (noted, waited) = NOTE.get();
    if now.checked_duration_since(noted).is_some_and(|age| age < AGE) {
        return (now, waited);
    }
    let note = take(now);
    NOTE.set(note);
    note
}

/// Reads both. A thread often loses its processor at the end of a system call, and what it waits between the two would be
/// taken off a poll. So it tries again if that took long.
fn take(mut now: Instant) -> (Instant, Duration) {
    const TRIES: u32 = 3;
    let mut waited = Duration::ZERO;
    for _ in 0..TRIES {
        let before = now;
        waited = of_this_thread().unwrap_or_default();
        now = clock::now();
        if clock::between(before, now) < UNDISTURBED {
            break;
        }
    }
    (now, waited)
}

/// Returns the time that this thread has waited since its start. `None` where the system does not tell.
#[cfg(not(target_os = "linux"))]
pub(super) fn of_this_thread() -> Option<Duration> {
    None
}

/// Returns the time that this thread has waited since its start. `None` where the system does not tell.
#[cfg(target_os = "linux")]
pub(super) fn of_this_thread() -> Option<Duration> {
    use std::cell::OnceCell;
    use std::fs::File;
    use std::os::unix::fs::FileExt;

    thread_local! {
        /// Stays open, because opening takes five times as long as reading.
        static FILE: OnceCell<Option<File>> = const { OnceCell::new() };
    }

    let mut text = [0; 64];
    let open = || File::open("/proc/thread-self/schedstat").ok();
    let read = |file: &OnceCell<Option<File>>| file.get_or_init(open).as_ref()?.read_at(&mut text, 0).ok();
    // At the end of a thread there is no file any more.
    let bytes = FILE.try_with(read).ok().flatten()?;
    let text = std::str::from_utf8(&text[..bytes]).ok()?;
    // The second number: nanoseconds on a run queue.
    text.split_ascii_whitespace().nth(1)?.parse().ok().map(Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_kept_for_a_while_and_never_goes_back() {
        let now = clock::now();
        let (at, waited) = note(now);
        assert!(at >= now && waited <= of_this_thread().unwrap_or(waited));
        assert_eq!(note(at), (at, waited));
        // Taken anew, and so with a time of now.
        let (again, more) = note(at + 2 * AGE);
        assert!(more >= waited && again != at + 2 * AGE);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_system_tells_it() {
        if std::path::Path::new("/proc/thread-self/schedstat").exists() {
            assert!(of_this_thread().is_some());
        }
    }
}
