//! Beginnings and ends of the polls of a thread.
//!
//! A clock costs more than a poll may be slowed down by. So the clock is read for the first polls of a while only. If there
//! are more, the ticker runs, and the other polls compare the number of its tick at their beginning and end. A poll that
//! saw the tick change reads the clock at its end. It began before that tick ended, so its duration is never overstated.

use std::cell::Cell;
use std::time::Duration;

use super::{lost, ticker};
use crate::clock::{self, Instant};

/// Number of polls in a [`WHILE`] that are measured by the clock. A thread that polls less often needs no ticker. So many
/// readings take a thousandth of the time.
const EXACT_POLLS: u32 = 32;

/// Time in which [`EXACT_POLLS`] are counted: that of a tick, so that the polls after each tick are exact again.
const WHILE: Duration = ticker::PERIOD;

/// Beginning of a poll.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    /// Tick in which the poll began, or [`EXACT`](ticker::EXACT).
    tick: u64,
    /// Beginning of the poll if it is exact, else a moment before.
    at: Instant,
    /// Time that the thread had lost at a moment shortly before.
    lost: Duration,
    /// Nanoseconds of all polls that had been reported on this thread by then.
    reported_ns: u64,
}

/// Use of the clock by a thread.
#[derive(Clone, Copy)]
struct Budget {
    since: Instant,
    polls: u32,
}

thread_local! {
    /// Mark of the next poll, as long as its tick is the current one.
    static NEXT: Cell<Mark> = const { Cell::new(Mark::NONE) };
    static BUDGET: Cell<Budget> = const { Cell::new(Budget { since: Instant::ZERO, polls: 0 }) };
}

/// Marks the beginning of a poll.
#[inline]
pub(crate) fn begin() -> Mark {
    let next = NEXT.get();
    if ticker::tick() == next.tick { next } else { begin_by_the_clock() }
}

/// Marks the beginning of a poll by the clock.
#[cold]
pub(crate) fn begin_by_the_clock() -> Mark {
    let mut at = clock::now();
    let mut budget = BUDGET.get();
    let Mark { mut lost, reported_ns, .. } = NEXT.get();
    if at.checked_duration_since(budget.since).is_none_or(|age| age >= WHILE) {
        budget = Budget { since: at, polls: 0 };
        (at, lost) = lost::note(at);
    }
    budget.polls += 1;
    BUDGET.set(budget);
    let tick = if budget.polls < EXACT_POLLS { ticker::EXACT } else { ticker::keep_running() };
    let mark = Mark { tick: ticker::EXACT, at, lost, reported_ns };
    NEXT.set(Mark { tick, ..mark });
    mark
}

impl Mark {
    const NONE: Mark = Mark { tick: ticker::EXACT, at: Instant::ZERO, lost: Duration::ZERO, reported_ns: 0 };

    /// Returns how long the poll took, without the polls in it that were reported. `None` if it was certainly short.
    #[inline]
    pub(crate) fn end(self) -> Option<Duration> {
        if ticker::tick() == self.tick { None } else { Some(self.duration()) }
    }

    /// Returns how long the poll took, without the polls in it that were reported.
    #[cold]
    pub(crate) fn duration(self) -> Duration {
        let now = clock::now();
        let begin = match self.tick {
            ticker::EXACT => self.at,
            tick => ticker::end_of(tick).unwrap_or(self.at),
        };
        let reported = NEXT.get().reported_ns - self.reported_ns;
        clock::between(begin, now).saturating_sub(Duration::from_nanos(reported))
    }
}

impl Mark {
    /// Returns how long the thread had no processor since shortly before the poll began, through no fault of its code.
    pub(crate) fn lost(self) -> Duration {
        lost::so_far().saturating_sub(self.lost)
    }
}

/// Notes that a poll was reported, so that the polls around it are not reported for the same time.
pub(crate) fn note_reported(duration: Duration) {
    let next = NEXT.get();
    NEXT.set(Mark { reported_ns: next.reported_ns + duration.as_nanos() as u64, ..next });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each test runs on a thread of its own, so it has a budget of its own.
    fn dense() -> Mark {
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        while std::time::Instant::now() < deadline {
            let mark = begin();
            if mark.tick != ticker::EXACT {
                return mark;
            }
            mark.end();
        }
        panic!("the ticker does not run");
    }

    #[test]
    fn the_first_polls_are_exact_and_then_ticks_count() {
        std::thread::spawn(|| {
            let mark = begin();
            assert_eq!(mark.tick, ticker::EXACT);
            assert!(mark.end().is_some());
            dense();
        })
        .join()
        .unwrap();
    }

    #[test]
    fn a_long_poll_among_dense_ones_is_seen_and_never_overstated() {
        std::thread::spawn(|| {
            let deadline = std::time::Instant::now() + Duration::from_secs(20);
            let mut seen = 0;
            // A ticker that gets no processor for so long sees nothing, so one try proves nothing.
            while seen < 3 && std::time::Instant::now() < deadline {
                let before = clock::now();
                let mark = dense();
                std::thread::sleep(Duration::from_millis(25));
                let held = mark.end().unwrap_or_default();
                assert!(held <= clock::between(before, clock::now()));
                seen += u32::from(held >= Duration::from_millis(20));
            }
            assert_eq!(seen, 3);
        })
        .join()
        .unwrap();
    }

    #[test]
    fn a_reported_poll_is_not_part_of_the_polls_around_it() {
        std::thread::spawn(|| {
            let outer = begin();
            let inner = begin();
            std::thread::sleep(Duration::from_millis(20));
            let held = inner.end().unwrap();
            assert!(held >= Duration::from_millis(20));
            note_reported(held);
            let (rest, all) = (outer.end().unwrap(), clock::between(outer.at, clock::now()));
            assert!(rest <= all - held, "{rest:?} of {all:?}, {held:?} are reported");
        })
        .join()
        .unwrap();
    }
}
