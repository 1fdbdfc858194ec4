//! Times as the wire writes them.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

/// Now, as RFC 3339 in UTC with whole seconds.
pub(crate) fn now_text() -> String {
    text(Utc::now())
}

pub(crate) fn text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// How far the RFC 3339 time in `text` is from now, in either direction. `None`: it is no such time.
pub(crate) fn distance_from_now(text: &str) -> Option<TimeDelta> {
    let time = DateTime::parse_from_rfc3339(text).ok()?;
    Some((Utc::now().signed_duration_since(time)).abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn now_is_close_to_now_and_other_texts_are_no_time() {
        assert!(now_text().ends_with('Z'));
        assert!(distance_from_now(&now_text()).unwrap() < TimeDelta::seconds(5));
        assert!(distance_from_now("2020-01-01T00:00:00Z").unwrap() > TimeDelta::days(365));
        assert!(distance_from_now("9999-12-31T23:59:59.999+23:59").is_some());
        assert_eq!(distance_from_now("yesterday"), None);
    }
}
