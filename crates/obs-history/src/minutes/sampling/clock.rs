//! Minutes of the wall clock, and breaks in their sequence.

use std::time::{Duration, Instant, SystemTime};

/// Difference between wall clock and steady clock from which on the wall clock counts as set. Clocks that are corrected in
/// passing stay below it.
const STEP_MS: i64 = 60_000;
/// Number of minutes without a look after which the process counts as paused. It looks every few seconds.
const PAUSE_MINUTES: i64 = 2;

const MINUTE_MS: i64 = 60_000;

/// Reading of both clocks.
#[derive(Clone, Copy, Debug)]
pub(in crate::minutes) struct Moment {
    /// Milliseconds since 1970 by the wall clock.
    pub(in crate::minutes) unix_ms: i64,
    /// Time by a clock that is never set, from any beginning.
    pub(in crate::minutes) steady: Duration,
}

impl Moment {
    /// Reads the clocks. `begun` is the beginning of the steady clock.
    pub(in crate::minutes) fn now(begun: Instant) -> Moment {
        let unix_ms = match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |ms| -ms),
        };
        Moment { unix_ms, steady: begun.elapsed() }
    }

    /// Returns the minute, counted from 1970 in UTC. Daylight saving does not change it.
    pub(in crate::minutes) fn minute(self) -> i64 {
        self.unix_ms.div_euclid(MINUTE_MS)
    }

    /// Returns the time until the next minute begins.
    pub(in crate::minutes) fn until_next(self) -> Duration {
        Duration::from_millis((MINUTE_MS - self.unix_ms.rem_euclid(MINUTE_MS)).unsigned_abs())
    }
}

/// Where a look at the clock stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::minutes) enum Turn {
    /// In the current minute.
    Same,
    /// In a later minute of the same sequence.
    Next,
    /// The wall clock was set, or the machine slept. The difference is in seconds.
    Clock(i64),
    /// The process did not run for some minutes.
    Paused,
}

/// Current minute.
#[derive(Debug)]
pub(in crate::minutes) struct MinuteClock {
    pub(in crate::minutes) minute: i64,
    last: Moment,
}

impl MinuteClock {
    pub(in crate::minutes) fn new(now: Moment) -> MinuteClock {
        MinuteClock { minute: now.minute(), last: now }
    }

    /// Returns where `now` stands, and continues from there.
    pub(in crate::minutes) fn look(&mut self, now: Moment) -> Turn {
        let passed =
            i64::try_from(now.steady.saturating_sub(self.last.steady).as_millis()).unwrap_or(i64::MAX);
        let step = now.unix_ms.saturating_sub(self.last.unix_ms).saturating_sub(passed);
        self.last = now;
        let ahead = now.minute() - self.minute;
        let turn = match ahead {
            // A clock that was set back by seconds waits in the minute that it had reached: a minute is not begun twice.
            -1 | 0 => return Turn::Same,
            _ if ahead < 0 || step.abs() >= STEP_MS => Turn::Clock(step / 1_000),
            _ if ahead > PAUSE_MINUTES => Turn::Paused,
            _ => Turn::Next,
        };
        self.minute = now.minute();
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(unix_s: i64, steady_s: u64) -> Moment {
        Moment { unix_ms: unix_s * 1_000, steady: Duration::from_secs(steady_s) }
    }

    #[test]
    fn minutes_follow_each_other() {
        let mut clock = MinuteClock::new(at(600, 0));
        assert_eq!(clock.look(at(659, 59)), Turn::Same);
        assert_eq!(clock.look(at(660, 60)), Turn::Next);
        assert_eq!((clock.minute, clock.look(at(665, 65))), (11, Turn::Same));
        assert_eq!(clock.look(at(781, 181)), Turn::Next, "a look that comes late is no pause");
        assert_eq!(clock.look(at(1000, 400)), Turn::Paused);
        assert_eq!(clock.minute, 16);
    }

    #[test]
    fn a_clock_that_is_set_breaks_the_sequence() {
        let mut clock = MinuteClock::new(at(600, 0));
        assert_eq!(clock.look(at(4_205, 5)), Turn::Clock(3_600));
        assert_eq!(clock.look(at(610, 10)), Turn::Clock(-3_600));
        assert_eq!((clock.minute, clock.look(at(615, 15))), (10, Turn::Same));
    }

    #[test]
    fn a_small_correction_neither_begins_a_minute_twice_nor_breaks_the_sequence() {
        let mut clock = MinuteClock::new(at(659, 0));
        assert_eq!(clock.look(at(660, 1)), Turn::Next);
        assert_eq!(clock.look(at(655, 6)), Turn::Same, "back by 10 seconds");
        assert_eq!((clock.minute, clock.look(at(661, 12))), (11, Turn::Same));
        assert_eq!(clock.look(at(721, 60)), Turn::Next, "forward by 12 seconds");
        assert_eq!(clock.look(at(665, 65)), Turn::Same, "back by 61 seconds, into the minute before");
        assert_eq!(clock.look(at(599, 66)), Turn::Clock(-67));
    }

    #[test]
    fn a_clock_before_1970_has_minutes_too() {
        assert_eq!((at(-1, 0).minute(), at(-60, 0).minute(), at(-61, 0).minute()), (-1, -1, -2));
        assert_eq!(at(-1, 0).until_next(), Duration::from_secs(1));
    }
}
