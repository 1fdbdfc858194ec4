//! The handles that the `metrics` macros were given, by the keys that they asked with (M8).

use std::collections::HashMap;
use std::mem;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, TryLockError};

use metrics::Key;

/// Keys that are kept, of both generations together.
const MOST: usize = 8192;

/// Bytes of the longest key that is kept.
const LONGEST: usize = 1024;

/// Handles by the key as it came, so that a macro that runs again does not pass the guard again.
///
/// Any number of keys may come to the same admitted one, so neither their number nor their length is left to who makes
/// them. A key that is in use is kept however many others come: once the young generation is full it becomes the old one,
/// which is forgotten but for the keys that are asked for meanwhile.
pub(crate) struct Known<H>(RwLock<Generations<H>>);

struct Generations<H> {
    young: HashMap<Key, H>,
    old: HashMap<Key, H>,
}

impl<H: Clone> Known<H> {
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
        self.keep(key, &old);
        Some(old)
    }

    /// Keeps a handle unless somebody else has the lock: it is kept another time.
    pub(crate) fn keep(&self, key: &Key, handle: &H) {
        let labels = key.labels().map(|label| label.key().len() + label.value().len());
        if key.name().len() + labels.sum::<usize>() > LONGEST {
            return;
        }
        let (key, handle) = (key.to_retained(), handle.clone());
        let mut known = match self.0.try_write() {
            Ok(known) => known,
            Err(TryLockError::Poisoned(poison)) => poison.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        let forgotten = known.insert(key, handle);
        // Freed when the lock is free again.
        drop(known);
        drop(forgotten);
    }

    fn read(&self) -> RwLockReadGuard<'_, Generations<H>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<H> Generations<H> {
    /// Gives the generation that had to go.
    fn insert(&mut self, key: Key, handle: H) -> HashMap<Key, H> {
        let forgotten = if self.young.len() >= MOST / 2 {
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
    fn a_key_in_use_outlives_a_flood_and_one_that_comes_later_is_kept() {
        let known = Known::new();
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
        assert!(kept.young.len() + kept.old.len() <= MOST);
    }

    #[test]
    fn long_keys_are_not_kept() {
        let known = Known::new();
        let long = Key::from_name("l".repeat(LONGEST + 1));
        known.keep(&long, &1);
        assert_eq!(known.get(&long), None);
    }
}
