//! Timestamps of the wire format.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, SecondsFormat, Utc};

/// Returns the current time in RFC 3339, in UTC and whole seconds.
pub(crate) fn now_text() -> String {
    text(Utc::now())
}

pub(crate) fn text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Returns the current time in RFC 3339, in UTC and microseconds. Every call in a process returns a later time than
/// the one before, even if the clock is set back.
pub(crate) fn unique_now_text() -> String {
    // Microseconds of the latest time that was returned.
    static LAST: AtomicI64 = AtomicI64::new(i64::MIN);
    let now = Utc::now().timestamp_micros();
    let later = |last: i64| now.max(last.saturating_add(1));
    // Relaxed: the value is all that threads share. The read-modify-write alone makes it unique.
    let last = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(later(last)));
    let time = DateTime::from_timestamp_micros(last.map_or(now, later)).unwrap_or_else(Utc::now);
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// Parses a time in RFC 3339. Returns `None` for any other text.
pub(crate) fn parse(text: &str) -> Option<DateTime<Utc>> {
    Some(DateTime::parse_from_rfc3339(text).ok()?.to_utc())
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn distance_from_now(text: &str) -> Option<TimeDelta> {
        Some(Utc::now().signed_duration_since(parse(text)?).abs())
    }

    #[test]
    fn times_of_one_moment_are_different() {
        let times: std::collections::BTreeSet<_> = (0..10_000).map(|_| unique_now_text()).collect();
        assert_eq!(times.len(), 10_000);
        assert!(times.iter().all(|time| distance_from_now(time).unwrap() < TimeDelta::minutes(1)));
    }

    #[test]
    fn the_current_time_parses_and_other_texts_do_not() {
        assert!(now_text().ends_with('Z'));
        assert!(distance_from_now(&now_text()).unwrap() < TimeDelta::seconds(5));
        assert!(distance_from_now("2020-01-01T00:00:00Z").unwrap() > TimeDelta::days(365));
        assert!(distance_from_now("9999-12-31T23:59:59.999+23:59").is_some());
        assert_eq!(distance_from_now("yesterday"), None);
    }
}
