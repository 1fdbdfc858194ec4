//! Two clocks: a cheap one for durations, and the wall clock for the beginning of a trace.

use std::cell::Cell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(crate) use crate::instant::{Instant, nanos_per_tick, prepare};

#[inline]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Returns the time from one moment to another. Zero if the clock was set back or restarted in between.
///
/// A processor's counter may restart while the machine sleeps. A moment before that then seems to be decades away, and must
/// not become the duration of the slowest trace.
pub(crate) fn between(begin: Instant, end: Instant) -> Duration {
    end.checked_duration_since(begin).filter(|duration| *duration < IMPOSSIBLE).unwrap_or_default()
}

/// Ten years: longer than any trace, shorter than what a restarted counter seems to be away.
const IMPOSSIBLE: Duration = Duration::from_secs(10 * 365 * 86_400);

/// Returns the reading of the counter at `instant`, in ticks.
///
/// A packed record keeps ticks, because the division in [`between`] costs as much as the rest of a span.
#[inline]
pub(crate) fn ticks(instant: Instant) -> u64 {
    instant.ticks()
}

/// Returns the duration of this many ticks, of a process in which a tick took `nanos_per_tick`. Zero if it is impossible,
/// as in [`between`].
pub(crate) fn of_ticks(ticks: u64, nanos_per_tick: f64) -> Duration {
    // A conversion from a float is bounded, and NaN becomes zero.
    let duration = Duration::from_nanos((ticks as f64 * nanos_per_tick) as u64);
    if duration < IMPOSSIBLE { duration } else { Duration::ZERO }
}

/// Returns the moment that is `duration` after `begin`. [`between`] returns exactly `duration` up to some days. `None` beyond the
/// end of the counter.
pub(crate) fn after(begin: Instant, duration: Duration) -> Option<Instant> {
    // The conversion to ticks rounds down, and back again. One nanosecond more makes up for it, as a tick is shorter.
    let end = begin.checked_add(duration)?;
    if between(begin, end) == duration {
        Some(end)
    } else {
        begin.checked_add(duration + Duration::from_nanos(1))
    }
}

/// Returns the nanoseconds since the Unix epoch at `instant`.
///
/// Each thread reads the wall clock at most every [`ANCHOR_AGE_NS`], because that costs three times as much as reading the
/// counter. A step of the wall clock shows after that time.
pub(crate) fn unix_ns(instant: Instant) -> u64 {
    ANCHOR
        .try_with(|anchor| {
            if let Some((at, unix_ns)) = anchor.get()
                && let Some(age) = instant.nanos_since(at)
                && age < ANCHOR_AGE_NS
            {
                return unix_ns + age;
            }
            let unix_ns = wall_ns();
            anchor.set(Some((instant, unix_ns)));
            unix_ns
        })
        .unwrap_or_else(|_| wall_ns())
}

/// Maximum age of a thread's reading of the wall clock in nanoseconds. Too short for a person to notice, and long enough to
/// spare a burst of traces the reading. No [`Duration`], whose division would cost a trace as much as the reading of the
/// counter.
const ANCHOR_AGE_NS: u64 = 20_000_000;

thread_local! {
    /// A moment, and the nanoseconds since the Unix epoch that the wall clock showed then.
    static ANCHOR: Cell<Option<(Instant, u64)>> = const { Cell::new(None) };
}

/// Reads the wall clock. Returns 0 if it shows a time before 1970.
fn wall_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

/// Formats a time as RFC 3339 in UTC with exactly three decimals.
pub(crate) fn rfc3339_ms(unix_ns: u64) -> String {
    // An `i64` of nanoseconds lasts until 2262.
    chrono::DateTime::from_timestamp_nanos(unix_ns as i64)
        .to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// Returns milliseconds with three decimals, the form of durations in records and log lines.
pub(crate) fn ms(duration: Duration) -> f64 {
    (duration.as_nanos() as f64 / 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wall_clock_is_followed() {
        for _ in 0..3 {
            let ours = unix_ns(now());
            let theirs = wall_ns();
            assert!(theirs.abs_diff(ours) < 1_000_000_000, "{ours} {theirs}");
            std::thread::sleep(Duration::from_nanos(ANCHOR_AGE_NS / 2));
        }
    }

    #[test]
    fn a_clock_that_is_set_back_or_restarts_makes_no_duration() {
        let before = now();
        let now = before.checked_add(Duration::from_millis(6)).unwrap();
        assert!((5..1_000).contains(&between(before, now).as_millis()));
        assert_eq!(between(now, before), Duration::ZERO);
        let decades = Duration::from_secs(50 * 365 * 86_400);
        assert_eq!(between(before, now.checked_add(decades).unwrap()), Duration::ZERO);
    }

    #[test]
    fn ticks_make_the_duration_that_the_clock_makes() {
        let began = now();
        for nanos in [0, 1, 7, 999, 123_456_789, 86_400_123_456_789] {
            let duration = Duration::from_nanos(nanos);
            let end = after(began, duration).unwrap();
            assert_eq!(between(began, end), duration);
            let again = of_ticks(ticks(end) - ticks(began), nanos_per_tick());
            assert!(again.abs_diff(duration).as_nanos() <= 1, "{again:?} {duration:?}");
        }
        for (ticks, nanos) in
            [(u64::MAX, 1e300), (u64::MAX, 0.3), (1, f64::NAN), (1, -1.0), (9, f64::INFINITY)]
        {
            assert_eq!(of_ticks(ticks, nanos), Duration::ZERO);
        }
    }

    #[test]
    fn times_have_three_decimals() {
        assert_eq!(rfc3339_ms(1_779_783_262_281_999_999), "2026-05-26T08:14:22.281Z");
        assert_eq!(rfc3339_ms(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(ms(Duration::from_nanos(1_234_567)), 1.235);
    }
}
