//! Two clocks: one that is cheap to read for durations, and the wall clock for when a trace began.

use std::cell::Cell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The time stamp counter where it is reliable, else the system's clock.
pub(crate) use fastant::Instant;

pub(crate) fn now() -> Instant {
    Instant::now()
}

/// From one moment to another; nothing if the clock went back in between, or began anew.
///
/// A processor's counter may begin anew when the machine has slept. What lies before that is then further away than
/// the machine is old, and must not be taken for the slowest trace there ever was.
pub(crate) fn between(begin: Instant, end: Instant) -> Duration {
    const IMPOSSIBLE: Duration = Duration::from_secs(10 * 365 * 86_400);
    Some(end - begin).filter(|duration| *duration < IMPOSSIBLE).unwrap_or_default()
}

/// Nanoseconds since the Unix epoch at `instant`.
///
/// Read from the wall clock at most every [`ANCHOR_AGE`] a thread, because that read costs three
/// times as much as one of the counter; a step of the wall clock is followed after that time.
pub(crate) fn unix_ns(instant: Instant) -> u64 {
    ANCHOR
        .try_with(|anchor| {
            if let Some((at, unix_ns)) = anchor.get()
                && let Some(age) = instant.checked_duration_since(at)
                && age < ANCHOR_AGE
            {
                return unix_ns + age.as_nanos() as u64;
            }
            let unix_ns = wall_ns();
            anchor.set(Some((instant, unix_ns)));
            unix_ns
        })
        .unwrap_or_else(|_| wall_ns())
}

/// Short enough for a person not to see, long enough to take the wall clock off the path of a burst.
const ANCHOR_AGE: Duration = Duration::from_millis(20);

thread_local! {
    static ANCHOR: Cell<Option<(Instant, u64)>> = const { Cell::new(None) };
}

/// 0 on a machine whose clock is before 1970.
fn wall_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

/// `unix_ns` as RFC 3339 in UTC with exactly three decimals.
pub(crate) fn rfc3339_ms(unix_ns: u64) -> String {
    // As a signed number it lasts until 2262.
    chrono::DateTime::from_timestamp_nanos(unix_ns as i64)
        .to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// Milliseconds with three decimals, as records and log lines give durations.
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
            std::thread::sleep(ANCHOR_AGE / 2);
        }
    }

    #[test]
    fn a_clock_that_is_set_back_or_begins_anew_makes_no_duration() {
        let (before, now) = (now() - Duration::from_millis(5), now());
        assert!((5..1_000).contains(&between(before, now).as_millis()));
        assert_eq!(between(now, before), Duration::ZERO);
        // What fastant makes of a counter that is below the one it began with.
        let century = Duration::from_secs(100 * 365 * 86_400);
        assert_eq!(between(before, now + century), Duration::ZERO);
    }

    #[test]
    fn times_have_three_decimals() {
        assert_eq!(rfc3339_ms(1_779_783_262_281_999_999), "2026-05-26T08:14:22.281Z");
        assert_eq!(rfc3339_ms(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(ms(Duration::from_nanos(1_234_567)), 1.235);
    }
}
