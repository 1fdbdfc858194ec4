//! Limit on failed attempts to log in.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::place::Place;
use crate::refused::Refused;

/// Failures of one place within [`SPAN`] after which it has to wait.
const MOST_FAILURES: u32 = 10;

/// Time in which failures are counted, and the longest wait.
const SPAN: Duration = Duration::from_secs(60);

/// Places whose failures are counted. All others share one count.
const MOST_PLACES: usize = 256;

/// Failed attempts by place.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    // Held for a look-up and a count only.
    failures: Mutex<HashMap<Option<Place>, Failures>>,
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    since: Instant,
}

impl Attempts {
    /// Refuses an attempt from a place with too many failures.
    pub(super) fn require_few(&self, place: Place, now: Instant) -> Result<(), Refused> {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.retain(|_, failures| now.saturating_duration_since(failures.since) < SPAN);
        match failures.get(&key(&failures, place)) {
            Some(found) if found.count >= MOST_FAILURES => {
                let wait = SPAN.saturating_sub(now.saturating_duration_since(found.since));
                Err(Refused {
                    retry_after: Some(wait.as_secs() + 1),
                    ..Refused::new(
                        http::StatusCode::TOO_MANY_REQUESTS,
                        "too many wrong tokens from this address; wait a minute",
                    )
                })
            }
            _ => Ok(()),
        }
    }

    /// Counts a failure.
    pub(super) fn fail(&self, place: Place, now: Instant) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let key = key(&failures, place);
        failures.entry(key).or_insert(Failures { count: 0, since: now }).count += 1;
    }
}

/// Returns the key of a place: the place's own, or the common one when the table is full.
fn key(failures: &HashMap<Option<Place>, Failures>, place: Place) -> Option<Place> {
    let own = Some(place.network());
    own.filter(|_| failures.len() < MOST_PLACES || failures.contains_key(&own))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(address: &str) -> Place {
        Place { address: address.parse().unwrap(), user: None }
    }

    #[test]
    fn a_place_waits_after_ten_failures_and_others_do_not() {
        let attempts = Attempts::default();
        let now = Instant::now();
        for _ in 0..MOST_FAILURES {
            assert!(attempts.require_few(place("10.0.0.1"), now).is_ok());
            attempts.fail(place("10.0.0.1"), now);
        }
        assert!(attempts.require_few(place("10.0.0.1"), now).unwrap_err().retry_after.unwrap() <= 61);
        assert!(attempts.require_few(place("10.0.0.2"), now).is_ok());
        let user = Place { user: Some(7), ..place("10.0.0.1") };
        assert!(attempts.require_few(user, now).is_ok(), "another user of the machine");
        assert!(attempts.require_few(place("10.0.0.1"), now + SPAN).is_ok());
    }

    #[test]
    fn many_places_are_bounded_and_share_a_count() {
        let attempts = Attempts::default();
        let now = Instant::now();
        for n in 0..100_000_u32 {
            attempts.fail(place(&std::net::Ipv4Addr::from(n).to_string()), now);
        }
        assert_eq!(attempts.failures.lock().unwrap().len(), MOST_PLACES + 1);
        assert!(attempts.require_few(place("200.0.0.1"), now).is_err());
    }

    #[test]
    fn all_addresses_of_an_ipv6_network_share_a_count() {
        let attempts = Attempts::default();
        let now = Instant::now();
        for n in 0..MOST_FAILURES {
            attempts.fail(place(&format!("fd00::{n:x}")), now);
        }
        assert!(attempts.require_few(place("fd00::ffff"), now).is_err());
        assert!(attempts.require_few(place("fd00:0:0:1::ffff"), now).is_ok(), "another network");
    }
}
