//! Header `Retry-After`.

use std::time::Duration;

/// Parses the value of `Retry-After`: seconds, or a date (RFC 9110, section 10.2.3).
pub(super) fn parse(value: &str) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let now = chrono::DateTime::from(std::time::SystemTime::now());
    // A date in the past is no delay.
    Some((http_date(value)? - now).to_std().unwrap_or_default())
}

/// Parses a date in one of the three forms that a recipient must accept (RFC 9110, section 5.6.7).
fn http_date(value: &str) -> Option<chrono::DateTime<chrono::Utc>> {
    let usual = || chrono::DateTime::parse_from_rfc2822(value).ok().map(|date| date.to_utc());
    let obsolete = |form| chrono::NaiveDateTime::parse_from_str(value, form).ok().map(|date| date.and_utc());
    usual().or_else(|| obsolete("%A, %d-%b-%y %H:%M:%S GMT")).or_else(|| obsolete("%a %b %e %H:%M:%S %Y"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(parse("120"), Some(Duration::from_secs(120)));
        assert_eq!(parse("99999999999999999999999"), Some(Duration::from_secs(u64::MAX)));
        assert_eq!(parse("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        assert_eq!(parse("Sunday, 06-Nov-94 08:49:37 GMT"), Some(Duration::ZERO));
        assert_eq!(parse("Sun Nov  6 08:49:37 1994"), Some(Duration::ZERO));
        assert!(parse("Wed Nov  6 08:49:37 2250").is_some_and(|ahead| ahead > Duration::ZERO));
        let ahead = parse("Wed, 06 Nov 2250 08:49:37 GMT").unwrap();
        assert!(ahead > Duration::from_secs(200 * 365 * 86_400));
        for nonsense in ["", "-1", "1.5", "soon", "٣", "1 s"] {
            assert_eq!(parse(nonsense), None, "{nonsense:?}");
        }
    }
}
