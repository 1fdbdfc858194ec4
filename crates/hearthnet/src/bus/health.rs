//! Success rate of each capability on each node, over its last calls.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use obs_facade::metrics::standard;

/// Number of calls in the window of a rate.
// Long enough to be steady, short enough to forget an old failure.
const HEALTH_WINDOW_CALLS: usize = 100;
/// Maximum number of nodes whose calls are counted.
const MAX_NODES: usize = 1_024;

/// Windows of all capabilities that this node or its peers offer.
#[derive(Default)]
pub(super) struct Health {
    /// Calls and failed calls of each node since the start.
    totals: Mutex<HashMap<String, (u64, u64)>>,
    // The series are set under this lock, so that two calls that end at once cannot leave the older rate.
    windows: Mutex<HashMap<Key, VecDeque<bool>>>,
}

type Key = (String, String);

impl Health {
    /// Starts a call of `capability` that `node` answers.
    pub(super) fn begin(self: &Arc<Health>, capability: &str, node: &str) -> Served {
        Served { health: self.clone(), key: (capability.to_owned(), node.to_owned()) }
    }

    /// Removes the windows and series for which `keep(capability, node)` is false.
    pub(super) fn retain(&self, keep: impl Fn(&str, &str) -> bool) {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        windows.retain(|(capability, node), _| {
            let keep = keep(capability, node);
            if !keep {
                standard::capability_health_success_rate().remove([capability, node]);
            }
            keep
        });
    }

    /// Returns the share of calls that succeeded; `None` before the first one.
    pub(super) fn rate(&self, capability: &str, node: &str) -> Option<f64> {
        let windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let window = windows.get(&(capability.to_owned(), node.to_owned()))?;
        Some(good(window) as f64 / window.len() as f64)
    }

    /// Returns the number of calls that `node` answered since the start, and of those that failed.
    pub(super) fn totals(&self, node: &str) -> (u64, u64) {
        let totals = self.totals.lock().unwrap_or_else(PoisonError::into_inner);
        totals.get(node).copied().unwrap_or_default()
    }

    fn count(&self, node: &str, ok: bool) {
        let mut totals = self.totals.lock().unwrap_or_else(PoisonError::into_inner);
        if !totals.contains_key(node) {
            // Nodes are peers of the configuration, which may be set up anew.
            if totals.len() >= MAX_NODES {
                return;
            }
            totals.insert(node.to_owned(), (0, 0));
        }
        if let Some((calls, failed)) = totals.get_mut(node) {
            *calls += 1;
            *failed += u64::from(!ok);
        }
    }

    fn record(&self, key: Key, ok: bool) {
        self.count(&key.1, ok);
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        // Before `entry`, which takes the key.
        let series = standard::capability_health_success_rate().with([&key.0, &key.1]);
        let window = windows.entry(key).or_default();
        if window.len() == HEALTH_WINDOW_CALLS {
            window.pop_front();
        }
        window.push_back(ok);
        series.set(good(window) as f64 / window.len() as f64);
    }
}

fn good(window: &VecDeque<bool>) -> usize {
    window.iter().filter(|ok| **ok).count()
}

/// Call in progress. Dropping it records nothing: its caller cancelled it, which does not count against the node.
pub(super) struct Served {
    health: Arc<Health>,
    key: Key,
}

impl Served {
    pub(super) fn end(self, ok: bool) {
        self.health.record(self.key, ok);
    }
}

#[cfg(test)]
mod tests {
    use obs_facade::metrics::Registry;

    use super::*;

    fn rate(registry: &Registry) -> Option<f64> {
        let labels = [("capability", "experimental.echo"), ("node", "ed25519:us")];
        obs_facade::metrics::testing::value(registry, "hearthnet_capability_health_success_rate", &labels)
    }

    #[test]
    fn the_rate_covers_the_last_100_calls_without_cancelled_ones() {
        let registry = Registry::new();
        let _scope = registry.enter();
        let health = Arc::new(Health::default());
        let begin = || health.begin("experimental.echo", "ed25519:us");
        drop(begin());
        (0..50).for_each(|_| begin().end(false));
        assert_eq!(rate(&registry), Some(0.0));
        (0..50).for_each(|_| begin().end(true));
        assert_eq!(rate(&registry), Some(0.5));
        (0..75).for_each(|_| begin().end(true));
        assert_eq!(rate(&registry), Some(1.0));
        health.retain(|_, node| node != "ed25519:us");
        assert_eq!(rate(&registry), None);
    }
}
