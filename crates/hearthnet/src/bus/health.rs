//! How well each capability answers on each node: the share of its last calls that went well.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use obs_facade::metrics::standard;

/// How many calls the share is taken over.
const HEALTH_WINDOW_CALLS: usize = 100;

/// The windows of all capabilities. There are as many as capabilities are offered, here or by peers.
#[derive(Default)]
pub(super) struct Health {
    windows: Mutex<HashMap<Key, VecDeque<bool>>>,
}

type Key = (String, String);

impl Health {
    /// A call of `capability` is going to be answered by `node`.
    pub(super) fn begin(self: &Arc<Health>, capability: &str, node: &str) -> Served {
        Served { health: self.clone(), key: (capability.to_owned(), node.to_owned()) }
    }

    /// Forgets what `keep(capability, node)` does not want, with its series.
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

    fn record(&self, key: Key, ok: bool) {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let series = standard::capability_health_success_rate().with([&key.0, &key.1]);
        let window = windows.entry(key).or_default();
        if window.len() == HEALTH_WINDOW_CALLS {
            window.pop_front();
        }
        window.push_back(ok);
        let good = window.iter().filter(|ok| **ok).count();
        series.set(good as f64 / window.len() as f64);
    }
}

/// A call under way. One that is dropped before its end was cancelled by its caller, which says nothing
/// about the node.
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
        registry.value("hearthnet_capability_health_success_rate", &labels)
    }

    #[test]
    fn f4_the_rate_is_over_the_last_100_calls_and_a_cancelled_one_is_none() {
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
