//! Delays between the retries of a request.

use std::time::{Duration, Instant};

use super::config::Config;

/// Delays of one request: each twice as long as the one before, and partly random, so that the nodes of a mesh do not all
/// return to their collector at once.
pub(super) struct Backoff {
    delay: Duration,
    give_up_at: Instant,
}

/// Maximum delay of our own. A collector that is back gets traces within this time.
const MAX_DELAY: Duration = Duration::from_secs(30);
/// Maximum delay that a collector can ask for by `Retry-After`.
const MAX_ASKED: Duration = Duration::from_secs(60);

impl Backoff {
    pub(super) fn start(config: &Config) -> Backoff {
        Backoff { delay: config.first_delay, give_up_at: Instant::now() + config.give_up_after }
    }

    /// Returns the delay before the next retry, at least the one that the collector asked for. `None` if it is time to give
    /// up.
    pub(super) fn next(&mut self, asked: Option<Duration>) -> Option<Duration> {
        if Instant::now() >= self.give_up_at {
            return None;
        }
        let delay = self.delay.mul_f64(0.5 + 0.5 * fastrand::f64());
        self.delay = (2 * self.delay).min(MAX_DELAY);
        Some(delay.max(asked.unwrap_or_default().min(MAX_ASKED)))
    }
}

/// Parses the value of `Retry-After`: seconds, or a date (RFC 9110, section 10.2.3).
pub(super) fn retry_after(value: &str) -> Option<Duration> {
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
    fn delays_double_with_jitter_up_to_a_limit() {
        let mut backoff = Backoff::start(&Config::new("http://c").first_delay(Duration::from_secs(1)));
        let mut previous = Vec::new();
        for most in [1, 2, 4, 8, 16, 30, 30, 30] {
            let delay = backoff.next(None).unwrap();
            let most = Duration::from_secs(most);
            assert!(delay <= most && delay >= most / 2, "{delay:?} of {most:?}");
            previous.push(delay.as_secs_f64() / most.as_secs_f64());
        }
        previous.dedup();
        assert!(previous.len() > 1, "the delays are partly random");
    }

    #[test]
    fn the_delay_is_at_least_what_the_collector_asks_for_up_to_a_minute() {
        let mut backoff = Backoff::start(&Config::new("http://c").first_delay(Duration::from_millis(1)));
        assert_eq!(backoff.next(Some(Duration::from_secs(7))), Some(Duration::from_secs(7)));
        assert_eq!(backoff.next(Some(Duration::MAX)), Some(MAX_ASKED));
        assert!(backoff.next(Some(Duration::ZERO)).unwrap() > Duration::ZERO);
        let mut backoff = Backoff::start(&Config::new("http://c").give_up_after(Duration::ZERO));
        assert_eq!(backoff.next(None), None);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(retry_after("120"), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("99999999999999999999999"), Some(Duration::from_secs(u64::MAX)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        assert_eq!(retry_after("Sunday, 06-Nov-94 08:49:37 GMT"), Some(Duration::ZERO));
        assert_eq!(retry_after("Sun Nov  6 08:49:37 1994"), Some(Duration::ZERO));
        assert!(retry_after("Wed Nov  6 08:49:37 2250").is_some_and(|ahead| ahead > Duration::ZERO));
        let ahead = retry_after("Wed, 06 Nov 2250 08:49:37 GMT").unwrap();
        assert!(ahead > Duration::from_secs(200 * 365 * 86_400));
        for nonsense in ["", "-1", "1.5", "soon", "٣", "1 s"] {
            assert_eq!(retry_after(nonsense), None, "{nonsense:?}");
        }
    }
}
