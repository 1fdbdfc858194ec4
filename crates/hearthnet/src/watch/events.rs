//! Event log of the running node, and gauges of its extent.

use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use obs_facade::metrics::standard;
use obs_facade::warn_limited;
use serde_json::Value;

use super::LOG;
use crate::state::event_log::EventLog;
use crate::wire::signing::identity::Identity;

/// Event log of the node's community. If it cannot be opened or written, a warning is logged, the node goes on, and
/// the next call tries again.
#[derive(Clone)]
pub(crate) struct Events {
    author: Arc<Identity>,
    community_id: Arc<str>,
    file: Arc<Path>,
    // `None` before the first use and after an error. Held while SQLite works, so that only blocking threads may lock
    // it.
    log: Arc<Mutex<Option<EventLog>>>,
    /// Last known Lamport head, for readers that must not wait for SQLite; -1 before the first measurement.
    head: Arc<AtomicI64>,
}

impl Events {
    pub(crate) fn new(author: Arc<Identity>, community_id: &str, file: &Path) -> Events {
        Events {
            author,
            community_id: community_id.into(),
            file: file.into(),
            log: Arc::default(),
            head: Arc::new(AtomicI64::new(-1)),
        }
    }

    /// Returns whether the log has no event, so that no node has run with it. May block on the disk.
    pub(crate) fn is_empty(&self) -> bool {
        self.with_log(EventLog::extent).is_some_and(|extent| extent.rows == 0)
    }

    /// Returns the Lamport head as it was measured last.
    pub(crate) fn lamport_head(&self) -> Option<i64> {
        // Relaxed: the value stands alone.
        Some(self.head.load(Ordering::Relaxed)).filter(|head| *head >= 0)
    }

    /// Appends an event of this node. May block on the disk.
    pub(crate) fn append(&self, event_type: &str, data: &Value) {
        self.with_log(|log| log.append(&self.author, event_type, data));
        self.measure();
    }

    /// Sets the gauges. Another process may write to the log too. May block on the disk.
    pub(crate) fn measure(&self) {
        if let Some(extent) = self.with_log(EventLog::extent) {
            self.head.store(extent.lamport_head, Ordering::Relaxed);
            standard::event_log_size().with([&self.community_id]).set(extent.rows as f64);
            standard::event_log_lamport_head().with([&self.community_id]).set(extent.lamport_head as f64);
        }
    }

    fn with_log<T>(&self, act: impl FnOnce(&mut EventLog) -> rusqlite::Result<T>) -> Option<T> {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let done = match log.take().map_or_else(|| EventLog::open(&self.file, &self.community_id), Ok) {
            Ok(mut open) => act(&mut open).inspect(|_| *log = Some(open)),
            Err(error) => Err(error),
        };
        match done {
            Ok(value) => Some(value),
            Err(error) => {
                // The connection is dropped after an error. The next call opens the file anew, whatever happened to
                // it.
                warn_limited!(LOG, "event_log", error:% = error; "the event log cannot be used");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use obs_facade::metrics::Registry;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_log_that_reappears_is_used_again() {
        let registry = Registry::new();
        let _scope = registry.enter();
        let home = tempfile::tempdir().unwrap();
        let (folder, us) = (home.path().join("gone"), Arc::new(Identity::from_seed(&[7; 32])));
        let events = Events::new(us.clone(), us.node_id(), &folder.join("events.sqlite"));
        events.append("node.started", &json!({}));
        assert_eq!(obs_facade::metrics::testing::value(&registry, "hearthnet_event_log_size", &[]), None);
        std::fs::create_dir(&folder).unwrap();
        events.append("node.started", &json!({}));
        assert_eq!(
            obs_facade::metrics::testing::value(&registry, "hearthnet_event_log_size", &[]),
            Some(1.0)
        );
        assert_eq!(
            obs_facade::metrics::testing::value(&registry, "hearthnet_event_log_lamport_head", &[]),
            Some(1.0)
        );
    }
}
