//! Handles of the `metrics` macros by the keys that they were requested with.

use std::collections::HashMap;
use std::mem;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, TryLockError};

use metrics::Key;

/// Maximum number of keys, of both generations together. At the maximum length they take 8 MiB.
const MAX_KEYS: usize = 8192;

/// Maximum length of a key in bytes. Longer ones are not kept.
const MAX_KEY_BYTES: usize = 1024;

/// Handles by the key as the macro passed it, so that a macro which runs again does not pass the guard again.
///
/// Any number of keys may lead to the same admitted one, and peers may influence keys, so their number and length are
/// bounded. There are two generations. A full young generation becomes the old one, and the previous old one is dropped. A
/// key that is requested moves to the young generation, so a key in use stays however many others come.
pub(crate) struct KnownKeys<H>(RwLock<Generations<H>>);

struct Generations<H> {
    young: HashMap<Key, H>,
    old: HashMap<Key, H>,
}

impl<H: Clone> KnownKeys<H> {
    pub(crate) fn new() -> Self {
        Self(RwLock::new(Generations { young: HashMap::new(), old: HashMap::new() }))
    }

    pub(crate) fn get(&self, key: &Key) -> Option<H> {
        let old = {
            let known = self.read();
            match known.young.get(key) {
                Some(handle) => return Some(handle.clone()),
                None => known.old.get(key)?.clone(),
            }
        };
        // Found in the old generation: moved to the young one, so that it outlives the next change.
        self.keep(key, &old);
        Some(old)
    }

    /// Keeps a handle. Does nothing if the lock is taken, so that no thread waits; the next request keeps it.
    pub(crate) fn keep(&self, key: &Key, handle: &H) {
        // Measured before the key is copied.
        let labels = key.labels().map(|label| label.key().len() + label.value().len());
        if key.name().len() + labels.sum::<usize>() > MAX_KEY_BYTES {
            return;
        }
        let (key, handle) = (key.to_retained(), handle.clone());
        let mut known = match self.0.try_write() {
            Ok(known) => known,
            Err(TryLockError::Poisoned(poison)) => poison.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        let forgotten = known.insert(key, handle);
        // The lock is released first: freeing a generation takes long.
        drop(known);
        drop(forgotten);
    }

    fn read(&self) -> RwLockReadGuard<'_, Generations<H>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<H> Generations<H> {
    /// Returns the generation that was dropped.
    fn insert(&mut self, key: Key, handle: H) -> HashMap<Key, H> {
        let forgotten = if self.young.len() >= MAX_KEYS / 2 {
            mem::replace(&mut self.old, mem::take(&mut self.young))
        } else {
            HashMap::new()
        };
        self.young.insert(key, handle);
        forgotten
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_use_outlives_a_flood_and_a_later_key_is_kept() {
        let known = KnownKeys::new();
        known.keep(&Key::from_static_name("used"), &0);
        for n in 1..=100_000 {
            known.keep(&Key::from_name(format!("made.up.{n}")), &n);
            if n % 1_000 == 0 {
                assert_eq!(known.get(&Key::from_static_name("used")), Some(0), "after {n}");
            }
        }
        known.keep(&Key::from_static_name("later"), &7);
        assert_eq!(known.get(&Key::from_static_name("later")), Some(7));
        assert_eq!(known.get(&Key::from_static_name("made.up.1")), None);
        let kept = known.read();
        assert!(kept.young.len() + kept.old.len() <= MAX_KEYS);
    }

    #[test]
    fn long_keys_are_not_kept() {
        let known = KnownKeys::new();
        let long = Key::from_name("l".repeat(MAX_KEY_BYTES + 1));
        known.keep(&long, &1);
        assert_eq!(known.get(&long), None);
    }
}
