//! Failed signatures of each address. Each one costs a verification, so that their number a second is limited.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lower bound on the failures of one address in a [`WINDOW`]. A signer behind a flooded address can call until they
/// are spent, and again in the next window.
const FEWEST: u32 = 100;
/// Time after which an address starts anew.
const WINDOW: Duration = Duration::from_secs(1);

/// Addresses with failures in the current window, by a key of a bounded kind.
#[derive(Debug)]
pub(super) struct FailedSignatures<K> {
    /// Maximum number of failures of one address in a window. `None` is no limit.
    most: Option<u32>,
    windows: Mutex<Windows<K>>,
}

#[derive(Debug)]
struct Windows<K> {
    by_address: HashMap<K, (Instant, u32)>,
    swept: Instant,
}

impl<K: Eq + Hash> FailedSignatures<K> {
    /// Allows an address as many failures a second as calls, and at least [`FEWEST`]. 0 is no limit.
    pub(super) fn new(rps: u32) -> FailedSignatures<K> {
        let windows = Windows { by_address: HashMap::new(), swept: Instant::now() };
        FailedSignatures { most: (rps > 0).then_some(rps.max(FEWEST)), windows: Mutex::new(windows) }
    }

    /// Returns whether `address` has spent its failures.
    pub(super) fn are_spent(&self, address: &K, now: Instant) -> bool {
        let Some(most) = self.most else { return false };
        let windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        windows.by_address.get(address).is_some_and(|(begun, failures)| {
            *failures >= most && now.saturating_duration_since(*begun) < WINDOW
        })
    }

    /// Counts a failure of `address`.
    pub(super) fn count(&self, address: K, now: Instant) {
        if self.most.is_none() {
            return;
        }
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        windows.sweep(now);
        let (begun, failures) = windows.by_address.entry(address).or_insert((now, 0));
        if now.saturating_duration_since(*begun) >= WINDOW {
            (*begun, *failures) = (now, 0);
        }
        *failures = failures.saturating_add(1);
    }
}

impl<K: Eq + Hash> Windows<K> {
    /// Forgets the addresses whose window is over, once a window.
    fn sweep(&mut self, now: Instant) {
        if now.saturating_duration_since(self.swept) >= WINDOW {
            self.swept = now;
            self.by_address.retain(|_, (begun, _)| now.saturating_duration_since(*begun) < WINDOW);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_failures_in_each_window_and_no_other_pays_for_them() {
        let (failed, now) = (FailedSignatures::new(5), Instant::now());
        for _ in 0..FEWEST {
            assert!(!failed.are_spent(&"ada", now));
            failed.count("ada", now);
        }
        assert!(failed.are_spent(&"ada", now));
        assert!(!failed.are_spent(&"bob", now));
        assert!(failed.are_spent(&"ada", now + WINDOW / 2));
        assert!(!failed.are_spent(&"ada", now + WINDOW));
        failed.count("ada", now + WINDOW);
        assert!(!failed.are_spent(&"ada", now + WINDOW));
        failed.count("bob", now + 3 * WINDOW);
        assert_eq!(failed.windows.lock().unwrap().by_address.len(), 1, "the others are forgotten");
    }

    #[test]
    fn a_high_limit_allows_more_and_none_allows_all() {
        let now = Instant::now();
        for (rps, spent) in [(150, false), (0, false), (1, true)] {
            let failed = FailedSignatures::new(rps);
            (0..FEWEST).for_each(|_| failed.count("ada", now));
            assert_eq!(failed.are_spent(&"ada", now), spent, "{rps}");
        }
    }
}
