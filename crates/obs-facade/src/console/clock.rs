//! Instants in the forms of the API.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, SecondsFormat, Utc};

/// Returns the instant in RFC 3339 with milliseconds, as lines have it.
pub(super) fn text(time: SystemTime) -> String {
    DateTime::<Utc>::from(time).to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Returns the instant of a second since 1970. A second that no clock can show becomes the nearest one.
pub(super) fn at(seconds: u64) -> SystemTime {
    // The end of the year 9999.
    UNIX_EPOCH + Duration::from_secs(seconds.min(253_402_300_799))
}

/// Returns the seconds since 1970; 0 for an earlier instant.
pub(super) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Returns the milliseconds of a duration.
pub(super) fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
