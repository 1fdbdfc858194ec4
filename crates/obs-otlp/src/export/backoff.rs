//! Delays between the retries of a request.

use std::time::{Duration, Instant};

use crate::config::Config;

/// Delays of one request: each twice as long as the one before, and partly random, so that the nodes of a mesh do not all
/// return to their collector at once.
pub(super) struct Backoff {
    delay: Duration,
    /// `None` is never.
    give_up_at: Option<Instant>,
}

/// Maximum delay of our own. A collector that is back gets traces within this time.
const MAX_DELAY: Duration = Duration::from_secs(30);
/// Maximum delay that a collector can ask for by `Retry-After`.
const MAX_ASKED: Duration = Duration::from_secs(60);

impl Backoff {
    pub(super) fn start(config: &Config) -> Backoff {
        Backoff {
            delay: config.first_delay,
            give_up_at: config.give_up_after.map(|time| Instant::now() + time),
        }
    }

    /// Returns the delay before the next retry, at least the one that the collector asked for. `None` if it is time to give
    /// up.
    pub(super) fn next(&mut self, asked: Option<Duration>) -> Option<Duration> {
        if self.give_up_at.is_some_and(|time| Instant::now() >= time) {
            return None;
        }
        let delay = self.delay.mul_f64(0.5 + 0.5 * fastrand::f64());
        self.delay = (2 * self.delay).min(MAX_DELAY);
        Some(delay.max(asked.unwrap_or_default().min(MAX_ASKED)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::Signal;

    #[test]
    fn delays_double_with_jitter_up_to_a_limit() {
        let mut backoff =
            Backoff::start(&Config::new(Signal::Traces, "http://c").first_delay(Duration::from_secs(1)));
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
        let mut backoff =
            Backoff::start(&Config::new(Signal::Traces, "http://c").first_delay(Duration::from_millis(1)));
        assert_eq!(backoff.next(Some(Duration::from_secs(7))), Some(Duration::from_secs(7)));
        assert_eq!(backoff.next(Some(Duration::MAX)), Some(MAX_ASKED));
        assert!(backoff.next(Some(Duration::ZERO)).unwrap() > Duration::ZERO);
        let mut backoff =
            Backoff::start(&Config::new(Signal::Traces, "http://c").give_up_after(Duration::ZERO));
        assert_eq!(backoff.next(None), None);
    }
}
